"""Critic on short-time spectra of utterances at several resolutions, conditioned on what they were made from.

Source
------
W. Jang et al., "UnivNet: a neural vocoder with multi-resolution spectrogram discriminators", Interspeech 2021
(several resolutions); P. Isola et al., "Image-to-image translation with conditional adversarial networks",
CVPR 2017 (candidate and condition side by side, a score for each place).
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.nnet.activations import LEAKY_SLOPE, LeakyReLU
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.utterance_level import (
    divided_by_level,
    utterance_level,
    valid_samples,
    without_padding,
)
from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource

__all__ = ["ConditionalSpectralCritic"]

# Of a bin of active speech, relative to the utterance's RMS; compressed parts are near 1 there.
LEVEL = 0.1
SPREAD = 2.0  # nepers: the standard deviation of the logarithm, about


class _Resolution(nn.Module):
    """Spectra of one length, their bins as channels, and convolutions along time to scores of frames."""

    window: torch.Tensor

    def __init__(
        self, n_fft: int, channels: Sequence[int], factors: Sequence[int], downsampling: str, floor: float
    ) -> None:
        super().__init__()
        self.n_fft, self.factors, self.floor = n_fft, tuple(factors), floor
        window = torch.hann_window(n_fft)
        self.register_buffer("window", window * (2 / window.sum()), persistent=False)
        widths = [6 * (n_fft // 2 + 1), *channels]
        self.stages = nn.ModuleList(
            Downsample1d(inputs, outputs, 3, factor, downsampling if factor > 1 else "strided")
            for inputs, outputs, factor in zip(widths, widths[1:], factors, strict=False)
        )
        self.activation = LeakyReLU(LEAKY_SLOPE)
        self.score = nn.Linear(channels[-1], 1)

    def spectra(self, signals: torch.Tensor) -> torch.Tensor:
        """``(batch, 3 * bins, frames)`` of ``(batch, time)``: log magnitudes and compressed parts."""
        # Half precision would lose what lies 40 dB below the strongest bin.
        with torch.autocast(signals.device.type, enabled=False):
            frames = signals.float().unfold(1, self.n_fft, self.n_fft // 4) * self.window
            spectrum = torch.view_as_real(torch.fft.rfft(frames))
            # The floor bounds the slope of what follows, and with it the gradient penalty.
            power = spectrum.square().sum(3) + self.floor**2
            parts = spectrum * ((power / LEVEL**2).pow(-0.35) / LEVEL).unsqueeze(3)
            logarithm = (0.5 * torch.log(power) - math.log(LEVEL)) / SPREAD
            return torch.cat([logarithm, *parts.unbind(3)], dim=2).transpose(1, 2)

    def forward(self, candidate: torch.Tensor, noisy: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Scores ``(batch,)``: means over the frames that hold no padding, of which there is one at least."""
        x = torch.cat([self.spectra(candidate), self.spectra(noisy)], dim=1)
        frames = ((valid - self.n_fft) // (self.n_fft // 4) + 1).clamp_min(1)
        for stage, factor in zip(self.stages, self.factors, strict=True):
            x = self.activation(stage(x))
            frames = -(-frames // factor)
        scores = self.score(x.transpose(1, 2)).squeeze(2).float()
        return without_padding(scores, frames).sum(dim=1) / frames


class ConditionalSpectralCritic(nn.Module):
    """Scores candidates for the clean speech in degraded utterances, by spectra at several resolutions.

    Candidate and degraded signal, both over the degraded signal's root mean square, are read side by side as
    log magnitudes and compressed real and imaginary parts; the bins are the channels of convolutions along
    time. The score of an utterance is the sum over resolutions of the means over frames. It is called as
    `ConditionalCritic` is, and takes its `distance_unit()`.

    Arguments
    ---------
    scales : sequence of int
        Lengths of the spectra in samples, multiples of 4; frames advance by a quarter.
    channels, factors : sequence of int
        Output channels and downsampling factors in time of each resolution's convolutions.
    downsampling : str
        One of the modes of `Downsample1d`.
    floor_db : float
        Below this level, relative to the utterance's RMS, spectra are flattened.

    Raises
    ------
    ValueError
        For sizes that do not fit together.

    Example
    -------
    >>> critic = ConditionalSpectralCritic(channels=(8, 8), factors=(1, 2))
    >>> clean, noisy = torch.randn(2, 3, 4000)
    >>> critic(clean, noisy, lengths=torch.tensor([1.0, 0.5, 0.8])).shape
    torch.Size([3])
    """

    distance_unit = staticmethod(ConditionalCritic.distance_unit)

    def __init__(
        self,
        scales: Sequence[int] = (256, 1024),
        channels: Sequence[int] = (64, 64, 64),
        factors: Sequence[int] = (1, 2, 2),
        downsampling: str = "blur",
        floor_db: float = -50.0,
    ) -> None:
        super().__init__()
        if not channels or len(channels) != len(factors):
            raise ValueError(
                "channels and factors: expected one entry per convolution in each and at least one, "
                f"but got channels={list(channels)} and factors={list(factors)}"
            )
        if not scales or any(check_integer("scales", scale) % 4 for scale in scales):
            raise ValueError(f"scales: expected multiples of 4, but got {list(scales)}")
        floor = 10 ** (floor_db / 20)
        self.resolutions = nn.ModuleList(
            _Resolution(scale, channels, factors, downsampling, floor) for scale in scales
        )
        self.shortest = max(scales)

    def draw_shifts(self, batch: int, generator: RandomSource = None) -> torch.Tensor:
        """Empty shifts ``(batch, 0)``: there is no phase shuffle, spectra hardly know a phase."""
        del generator
        return torch.zeros(batch, 0, dtype=torch.long)

    def forward(
        self,
        candidate: torch.Tensor,
        noisy: torch.Tensor,
        lengths: torch.Tensor | None = None,
        shifts: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Scores candidates.

        Arguments
        ---------
        candidate, noisy : torch.Tensor
            ``(batch, time)``.
        lengths : torch.Tensor, optional
            Relative lengths ``(batch,)`` in (0, 1]; None if there is no padding. Frames with padding in them
            do not count.
        shifts : torch.Tensor, optional
            From `draw_shifts()`; not used.

        Returns
        -------
        torch.Tensor
            ``(batch,)``, higher for what looks clean.

        Raises
        ------
        ValueError
            For wrong shapes.
        """
        del shifts
        if candidate.dim() != 2 or candidate.shape != noisy.shape or candidate.shape[1] == 0:
            raise ValueError(
                "candidate and noisy: expected one shape (batch, time) with at least one sample, "
                f"but got {tuple(candidate.shape)} and {tuple(noisy.shape)}"
            )
        if lengths is None:
            lengths = torch.ones(len(noisy), device=noisy.device)
        valid = valid_samples(lengths, noisy)
        candidate, noisy = (without_padding(x, valid) for x in (candidate, noisy))
        level = utterance_level(noisy, valid)
        room = (0, max(0, self.shortest - noisy.shape[1]))
        signals = [nn.functional.pad(divided_by_level(x, level), room) for x in (candidate, noisy)]
        return torch.stack([part(*signals, valid) for part in self.resolutions]).sum(0)
