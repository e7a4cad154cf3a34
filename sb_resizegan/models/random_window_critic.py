"""GAN-TTS's critics: an ensemble that reads random windows of a waveform, with and without its mel spectrum.

Source
------
M. Bińkowski et al., "High fidelity speech synthesis with adversarial networks" (GAN-TTS), ICLR 2020, section
3.2 and figures 2 and 3; T. Miyato et al., "Spectral normalization for generative adversarial networks", ICLR
2018.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_integers

__all__ = ["DBlock", "RandomWindowCritic"]

MOST_WIDE = 8  # times the first width
DILATION = 2
LAST_BLOCKS = 2  # without downsampling, behind those with it
UNCONDITIONAL_FACTORS = (4, 4)


def _convolution(inputs: int, outputs: int, kernel_size: int, dilation: int, normalise: bool) -> nn.Module:
    padding = dilation * (kernel_size // 2)
    layer = nn.Conv1d(inputs, outputs, kernel_size, dilation=dilation, padding=padding)
    nn.init.orthogonal_(layer.weight)
    return spectral_norm(layer) if normalise else layer


class DBlock(nn.Module):
    """The paper's block of a critic (figure 2): downsampling by a mean, two convolutions, a way past.

    Mean over ``factor`` samples, rectifier, convolution of 3 taps, with a condition a convolution of it of 1
    tap added, rectifier, convolution of 3 taps with dilation 2; beside it a convolution of 1 tap and the same
    mean.

    Arguments
    ---------
    inputs, outputs : int
        Channels.
    factor : int
        Of the downsampling; 1 for none.
    condition : int
        Channels of the condition; 0 for none.
    normalise : bool
        Whether weights have a spectral norm of 1.

    Example
    -------
    >>> DBlock(4, 8, factor=2, condition=80)(torch.zeros(3, 4, 32), torch.zeros(3, 80, 16)).shape
    torch.Size([3, 8, 16])
    """

    def __init__(
        self, inputs: int, outputs: int, factor: int = 1, condition: int = 0, normalise: bool = True
    ) -> None:
        super().__init__()
        self.factor = factor
        self.first = _convolution(inputs, outputs, 3, 1, normalise)
        self.second = _convolution(outputs, outputs, 3, DILATION, normalise)
        self.beside = _convolution(inputs, outputs, 1, 1, normalise)
        self.condition = _convolution(condition, outputs, 1, 1, normalise) if condition else None

    def forward(self, x: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        """``(batch, inputs, time)`` to ``(batch, outputs, time / factor)``, the condition's rate."""
        y = self.first(F.relu(F.avg_pool1d(x, self.factor)))
        if self.condition is not None:
            y = y + self.condition(condition)
        return self.second(F.relu(y)) + F.avg_pool1d(self.beside(x), self.factor)


class _WindowCritic(nn.Module):
    """The critic of one size of window (figure 3): blocks, a mean over time, a score.

    Arguments
    ---------
    stride : int
        Consecutive samples that become channels.
    factors : sequence of int
        Of the blocks with downsampling; one block without stands before them and two behind.
    width, condition, normalise
        As for `RandomWindowCritic` and `DBlock`; the last block with downsampling reads the condition.
    """

    def __init__(
        self, stride: int, factors: Sequence[int], width: int, condition: int, normalise: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.blocks = nn.ModuleList([DBlock(stride, width, normalise=normalise)])
        channels = width
        for index, factor in enumerate(factors):
            outputs = min(2 * channels, MOST_WIDE * width)
            read = condition if index == len(factors) - 1 else 0
            self.blocks.append(DBlock(channels, outputs, factor, read, normalise))
            channels = outputs
        self.blocks.extend(DBlock(channels, channels, normalise=normalise) for _ in range(LAST_BLOCKS))
        score = nn.Linear(channels, 1)
        self.score = spectral_norm(score) if normalise else score

    def forward(
        self, windows: torch.Tensor, condition: torch.Tensor | None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """``(batch, time)`` to scores ``(batch,)`` and what the blocks give."""
        x = windows.unflatten(1, (-1, self.stride)).transpose(1, 2)
        features = []
        for block in cast("Iterable[DBlock]", self.blocks):
            x = block(x, condition if block.condition is not None else None)
            features.append(x)
        return self.score(F.relu(x).mean(dim=2)).squeeze(1), features


class RandomWindowCritic(nn.Module):
    """Scores random windows of several lengths, for each length once with and once without the mel spectrum.

    In a window of ``k`` frames, ``k`` consecutive samples become channels, so that all critics of the
    ensemble read as many time steps, ``hop_length``, at rates that fall with the window's length. The
    conditional ones go down to the rate of the frames, where the last downsampling block adds the mel
    spectrum; their windows begin between two frames, those of the unconditional ones anywhere.

    What differs from the paper: it has 120 samples of 24 kHz to a frame, windows of 240 samples times 1, 2,
    4, 8 and 15, and downsampling by 5, 3 and 2. Here a frame has ``hop_length`` samples and factors are 4
    and 2.

    Arguments
    ---------
    frames : sequence of int
        Lengths of the windows in frames of the mel spectrum; each divides ``hop_length``.
    width : int
        Channels of the first block (64 in the paper); each downsampling doubles them, up to eight times.
    n_mels, hop_length : int
        As for `MelAnalysis`; ``hop_length`` is a power of 2.
    conditional, unconditional : bool
        Which ones the ensemble holds; at least one.
    normalise : bool
        Spectral normalisation of all weights, as in the paper.

    Raises
    ------
    TypeError, ValueError
        For sizes that do not fit together, or an ensemble of none.

    Example
    -------
    >>> critic = RandomWindowCritic(frames=(1, 4), width=4)
    >>> starts = critic.draw_starts(3, frames=8)
    >>> critic(torch.zeros(3, 2048), torch.zeros(3, 80, 8), starts).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        frames: Sequence[int] = (1, 2, 4, 8, 16),
        width: int = 16,
        n_mels: int = 80,
        hop_length: int = 256,
        conditional: bool = True,
        unconditional: bool = True,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        check_integer("width", width)
        if check_integer("hop_length", hop_length, minimum=32) & (hop_length - 1):
            raise ValueError(f"hop_length: expected a power of 2, but got {hop_length}")
        if not frames or any(
            check_integer("frames", count) > hop_length // 2 or hop_length % count for count in frames
        ):
            raise ValueError(
                f"frames: expected lengths that divide hop_length = {hop_length} and are smaller, "
                f"but got {list(frames)}"
            )
        if not (conditional or unconditional):
            raise ValueError("conditional and unconditional: expected at least one True, but both are False")
        self.hop_length, self.n_mels = hop_length, n_mels
        # Each critic's window in frames, and whether it reads the mel spectrum.
        kinds = [kind for kind, wanted in ((True, conditional), (False, unconditional)) if wanted]
        self.members = [(count, kind) for kind in kinds for count in frames]
        self.critics = nn.ModuleList(
            _WindowCritic(
                count,
                _factors_of(hop_length // count) if kind else UNCONDITIONAL_FACTORS,
                width,
                n_mels if kind else 0,
                normalise,
            )
            for count, kind in self.members
        )

    def draw_starts(self, batch: int, frames: int, generator: RandomSource = None) -> torch.Tensor:
        """Where each critic's window begins in each example.

        Arguments
        ---------
        batch : int
            Examples.
        frames : int
            Frames of the examples, more than those of the longest window.
        generator : torch.Generator or CounterRandom, optional
            What to draw from.

        Returns
        -------
        torch.Tensor
            Integers ``(batch, critics)``: frames for the conditional ones, samples for the others.

        Raises
        ------
        ValueError
            For too few frames.
        """
        longest = max(count for count, _ in self.members)
        if frames <= longest:
            raise ValueError(f"frames: expected more than the longest window's {longest}, but got {frames}")
        # A window of frames reaches half a frame before the first one's centre, which rules out frame 0.
        ranges = [
            (1, frames - count + 1) if kind else (0, (frames - count) * self.hop_length + 1)
            for count, kind in self.members
        ]
        return torch.stack([draw_integers(generator, low, high, batch) for low, high in ranges], dim=1)

    def forward(self, waveforms: torch.Tensor, mel: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """Scores of waveforms.

        Arguments
        ---------
        waveforms : torch.Tensor
            ``(batch, frames * hop_length)``; frame ``i`` is centred on sample ``i * hop_length``.
        mel : torch.Tensor
            ``(batch, n_mels, frames)``, or of a batch that this one repeats: real and generated waveforms one
            after the other share their mel spectra and starts.
        starts : torch.Tensor
            From `draw_starts()`, for the mel's batch.

        Returns
        -------
        torch.Tensor
            ``(batch, critics)``, higher for what looks real.

        Raises
        ------
        ValueError
            For shapes that do not fit together.
        """
        return self.scores_and_features(waveforms, mel, starts)[0]

    def scores_and_features(
        self, waveforms: torch.Tensor, mel: torch.Tensor, starts: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """As `forward()`, and with the scores what each block of each critic gives, for feature matching."""
        rows, hop = len(mel), self.hop_length
        if (
            mel.dim() != 3
            or mel.shape[1] != self.n_mels
            or waveforms.dim() != 2
            or waveforms.shape[1] != mel.shape[2] * hop
            or not rows
            or len(waveforms) % rows
        ):
            raise ValueError(
                f"expected mel (batch, {self.n_mels}, frames) and waveforms (batch or a multiple, "
                f"{hop} * frames), but got {tuple(mel.shape)} and {tuple(waveforms.shape)}"
            )
        if starts.shape != (rows, len(self.members)):
            raise ValueError(
                f"starts: expected shape {(rows, len(self.members))}, but got {tuple(starts.shape)}"
            )
        repeats = len(waveforms) // rows
        starts = starts.to(waveforms.device)
        scores, features = [], []
        for (count, kind), critic, first in zip(self.members, self.critics, starts.unbind(1), strict=True):
            condition = None
            if kind:
                places = first[:, None] + torch.arange(count, device=first.device)
                condition = mel.gather(2, places[:, None].expand(-1, self.n_mels, -1)).repeat(repeats, 1, 1)
                first = first * hop - hop // 2
            places = first[:, None] + torch.arange(count * hop, device=first.device)
            score, own = critic(waveforms.gather(1, places.repeat(repeats, 1)), condition)
            scores.append(score)
            features.extend(own)
        return torch.stack(scores, dim=1), features


def _factors_of(ratio: int) -> list[int]:
    """A power of 2 as factors of 4, the last one 2 if need be."""
    factors = []
    while ratio > 1:
        factors.append(min(4, ratio))
        ratio //= factors[-1]
    return factors
