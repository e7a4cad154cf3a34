"""Generator of a vocoder: mel spectra to a waveform through a stack of upsampling convolutions.

Source
------
M. Bińkowski et al., "High fidelity speech synthesis with adversarial networks" (GAN-TTS), ICLR 2020, section
3.1 (upsampling and dilated residual blocks, conditional normalisation by a latent vector); T. Kaneko et al.,
"iSTFTNet", ICASSP 2022 (inverse transform at the end); Y. Lv et al., "FreeV", Interspeech 2024
(pseudo-inverse of the mel filters at the input and under the magnitudes).
"""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.models.stages import check_stages
from sb_resizegan.models.vocoder_blocks import (
    DilatedBlock,
    InverseSpectra,
    check_mel,
    he_convolution,
    stack_reach,
    vocoder_activation,
)
from sb_resizegan.nnet.mel_analysis import MEL_FLOOR, MelAnalysis
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_choice, check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_normal

__all__ = ["VOCODER_HEADS", "VOCODER_INPUTS", "VocoderGenerator"]

VOCODER_HEADS = ("waveform", "istft")
VOCODER_INPUTS = ("mel", "pseudo_inverse")
INPUT_TAPS = 3
OUTPUT_TAPS = 7


class VocoderGenerator(nn.Module):
    """Mel spectra, as `MelAnalysis` gives them, to waveforms.

    A convolution at the frames' rate, then for each stage an `Upsample1d` and, at the new rate, one
    `DilatedBlock` for each dilation; such blocks stand before the first stage, too. The head is a
    convolution to samples with a tanh behind it, or an inverse Fourier transform (`InverseSpectra`). Nothing
    is normalised over time or over a batch, so an utterance is the same in any batch, and a chunk with
    `context_frames` more on both sides is the same as in the whole.

    Sample ``t`` of the waveform is where `MelAnalysis` has it, frame ``i`` centred on sample
    ``i * hop_length``: an upsampled frame covers the samples around its centre, and half of the first one is
    cut off.

    Arguments
    ---------
    channels : sequence of int
        Channels at the frames' rate, then behind each stage: one entry more than ``factors``.
    factors : sequence of int
        Upsampling factor of each stage. Their product divides ``hop_length``: for ``waveform`` it is equal to
        it, for ``istft`` it is a multiple of 4 and a quarter of it at most.
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
    head : str
        ``waveform`` or ``istft``.
    features : str
        ``mel``: the bands as they are. ``pseudo_inverse``: the logarithm of `MelAnalysis.pseudo_inverse()`,
        all bins of the transform; with ``istft`` it is the magnitudes' starting point, too.
    latent_dim : int
        Size of GAN-TTS's latent vector, which sets gains and offsets of all blocks (`ConditionalNorm`); 0
        for none and no normalisation.
    sample_rate, n_mels, n_fft, hop_length : int
        As for `MelAnalysis`.
    fused : bool
        As for `Upsample1d`.

    Raises
    ------
    TypeError, ValueError
        For sizes that do not fit together or a wrong word.

    Example
    -------
    >>> generator = VocoderGenerator(channels=(16, 8, 8), factors=(4, 2))
    >>> generator(torch.randn(2, 80, 10)).shape
    torch.Size([2, 2560])
    """

    def __init__(
        self,
        channels: Sequence[int] = (104, 96, 80),
        factors: Sequence[int] = (4, 2),
        kernel_size: int = 9,
        dilations: Sequence[int] = (1, 3),
        block_kernel_size: int = 3,
        upsampling: str = "sinc",
        activation: str = "leaky_relu",
        head: str = "istft",
        features: str = "pseudo_inverse",
        latent_dim: int = 0,
        sample_rate: int = 16000,
        n_mels: int = 80,
        n_fft: int = 1024,
        hop_length: int = 256,
        fused: bool = True,
    ) -> None:
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        if len(channels) != len(factors) + 1:
            raise ValueError(
                "channels: expected one entry more than factors, the first for the frames' rate, "
                f"but got channels={channels} and factors={factors}"
            )
        total = check_stages(channels[1:], factors)
        check_choice("head", head, VOCODER_HEADS)
        check_choice("features", features, VOCODER_INPUTS)
        if check_integer("block_kernel_size", block_kernel_size) % 2 == 0:
            raise ValueError(f"block_kernel_size: expected an odd number, but got {block_kernel_size}")
        self.analysis = MelAnalysis(sample_rate, n_mels, n_fft, hop_length)
        self._check_rate(head, total, hop_length, factors)
        self.factors, self.upsampling, self.head, self.features = factors, upsampling, head, features
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=0)
        dilations = [check_integer("dilations", dilation) for dilation in dilations]
        inputs = n_mels if features == "mel" else n_fft // 2 + 1
        self.first = he_convolution(inputs, channels[0], INPUT_TAPS)
        self.stages = nn.ModuleList(
            Upsample1d(wide, narrow, kernel_size, factor, upsampling, fused=fused)
            for wide, narrow, factor in zip(channels, channels[1:], factors, strict=False)
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                DilatedBlock(width, block_kernel_size, dilation, activation, latent_dim)
                for dilation in dilations
            )
            for width in channels
        )
        # One before each stage and one before the head.
        self.activations = nn.ModuleList(vocoder_activation(activation, width) for width in channels)
        if head == "waveform":
            self.last: nn.Module = he_convolution(channels[-1], 1, OUTPUT_TAPS)
        else:
            self.last = InverseSpectra(channels[-1], hop_length // total)
            if features == "pseudo_inverse":
                self.register_buffer("pooling", self._pooling(self.last), persistent=False)
        with torch.no_grad():
            for stage in cast("Iterable[Upsample1d]", self.stages):
                # From a variance of 1 / (3 fan-in) to 2 / fan-in, which rectifiers keep.
                stage.weight.mul_(math.sqrt(6))
                if stage.bias is not None:
                    stage.bias.zero_()
        self.context_frames = self._context()

    @staticmethod
    def _check_rate(head: str, total: int, hop_length: int, factors: tuple[int, ...]) -> None:
        fits = total == hop_length if head == "waveform" else total % 4 == 0 and hop_length % (4 * total) == 0
        if not fits:
            wanted = (
                f"{hop_length}" if head == "waveform" else f"a multiple of 4 that divides {hop_length // 4}"
            )
            raise ValueError(
                f"factors: the head {head!r} at a hop of {hop_length} expected a product of {wanted}, "
                f"but got {list(factors)}, whose product is {total}"
            )

    def _pooling(self, head: InverseSpectra) -> torch.Tensor:
        """From powers of the mel's transform to those of the head's, ``(bins, n_fft / 2 + 1)``.

        White noise has a mean power of the sum of the window's squares in any bin; a bin of the head sees
        its neighbourhood through the transform of its shorter window.
        """
        long, short = self.analysis.n_fft, head.n_fft
        centres = torch.arange(head.bins, dtype=torch.float64)[:, None] * (long / short)
        distance = torch.arange(long // 2 + 1, dtype=torch.float64) - centres
        weights = (1 - distance.abs() * short / (2 * long)).clamp(
            min=0
        )  # a main lobe of two bins on each side
        return (weights / weights.sum(dim=1, keepdim=True) * short / long).float()

    def _context(self) -> int:
        """Frames on either side that a sample can depend on."""
        reach, rate = stack_reach(self.blocks, self.stages, self.activations)
        reach += INPUT_TAPS // 2 + 1  # the cut of half a frame makes 1
        return math.ceil(reach + getattr(self.last, "reach", OUTPUT_TAPS // 2) / rate)

    @property
    def hop_length(self) -> int:
        """Samples of a frame."""
        return self.analysis.hop_length

    @property
    def sample_rate(self) -> int:
        """Of the waveforms, in Hz."""
        return self.analysis.sample_rate

    def sample_latent(self, batch: int, generator: RandomSource = None) -> torch.Tensor:
        """Latent vectors ``(batch, latent_dim)``, standard normal (GAN-TTS, section 3.1).

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
            As from `sample_latent()`; zeros, the middle of its distribution, by default.

        Returns
        -------
        torch.Tensor
            ``(batch, frames * hop_length)``.

        Raises
        ------
        ValueError
            For another shape.
        """
        check_mel(mel, self.analysis.n_mels)
        if latent is None and self.latent_dim:
            latent = mel.new_zeros(len(mel), self.latent_dim)
        if latent is not None and latent.shape != (len(mel), self.latent_dim):
            raise ValueError(
                f"latent: expected shape {(len(mel), self.latent_dim)}, but got {tuple(latent.shape)}"
            )
        samples = mel.shape[2] * self.hop_length
        mel = F.pad(mel, (0, 1), mode="replicate")
        prior = None
        x = mel
        if self.features == "pseudo_inverse":
            magnitudes = self.analysis.pseudo_inverse(mel)
            x = magnitudes.clamp(min=MEL_FLOOR).log()
            if self.head == "istft":
                prior = self._prior(magnitudes)
        x = self.first((x + 5.0) / 3.0)  # about zero mean and unit variance
        for index, blocks in enumerate(self.blocks):
            if index:
                x = self.stages[index - 1](self.activations[index - 1](x))
            for block in cast("Iterable[DilatedBlock]", blocks):
                x = block(x, latent)
        x = self.activations[-1](x)
        y = self.last(x, prior) if self.head == "istft" else torch.tanh(self.last(x).squeeze(1))
        start = self.hop_length // 2
        return y[:, start : start + samples]

    def _prior(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Log magnitudes of the head's bins and frames, ``(batch, bins, frames)``."""
        with torch.autocast(magnitudes.device.type, enabled=False):
            power = self.get_buffer("pooling") @ magnitudes.square()
            frames = 0.5 * power.clamp(min=MEL_FLOOR**2).log()
            factor = math.prod(self.factors)
            return F.interpolate(frames, scale_factor=factor, mode="linear", align_corners=False)

    @torch.no_grad()
    def in_chunks(
        self, mel: torch.Tensor, latent: torch.Tensor | None = None, frames: int = 1000
    ) -> torch.Tensor:
        """As `forward()` without gradients, ``frames`` at a time, for bounded memory.

        Example
        -------
        >>> generator, mel = VocoderGenerator(channels=(8, 8), factors=(4,)), torch.randn(1, 80, 100)
        >>> bool(torch.allclose(generator.in_chunks(mel, frames=30), generator(mel), atol=1e-4))
        True
        """
        check_integer("frames", frames)
        parts = []
        for start in range(0, mel.shape[2], frames):
            first, stop = max(0, start - self.context_frames), min(start + frames, mel.shape[2])
            part = self(mel[:, :, first : stop + self.context_frames], latent)
            parts.append(part[:, (start - first) * self.hop_length : (stop - first) * self.hop_length])
        return torch.cat(parts, dim=1)
