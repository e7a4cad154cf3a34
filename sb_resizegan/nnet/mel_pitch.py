"""Pitch of speech from its mel spectrum alone, without anything learned.

Source
------
D. J. Hermes, "Measurement of pitch by subharmonic summation", JASA 83, 1988, for a pitch by what lies at its
multiples; A. Camacho, J. G. Harris, "A sawtooth waveform inspired pitch estimator" (SWIPE), JASA 124, 2008,
for cosines over frequency, which count what lies between the multiples against a pitch, and whose weight
falls with the multiple.
"""

import math

import torch
from torch import nn

from sb_resizegan.nnet.mel_analysis import MelAnalysis

__all__ = ["MelPitch"]

CANDIDATES = 160
GRID = 64  # places between two candidates
TOP_HZ = 3000.0
HARMONICS, DECAY = 8, 0.4  # multiples that count, and the power of the multiple by which their weight falls
QUIET = 3e-3  # Euclidean norm of the magnitudes of a frame that says nothing


class MelPitch(nn.Module):
    """Fundamental frequency and strength of voicing of each frame of a mel spectrum.

    The bands of up to 1 kHz are 37 Hz apart at 16 kHz and a Hann window of 1024 samples has lobes of 62 Hz:
    harmonics from about 75 Hz apart can still be told in them. Magnitudes that the pseudo-inverse gives are
    compared with a cosine over frequency for each candidate of pitch, and the best is taken, for each frame
    by itself.

    Arguments
    ---------
    analysis : MelAnalysis
        What the mel spectra are made with.
    floor_hz, ceiling_hz : float
        Range of pitch in Hz.

    Raises
    ------
    ValueError
        For a range that is none, or one that lies below two bins of the transform.

    Example
    -------
    >>> tone = sum(torch.sin(2 * math.pi * 160 * k * torch.arange(8000) / 16000) for k in range(1, 9)) / 16
    >>> analysis = MelAnalysis()
    >>> f0, strength = MelPitch(analysis)(analysis(tone[None]))
    >>> f0.shape, f"{f0[0, 10:20].mean().item():.0f} Hz", bool(strength[0, 10:20].min() > 0.5)
    (torch.Size([1, 32]), '160 Hz', True)
    """

    templates: torch.Tensor  # constant buffers
    inverse: torch.Tensor

    def __init__(self, analysis: MelAnalysis, floor_hz: float = 65.0, ceiling_hz: float = 420.0) -> None:
        super().__init__()
        spacing = analysis.sample_rate / analysis.n_fft
        if not 2 * spacing <= floor_hz < ceiling_hz <= analysis.sample_rate / 4:
            raise ValueError(
                f"floor_hz and ceiling_hz: expected {2 * spacing:g} <= floor_hz < ceiling_hz <= "
                f"{analysis.sample_rate / 4:g} Hz, but got {floor_hz} and {ceiling_hz}"
            )
        self.floor_hz, self.ceiling_hz = floor_hz, ceiling_hz
        bins = min(analysis.n_fft // 2, round(max(TOP_HZ, 2 * ceiling_hz) / spacing)) + 1
        pitches = floor_hz * (ceiling_hz / floor_hz) ** torch.linspace(0, 1, CANDIDATES, dtype=torch.float64)
        multiples = torch.arange(bins) * spacing / pitches[:, None]
        counted = (multiples > 0.5) & (multiples < HARMONICS + 0.5)
        weights = counted * multiples.clamp(min=1) ** -DECAY
        cosines = torch.cos(2 * math.pi * multiples) * weights
        cosines = cosines - weights * (cosines.sum(1, keepdim=True) / weights.sum(1, keepdim=True))
        templates = cosines / cosines.norm(dim=1, keepdim=True)
        self.register_buffer("templates", templates.float(), persistent=False)
        self.register_buffer("inverse", analysis.inverse[:bins].clone(), persistent=False)

    @torch.no_grad()
    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pitch and strength.

        Arguments
        ---------
        mel : torch.Tensor
            ``(batch, n_mels, frames)``, as from `MelAnalysis`.

        Returns
        -------
        f0 : torch.Tensor
            ``(batch, frames)`` in Hz, also where nothing is voiced.
        strength : torch.Tensor
            ``(batch, frames)``, 0 to 1: the share of the spectrum's shape that the best cosine explains.
        """
        with torch.autocast(mel.device.type, enabled=False):
            magnitudes = (self.inverse @ mel.float().exp()).clamp(min=0.0)
            shape = magnitudes - magnitudes.mean(dim=1, keepdim=True)
            scores = (self.templates @ shape) / (shape.norm(dim=1, keepdim=True) + QUIET)
            best, index = scores[:, 1:-1].max(dim=1, keepdim=True)
            before, after = scores.gather(1, index), scores.gather(1, index + 2)
            # The vertex of the parabola through the best candidate and its neighbours.
            curvature = (before - 2 * best + after).clamp(max=-1e-6)
            # On a grid of 0.02 %: else the last bit, which hangs on how many frames come at once, adds up
            # in the phases.
            shift = (0.5 * (before - after) / curvature).clamp(-0.5, 0.5)
            place = index + 1 + (shift * GRID).round() / GRID
            step = math.log(self.ceiling_hz / self.floor_hz) / (CANDIDATES - 1)
            f0 = self.floor_hz * (step * place).exp()
            return f0.squeeze(1), best.squeeze(1).clamp(0.0, 1.0)

    def extra_repr(self) -> str:
        return f"floor_hz={self.floor_hz}, ceiling_hz={self.ceiling_hz}"
