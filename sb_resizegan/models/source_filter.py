"""The end of a source-filter vocoder: pulses and noise, shaped bin by bin and frame by frame."""

import torch
from torch import nn

from sb_resizegan.models.vocoder_blocks import LOUDEST, OVERLAP, he_convolution
from sb_resizegan.nnet.mel_analysis import MEL_FLOOR, MelAnalysis

__all__ = ["SourceFilter"]

SMALL = 0.03
# Strength of voicing at which half of the power is pulses, and how fast that turns.
VOICED, SLOPE = 0.33, 20.0
BREATHY_HZ = 4000.0  # where voiced speech is half noise, before training says more


class SourceFilter(nn.Module):
    """Features to filters, sources to samples.

    A convolution gives for each bin a log gain of the pulses, a direction ``(1 + a, b)`` and a log gain of
    the noise. Both stand on magnitudes that the mel spectrum's pseudo-inverse gives and on a first
    guess of what is voiced, so that even before training the sum is speech of about the right spectrum. The
    windowed spectra of the sources are multiplied and overlapped: nothing is made of the frames'
    own rate, and so there is no tone at it.

    Arguments
    ---------
    channels : int
        Of the features.
    hop : int
        Samples of a frame of features; the transform has four times as many.
    analysis : MelAnalysis
        Of the mel spectra.
    kernel_size : int
        Taps of the convolution, odd.

    Example
    -------
    >>> filters = SourceFilter(16, 64, MelAnalysis())
    >>> prior = filters.prior(torch.zeros(2, 513, 5), torch.full((2, 5), 0.9), 4)
    >>> filters(torch.zeros(2, 16, 20), *prior, torch.randn(2, 20 * 64 + 192), torch.randn(2, 1472)).shape
    torch.Size([2, 1280])
    """

    window: torch.Tensor  # constant buffers
    synthesis: torch.Tensor
    pooling: torch.Tensor
    noisy: torch.Tensor

    def __init__(self, channels: int, hop: int, analysis: MelAnalysis, kernel_size: int = 3) -> None:
        super().__init__()
        self.hop, self.n_fft = hop, OVERLAP * hop
        self.bins = self.n_fft // 2 + 1
        self.convolution = he_convolution(channels, 4 * self.bins, kernel_size)
        with torch.no_grad():
            self.convolution.weight.mul_(SMALL)
        window = torch.hann_window(self.n_fft, dtype=torch.float64)
        unit = torch.eye(self.bins, dtype=torch.complex128)
        # Squares of overlapping Hann windows add up to 1.5.
        synthesis = torch.fft.irfft(torch.cat([unit, 1j * unit]), self.n_fft) * window / 1.5
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("synthesis", synthesis.float(), persistent=False)
        self.register_buffer("pooling", self._pooling(analysis), persistent=False)
        frequency = torch.arange(self.bins) * (analysis.sample_rate / self.n_fft)
        self.register_buffer("noisy", (frequency / BREATHY_HZ).square()[:, None], persistent=False)
        self.reach = kernel_size // 2 + OVERLAP // 2

    def _pooling(self, analysis: MelAnalysis) -> torch.Tensor:
        """From powers of the mel's transform to gains of white noise of unit variance.

        White noise has a mean power of the sum of the window's squares in any bin; a bin here sees its
        neighbourhood through the transform of its shorter window: a main lobe of two bins on either side.
        """
        ratio = analysis.n_fft / self.n_fft
        centres = torch.arange(self.bins, dtype=torch.float64)[:, None] * ratio
        distance = torch.arange(analysis.n_fft // 2 + 1, dtype=torch.float64) - centres
        weights = (1 - distance.abs() / (2 * ratio)).clamp(min=0)
        power = analysis.window.double().square().sum()
        return (weights / weights.sum(dim=1, keepdim=True) / power).float()

    def prior(
        self, magnitudes: torch.Tensor, strength: torch.Tensor, factor: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log gains of pulses and noise before any training.

        Arguments
        ---------
        magnitudes : torch.Tensor
            Of the mel's transform, ``(batch, n_fft / 2 + 1, frames)``.
        strength : torch.Tensor
            Of voicing, ``(batch, frames)``, 0 to 1.
        factor : int
            Frames of features to a mel frame.

        Returns
        -------
        voiced, unvoiced : torch.Tensor
            ``(batch, bins, frames * factor)`` each, in nepers.
        """
        with torch.autocast(magnitudes.device.type, enabled=False):
            power = (self.pooling @ magnitudes.square()).clamp(min=(0.1 * MEL_FLOOR) ** 2)
            voicing = torch.sigmoid(SLOPE * (strength - VOICED))[:, None]
            share = (voicing / (1 + self.noisy)).clamp(1e-3, 1 - 1e-3)
            gains = 0.5 * torch.cat([power.log() + share.log(), power.log() + (1 - share).log()], dim=1)
            gains = nn.functional.interpolate(gains, scale_factor=factor, mode="linear", align_corners=False)
            voiced, unvoiced = gains.chunk(2, dim=1)
            return voiced, unvoiced

    def forward(
        self,
        x: torch.Tensor,
        voiced: torch.Tensor,
        unvoiced: torch.Tensor,
        pulses: torch.Tensor,
        noise: torch.Tensor,
    ) -> torch.Tensor:
        """Samples.

        Arguments
        ---------
        x : torch.Tensor
            Features ``(batch, channels, frames)``.
        voiced, unvoiced : torch.Tensor
            From `prior()`, ``(batch, bins, frames)``.
        pulses, noise : torch.Tensor
            The sources ``(batch, frames * hop + 3 * hop)``, from one and a half hops before the first sample.
            Of noise there may be several times as many, whole batches one behind the other.

        Returns
        -------
        torch.Tensor
            ``(batch, hop * frames)``, as many as of noise; frame ``i`` is centred in its ``hop`` samples.
        """
        outputs = self.convolution(x)
        with torch.autocast(x.device.type, enabled=False):
            gain, a, b, breath = outputs.float().split(self.bins, dim=1)
            # A gain far out at the beginning of a training would end it.
            gain, breath = (
                (LOUDEST * torch.tanh(own / LOUDEST) + prior).exp()
                for own, prior in ((gain, voiced), (breath, unvoiced))
            )
            real, imaginary = self._spectra(pulses)
            own_real, own_imaginary = self._spectra(noise)
            a = a + 1
            voiced_parts = torch.cat(
                [gain * (a * real - b * imaginary), gain * (a * imaginary + b * real)], 1
            )
            draws = len(noise) // len(x)
            if draws > 1:
                voiced_parts, breath = (part.repeat(draws, 1, 1) for part in (voiced_parts, breath))
            spectra = voiced_parts + torch.cat([breath * own_real, breath * own_imaginary], dim=1)
            parts = (spectra.transpose(1, 2) @ self.synthesis).unflatten(2, (OVERLAP, self.hop))
            frames = x.shape[2]
            # Part k of frame i belongs to hop i + k of the overlapping sum.
            total = parts.new_zeros(len(parts), frames + OVERLAP - 1, self.hop)
            for k in range(OVERLAP):
                total = total + nn.functional.pad(parts[:, :, k], (0, 0, k, OVERLAP - 1 - k))
            start = (self.n_fft - self.hop) // 2
            return total.flatten(1)[:, start : start + frames * self.hop]

    def _spectra(self, signal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Real and imaginary parts ``(batch, bins, frames)``."""
        spectra = torch.fft.rfft(signal.unfold(1, self.n_fft, self.hop) * self.window).transpose(1, 2)
        return spectra.real, spectra.imag

    def extra_repr(self) -> str:
        return f"hop={self.hop}, n_fft={self.n_fft}"
