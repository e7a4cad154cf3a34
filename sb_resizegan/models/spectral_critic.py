"""Critic on short-time spectra of windows at several resolutions, and the sum of several critics.

Source
------
W. Jang et al., "UnivNet: a neural vocoder with multi-resolution spectrogram discriminators", Interspeech 2021
(several resolutions), and J. Nistal et al., "Comparing representations for audio synthesis using generative
adversarial networks", EUSIPCO 2020 (real and imaginary parts).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.nnet.activations import LEAKY_SLOPE, LeakyReLU
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.utils.checks import check_choice, check_integer, check_positive

__all__ = ["CRITIC_INPUTS", "SPECTRAL_INPUTS", "CriticSum", "SpectralCritic", "window_critic"]

CRITIC_INPUTS = ("waveform", "spectral", "both")
SPECTRAL_INPUTS = ("magnitude", "complex")
LEVEL = 0.01  # amplitude of a bin of active speech at -20 dB; the compressed parts are near 1 there
SPREAD = 2.0  # nepers: the standard deviation of the logarithm, about


class _Resolution(nn.Module):
    """Spectra of one length, their bins taken as channels, and convolutions along time.

    Arguments
    ---------
    window_samples, n_fft, bins : int
        Sizes; frames advance by a quarter of ``n_fft``.
    channels, factors, downsampling
        As for `SpectralCritic`.
    parts : bool
        Whether compressed real and imaginary parts are read beside the logarithm.
    floor : float
        Amplitude below which spectra are flattened.
    """

    basis: torch.Tensor

    def __init__(
        self,
        window_samples: int,
        n_fft: int,
        bins: int,
        channels: Sequence[int],
        factors: Sequence[int],
        downsampling: str,
        parts: bool,
        floor: float,
    ) -> None:
        super().__init__()
        self.n_fft, self.bins, self.parts, self.floor = n_fft, bins, parts, floor
        # The bins that are read, as one matrix product: (2 * bins, n_fft).
        window = torch.hann_window(n_fft, dtype=torch.float64)
        samples = torch.arange(n_fft, dtype=torch.float64)
        phase = 2 * math.pi / n_fft * torch.arange(bins, dtype=torch.float64)[:, None] * samples
        basis = torch.cat([phase.cos(), -phase.sin()]) * (window * 2 / window.sum())
        self.register_buffer("basis", basis.float(), persistent=False)
        frames = (window_samples - n_fft) // (n_fft // 4) + 1
        inputs = (3 if parts else 1) * bins
        self.stages = nn.ModuleList()
        for outputs, factor in zip(channels, factors, strict=True):
            mode = downsampling if factor > 1 else "strided"  # without a stride nothing aliases
            self.stages.append(Downsample1d(inputs, outputs, 3, factor, mode))
            inputs, frames = outputs, -(-frames // factor)
        self.activation = LeakyReLU(LEAKY_SLOPE)
        self.dense = nn.Linear(inputs * frames, 1)

    def spectra(self, windows: torch.Tensor) -> torch.Tensor:
        """Normalised spectra ``(batch, features, frames)`` of ``(batch, time)``."""
        # Half precision would lose what lies 40 dB below the strongest bin.
        with torch.autocast(windows.device.type, enabled=False):
            frames = windows.to(self.basis.dtype).unfold(1, self.n_fft, self.n_fft // 4)
            real, imaginary = (frames @ self.basis.t()).split(self.bins, dim=2)
            # The floor bounds the slope of what follows, and with it the gradient penalty.
            power = real.square() + imaginary.square() + self.floor**2
            features = (0.5 * torch.log(power) - math.log(LEVEL)) / SPREAD
            if self.parts:
                scale = (power / LEVEL**2).pow(-0.35) / LEVEL
                features = torch.cat([features, real * scale, imaginary * scale], dim=2)
        return features.transpose(1, 2)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Scores ``(batch,)`` of windows ``(batch, time)``."""
        x = self.spectra(windows)
        for stage in self.stages:
            x = self.activation(stage(x))
        return self.dense(x.flatten(1)).squeeze(1)


class SpectralCritic(nn.Module):
    """Scores windows by their short-time spectra at several resolutions; the score is the sum over them.

    What each resolution reads is normalised and has bounded slopes, as a gradient penalty needs it: log
    magnitudes over their spread, or with them real and imaginary parts compressed to a power of 0.3. The bins
    are the channels of convolutions along time, so that a first layer sees all harmonics at once.

    Arguments
    ---------
    window_samples : int
        Samples of a window.
    scales : sequence of int
        Lengths of the spectra in samples, multiples of 4; frames advance by a quarter.
    channels : sequence of int
        Output channels of the convolutions of each resolution.
    factors : sequence of int
        Their downsampling factors in time.
    downsampling : str
        One of the modes of `Downsample1d`.
    inputs : str
        ``magnitude`` reads logarithms of magnitudes alone, ``complex`` real and imaginary parts beside them.
    max_hz : float, optional
        The highest frequency that is read, in Hz; all by default. What lies above is for another critic.
    floor_db : float
        Below this level, in dB relative to full scale, spectra are flattened.
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        For sizes that do not fit together, or a wrong word.

    Example
    -------
    >>> critic = SpectralCritic(window_samples=2048, max_hz=2000.0)
    >>> critic(torch.zeros(3, 2048)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        window_samples: int = 2048,
        scales: Sequence[int] = (256, 1024),
        channels: Sequence[int] = (64, 64, 64),
        factors: Sequence[int] = (1, 1, 1),
        downsampling: str = "blur",
        inputs: str = "magnitude",
        max_hz: float | None = None,
        floor_db: float = -60.0,
        sample_rate: int = 16000,
    ) -> None:
        super().__init__()
        check_choice("inputs", inputs, SPECTRAL_INPUTS)
        if not channels or len(channels) != len(factors):
            raise ValueError(
                "channels and factors: expected one entry per convolution in each and at least one, "
                f"but got channels={list(channels)} and factors={list(factors)}"
            )
        self.window_samples = check_integer("window_samples", window_samples)
        if not scales or any(check_integer("scales", scale) % 4 for scale in scales):
            raise ValueError(f"scales: expected multiples of 4, but got {list(scales)}")
        if max(scales) > window_samples:
            raise ValueError(f"scales: expected at most window_samples = {window_samples}, but got {scales}")
        top = sample_rate / 2 if max_hz is None else min(check_positive("max_hz", max_hz), sample_rate / 2)
        self.resolutions = nn.ModuleList(
            _Resolution(
                window_samples,
                scale,
                int(top * scale / sample_rate) + 1,
                channels,
                factors,
                downsampling,
                inputs == "complex",
                10 ** (floor_db / 20),
            )
            for scale in scales
        )

    def draw_shifts(self, batch: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Empty shifts ``(batch, 0)``: there is no phase shuffle, magnitudes hardly know a phase."""
        del generator
        return torch.zeros(batch, 0, dtype=torch.long)

    def forward(self, windows: torch.Tensor, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """Scores windows.

        Arguments
        ---------
        windows : torch.Tensor
            ``(batch, window_samples)``.
        shifts : torch.Tensor, optional
            From `draw_shifts()`; not used.

        Returns
        -------
        torch.Tensor
            ``(batch,)``, higher for what looks real.
        """
        del shifts
        if windows.dim() != 2 or windows.shape[1] != self.window_samples:
            raise ValueError(
                f"windows: expected shape (batch, {self.window_samples}), but got {tuple(windows.shape)}"
            )
        return torch.stack([resolution(windows) for resolution in self.resolutions]).sum(dim=0)


class CriticSum(nn.Module):
    """Several critics as one, whose score is the sum of theirs: a loss and its penalty see one critic.

    Arguments
    ---------
    *critics : torch.nn.Module
        With ``draw_shifts(batch, generator)`` and ``forward(windows, shifts)``.

    Example
    -------
    >>> from sb_resizegan.models.critic import WindowCritic
    >>> critic = CriticSum(WindowCritic(), SpectralCritic())
    >>> critic(torch.zeros(3, 2048), critic.draw_shifts(3)).shape
    torch.Size([3])
    """

    def __init__(self, *critics: nn.Module) -> None:
        super().__init__()
        if not critics:
            raise ValueError("critics: expected at least one")
        self.critics = nn.ModuleList(critics)
        # Shifts of all critics lie side by side; a draw of none tells how many columns each has.
        self.columns = [critic.draw_shifts(0).shape[1] for critic in critics]  # type: ignore[operator]

    def draw_shifts(self, batch: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Shifts of all critics side by side, integers ``(batch, columns)``."""
        return torch.cat([critic.draw_shifts(batch, generator) for critic in self.critics], dim=1)  # type: ignore[operator]

    def forward(self, windows: torch.Tensor, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """Scores ``(batch,)`` of windows ``(batch, time)``; shifts as from `draw_shifts()`, or none."""
        each = [None] * len(self.columns) if shifts is None else shifts.split(self.columns, dim=1)
        scores = [critic(windows, some) for critic, some in zip(self.critics, each, strict=True)]
        return torch.stack(scores).sum(dim=0)


def window_critic(inputs: str, waveform: Mapping[str, Any], spectral: Mapping[str, Any]) -> nn.Module:
    """The critic that a word chooses.

    Arguments
    ---------
    inputs : str
        ``waveform``, ``spectral``, or ``both``.
    waveform : dict
        Arguments of `WindowCritic`.
    spectral : dict
        Arguments of `SpectralCritic`.

    Returns
    -------
    torch.nn.Module
        A ``WindowCritic``, a ``SpectralCritic``, or a `CriticSum` of the two.

    Raises
    ------
    ValueError
        For another word.

    Example
    -------
    >>> type(window_critic("both", {}, {})).__name__
    'CriticSum'
    """
    check_choice("inputs", inputs, CRITIC_INPUTS)
    if inputs == "waveform":
        return WindowCritic(**waveform)
    if inputs == "spectral":
        return SpectralCritic(**spectral)
    return CriticSum(WindowCritic(**waveform), SpectralCritic(**spectral))
