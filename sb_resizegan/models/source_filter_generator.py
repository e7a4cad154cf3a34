"""Generator of a vocoder that shapes pulses and noise: the pitch from the mel spectrum, the filters learned.

Source
------
X. Wang, S. Takaki, J. Yamagishi, "Neural source-filter waveform models for statistical parametric speech
synthesis", IEEE/ACM TASLP 28, 2020; P. Agrawal, T. Koehler, Z. Xiu, P. Serai, Q. He, "Ultra-lightweight
neural differential DSP vocoder for high quality speech synthesis", ICASSP 2024 (filters of few parameters at
the frames' rate); Y. Lv et al., "FreeV", Interspeech 2024 (the mel filters' pseudo-inverse).
"""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.models.excitation import NoiseTable, frame_phases, pulses
from sb_resizegan.models.source_filter import SourceFilter
from sb_resizegan.models.stages import check_stages
from sb_resizegan.models.vocoder_blocks import (
    DilatedBlock,
    check_mel,
    he_convolution,
    stack_reach,
    vocoder_activation,
)
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.nnet.mel_pitch import MelPitch
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_normal

__all__ = ["SourceFilterGenerator"]

INPUT_TAPS = 3


class SourceFilterGenerator(nn.Module):
    """Mel spectra, as `MelAnalysis` gives them, to waveforms: pulses and noise through learned filters.

    `MelPitch` gives pitch and strength of voicing of each frame, by no learned weight. A stack of
    `Upsample1d` and `DilatedBlock` makes of the mel spectrum the filters of a `SourceFilter`, at 4 times the
    frames' rate or more. It starts from the mel filters' pseudo-inverse, so that what comes before any
    training can be understood. The network never makes samples by itself, so it is small, cheap, and has no
    tones at its frames' rates.

    Nothing is normalised over time or over a batch: an utterance is the same in any batch, and a chunk
    with `context_frames` more on both sides the same as in the whole, if it is told the phase.

    Arguments
    ---------
    channels : sequence of int
        Channels at the mel frames' rate, then behind each stage: one entry more than ``factors``.
    factors : sequence of int
        Upsampling factor of each stage. Their product is a multiple of 4 that divides ``hop_length`` into
        hops of 4 samples at least.
    kernel_size : int
        Taps of the stages' learned kernels at the output rate of each, for ``subpixel`` at the input's.
    dilations : sequence of int
        Of the residual blocks behind each stage, in samples there.
    block_kernel_size : int
        Their taps, odd.
    upsampling : str
        One of the modes of `Upsample1d`.
    activation : str
        ``leaky_relu``, or ``snake`` at twice the rate (`AntiAliased`).
    floor_hz, ceiling_hz : float
        Range of pitch in Hz, as for `MelPitch`.
    sample_rate, n_mels, n_fft, hop_length : int
        As for `MelAnalysis`.
    fused : bool
        As for `Upsample1d`. At so few frames the layers by themselves are faster.

    Raises
    ------
    TypeError, ValueError
        For sizes that do not fit together or a wrong word.

    Example
    -------
    >>> generator = SourceFilterGenerator(channels=(16, 16, 8), factors=(2, 2))
    >>> generator(torch.randn(2, 80, 10)).shape
    torch.Size([2, 2560])
    """

    latent_dim = 1  # which part of the noise
    shares_draws = True  # several latents of one mel spectrum cost little more than one

    def __init__(
        self,
        channels: Sequence[int] = (112, 96, 80),
        factors: Sequence[int] = (2, 2),
        kernel_size: int = 5,
        dilations: Sequence[int] = (1, 3),
        block_kernel_size: int = 3,
        upsampling: str = "sinc",
        activation: str = "leaky_relu",
        floor_hz: float = 65.0,
        ceiling_hz: float = 420.0,
        sample_rate: int = 16000,
        n_mels: int = 80,
        n_fft: int = 1024,
        hop_length: int = 256,
        fused: bool = False,
    ) -> None:
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        if len(channels) != len(factors) + 1:
            raise ValueError(
                "channels: expected one entry more than factors, the first for the frames' rate, "
                f"but got channels={channels} and factors={factors}"
            )
        total = check_stages(channels[1:], factors)
        if total % 4 or hop_length % (4 * total):
            raise ValueError(
                f"factors: at a hop of {hop_length} expected a product that is a multiple of 4 and divides "
                f"{hop_length // 4}, but got {list(factors)}, whose product is {total}"
            )
        if check_integer("block_kernel_size", block_kernel_size) % 2 == 0:
            raise ValueError(f"block_kernel_size: expected an odd number, but got {block_kernel_size}")
        self.analysis = MelAnalysis(sample_rate, n_mels, n_fft, hop_length)
        self.pitch = MelPitch(self.analysis, floor_hz, ceiling_hz)
        self.noise = NoiseTable()
        self.factors, self.upsampling = factors, upsampling
        self.first = he_convolution(n_mels + 2, channels[0], INPUT_TAPS)
        self.stages = nn.ModuleList(
            Upsample1d(wide, narrow, kernel_size, factor, upsampling, fused=fused)
            for wide, narrow, factor in zip(channels, channels[1:], factors, strict=False)
        )
        dilations = [check_integer("dilations", dilation) for dilation in dilations]
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                DilatedBlock(width, block_kernel_size, dilation, activation) for dilation in dilations
            )
            for width in channels
        )
        # One before each stage and one before the head.
        self.activations = nn.ModuleList(vocoder_activation(activation, width) for width in channels)
        self.place = he_convolution(2, channels[-1], 1)
        self.last = SourceFilter(channels[-1], hop_length // total, self.analysis)
        with torch.no_grad():
            for stage in cast("Iterable[Upsample1d]", self.stages):
                # From a variance of 1 / (3 fan-in) to 2 / fan-in, which rectifiers keep.
                stage.weight.mul_(math.sqrt(6))
                if stage.bias is not None:
                    stage.bias.zero_()
        self.context_frames = self._context()

    def _context(self) -> int:
        """Frames on either side that a sample can depend on."""
        # The cut of half a frame and the neighbours of an interpolated pitch make 2.
        reach, rate = stack_reach(self.blocks, self.stages, self.activations)
        return math.ceil(INPUT_TAPS // 2 + 2 + reach + self.last.reach / rate)

    @property
    def hop_length(self) -> int:
        """Samples of a frame."""
        return self.analysis.hop_length

    @property
    def sample_rate(self) -> int:
        """Of the waveforms, in Hz."""
        return self.analysis.sample_rate

    def sample_latent(self, batch: int, generator: RandomSource = None) -> torch.Tensor:
        """Latent numbers ``(batch, 1)``, standard normal: which part of the noise table is heard.

        Arguments
        ---------
        batch : int
            How many.
        generator : torch.Generator or CounterRandom, optional
            What to draw from.
        """
        return draw_normal(generator, self.first.weight.device, batch, self.latent_dim)

    def forward(self, mel: torch.Tensor, latent: torch.Tensor | None = None) -> torch.Tensor:
        """Waveforms of mel spectra.

        Arguments
        ---------
        mel : torch.Tensor
            ``(batch, n_mels, frames)``, as from `MelAnalysis`; at least one frame.
        latent : torch.Tensor, optional
            As from `sample_latent()`; zeros, the middle of its distribution, by default. There may be several
            times as many as mel spectra, whole batches one behind the other: the network runs but once.

        Returns
        -------
        torch.Tensor
            ``(batch, frames * hop_length)``, as many as latents.

        Raises
        ------
        ValueError
            For another shape.
        """
        self._check(mel, latent)
        mel = F.pad(mel, (0, 1), mode="replicate")
        f0, strength = self.pitch(mel)
        phases = frame_phases(f0, self.hop_length, self.sample_rate)
        return self._filtered(mel, f0, strength, phases, self._offsets(mel, latent), 0)

    def _check(self, mel: torch.Tensor, latent: torch.Tensor | None) -> None:
        check_mel(mel, self.analysis.n_mels)
        if latent is not None and (latent.shape[1:] != (self.latent_dim,) or len(latent) % len(mel)):
            raise ValueError(
                f"latent: expected shape {(len(mel), self.latent_dim)}, but got {tuple(latent.shape)}"
            )

    def _offsets(self, mel: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        return self.noise.offsets(mel.new_zeros(len(mel)) if latent is None else latent[:, 0])

    def _filtered(
        self,
        mel: torch.Tensor,
        f0: torch.Tensor,
        strength: torch.Tensor,
        phases: torch.Tensor,
        offsets: torch.Tensor,
        start: int,
    ) -> torch.Tensor:
        """Samples of ``frames + 1`` frames, the first of which is frame ``start`` of the whole."""
        hop, short, total = self.hop_length, self.last.hop, math.prod(self.factors)
        source, place = self._sources(f0, phases)
        # The sources begin a frame before the first centre; the samples half a frame before, and the
        # transform reads one and a half of its hops more.
        ahead = hop // 2 - 3 * short // 2
        length = mel.shape[2] * hop + 3 * short
        noise = self.noise(offsets, (start + 1) * hop + ahead, length)
        centres = place[:, hop // 2 + short // 2 :: short][:, : mel.shape[2] * total]
        angle = 2 * math.pi * centres
        extra = [((f0.log() - 5.0) * 2.0).unsqueeze(1), (strength * 6.0 - 2.0).unsqueeze(1)]
        x = self.first(torch.cat([(mel + 5.0) / 3.0, *extra], dim=1))  # of about unit variance
        for index, blocks in enumerate(self.blocks):
            if index:
                x = self.stages[index - 1](self.activations[index - 1](x))
            if index == len(self.blocks) - 1:
                x = x + self.place(torch.stack([angle.cos(), angle.sin()], dim=1))
            for block in cast("Iterable[DilatedBlock]", blocks):
                x = block(x)
        prior = self.last.prior(self.analysis.pseudo_inverse(mel), strength, total)
        y = self.last(self.activations[-1](x), *prior, source[:, ahead : ahead + length], noise)
        return y[:, hop // 2 : hop // 2 + (mel.shape[2] - 1) * hop]

    @torch.no_grad()
    def _sources(self, f0: torch.Tensor, phases: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pulses and their phase from a frame before the first centre to a frame behind the last."""
        step = self.hop_length / self.sample_rate
        before, behind = phases[:, :1] - step * f0[:, :1], phases[:, -1:] + step * f0[:, -1:]
        phases = torch.cat([before, phases, behind], dim=1)
        return pulses(
            torch.cat([f0[:, :1], f0, f0[:, -1:]], dim=1), phases, self.hop_length, self.sample_rate
        )

    @torch.no_grad()
    def in_chunks(
        self, mel: torch.Tensor, latent: torch.Tensor | None = None, frames: int = 1000
    ) -> torch.Tensor:
        """As `forward()` without gradients, ``frames`` at a time, for bounded memory.

        Example
        -------
        >>> generator = SourceFilterGenerator(channels=(8, 8), factors=(4,))
        >>> mel = torch.randn(1, 80, 100)
        >>> bool(torch.allclose(generator.in_chunks(mel, frames=30), generator(mel), atol=1e-4))
        True
        """
        check_integer("frames", frames)
        self._check(mel, latent)
        count = mel.shape[2]
        mel = F.pad(mel, (0, 1), mode="replicate")
        found = [self.pitch(part) for part in mel.split(frames, dim=2)]
        f0, strength = (torch.cat(track, dim=1) for track in zip(*found, strict=True))
        phases, offsets = frame_phases(f0, self.hop_length, self.sample_rate), self._offsets(mel, latent)
        parts = []
        for start in range(0, count, frames):
            first, stop = max(0, start - self.context_frames), min(start + frames, count)
            some = slice(first, stop + self.context_frames + 1)
            part = self._filtered(
                mel[:, :, some], f0[:, some], strength[:, some], phases[:, some], offsets, first
            )
            parts.append(part[:, (start - first) * self.hop_length : (stop - first) * self.hop_length])
        return torch.cat(parts, dim=1)
