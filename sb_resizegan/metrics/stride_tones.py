"""Tones that the stages of an upsampling network leave in waveforms ``(batch, time)``.

A stage that upsamples by ``s`` computes its ``s`` output phases with different weights (Odena et al.,
"Deconvolution and checkerboard artifacts", Distill, 2016). Whatever is constant in its input, biases and
the mean of rectified activations above all, comes out with the period of its input sample: tones at the
multiples of the stage's input rate (Pons et al., "Upsampling artifacts in neural audio synthesis", ICASSP
2021). Later stages do not change their frequency.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from sb_resizegan.metrics.spectra import check_waveforms, mean_power_spectrum

__all__ = [
    "StrideTone",
    "stride_tone_frequencies",
    "stride_tone_prominence",
    "worst_prominence",
]

# The main lobe of the Blackman-Harris window is eight bins wide. Tones nearer to one another than four main
# lobes leave too few bins between them for a median.
_LOBE_BINS = 4
_MIN_SPACING_BINS = 32
# -120 dB below the largest bin: what lies there is the rounding of 32-bit arithmetic or of 16-bit files,
# which has tones of its own behind filters of high attenuation.
_ROUNDING = 1e-12


class StrideTone(NamedTuple):
    """A frequency at which an upsampling stage may leave a tone."""

    frequency: float
    """Frequency in Hz."""

    stage: int
    """Number of the upsampling stage, the first one is 1."""


def stride_tone_frequencies(sample_rate: int, factors: Sequence[int], n_fft: int = 2048) -> list[StrideTone]:
    """The frequencies at which the upsampling stages of a generator leave tones.

    Stage ``i`` (from 1) turns one sample into ``prod(factors[i-1:])`` samples of the output; its tones are
    the multiples of ``sample_rate / prod(factors[i-1:])`` up to half the sampling rate, that one included.
    Every tone of a later stage is also one of the stages before it; it is listed once, with the latest
    stage. For ``factors=[4, 4, 4, 4]`` and 16 kHz, stage 4 has 4 and 8 kHz, stage 3 the other multiples of
    1 kHz, stage 2 the other multiples of 250 Hz. Stage 1 with its 62.5 Hz is left out: a spectrum of
    ``n_fft`` samples cannot resolve its tones (they would have to lie 32 bins apart), nor tell them from
    speech.

    Arguments
    ---------
    sample_rate : int
        Sampling rate in Hz.
    factors : sequence of int
        Upsampling factors from the first stage to the last.
    n_fft : int
        Length of the spectra in which the tones are to be found.

    Returns
    -------
    list of StrideTone
        By ascending frequency. Empty if no stage has tones far enough apart.

    Raises
    ------
    ValueError
        If there is no factor or one below 1.

    Example
    -------
    >>> tones = stride_tone_frequencies(16000, [4, 4, 4])
    >>> len(tones), tones[3], tones[-1]
    (32, StrideTone(frequency=1000.0, stage=2), StrideTone(frequency=8000.0, stage=3))
    """
    factors = _check_factors(factors)
    tones = {}
    for stage in range(1, len(factors) + 1):
        period = math.prod(factors[stage - 1 :])
        if factors[stage - 1] == 1 or n_fft < _MIN_SPACING_BINS * period:
            continue
        # Integers until the end: 6 * (16000 / 48) and 2 * (16000 / 16) must be one and the same key.
        for k in range(1, period // 2 + 1):
            tones[k * sample_rate / period] = stage
    return [StrideTone(float(f), stage) for f, stage in sorted(tones.items())]


def stride_tone_prominence(
    waveforms: torch.Tensor,
    factors: Sequence[int],
    sample_rate: int = 16000,
    n_fft: int = 2048,
    search_bins: int = 1,
) -> dict[StrideTone, float]:
    """How far the averaged power spectrum stands out at each stride tone.

    The spectrum is that of `mean_power_spectrum()`; its length is the largest multiple of the total factor up
    to ``n_fft``, so that tones lie on bins. The prominence is the largest power within ``search_bins`` of the
    tone over the median of the bins around it: half the distance to the next tone of the grid to either side,
    without the main lobe of the spectral window. At half the sampling rate the spectrum is mirrored.

    A spectrum without tones does not give 0 dB exactly, since the largest of three bins is compared with a
    median. For Gaussian noise the mean over tones is 0.17 dB with 256 windows of 2048 samples and 0.08 dB
    with 1024, the largest of the 32 tones of ``[4, 4, 4]`` 0.7 and 0.4 dB. Speech needs more windows, and
    many files: 1024 windows of 400 files of one voice have 2 dB at the worst tone, 4096 have 1.5 dB; of 20
    files 4 dB, which is true pitch. Interpolation by ``nearest`` and ``linear`` has zeros at the tones:
    values below 0 dB are right.

    A steady tone stands out by 3 dB more for each doubling of the spectrum's length, noise does not: compare
    only prominences of equal lengths.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, ``time`` at least 64. A few hundred windows give a stable result.
    factors : sequence of int
        Upsampling factors from the first stage to the last.
    sample_rate : int
        Sampling rate in Hz.
    n_fft : int
        Largest length of the spectra; shorter waveforms give shorter spectra, in which fewer stages have
        tones.
    search_bins : int
        A tone may lie this many bins away from its frequency.

    Returns
    -------
    dict of StrideTone to float
        Prominence in dB by tone; NaN where the spectrum is zero (silence).

    Raises
    ------
    ValueError
        If the factors or the waveforms are wrong, or no tone can be resolved in so few samples.

    Example
    -------
    >>> noise = torch.randn(256, 2048, generator=torch.Generator().manual_seed(0))
    >>> hum = 0.1 * torch.cos(torch.pi / 2 * torch.arange(2048))   # 4 kHz
    >>> prominence = stride_tone_prominence(noise + hum, factors=[4])
    >>> {tone.frequency: round(value) for tone, value in prominence.items()}
    {4000.0: 6, 8000.0: 0}
    """
    waveforms = check_waveforms(waveforms, min_samples=2 * _MIN_SPACING_BINS)
    factors = _check_factors(factors)
    n_fft = _multiple_of_stages(factors, min(n_fft, waveforms.shape[1]))
    tones = stride_tone_frequencies(sample_rate, factors, n_fft)
    if not tones:
        raise ValueError(
            f"factors: no tone of {list(factors)} can be resolved in {n_fft} samples; the last stages' "
            f"factors must multiply to at least 2 and at most {n_fft // _MIN_SPACING_BINS}"
        )
    power = mean_power_spectrum(waveforms, n_fft)
    power = power.clamp(min=power.max() * _ROUNDING)
    last = n_fft // 2
    # The mean of a periodogram mirrors at both ends.
    mirrored = torch.cat([power[1:].flip(0), power, power[: n_fft - last].flip(0)])
    spacing = round(tones[0].frequency * n_fft / sample_rate)
    offsets = torch.arange(-(spacing // 2), spacing // 2 + 1)
    offsets = offsets[offsets.abs() > _LOBE_BINS]
    result = {}
    for tone in tones:
        centre = last + round(tone.frequency * n_fft / sample_rate)
        peak = mirrored[centre - search_bins : centre + search_bins + 1].max()
        around = mirrored[centre + offsets].quantile(0.5)
        result[tone] = float(10 * torch.log10(peak / around))
    return result


def worst_prominence(prominence: dict[StrideTone, float], stage: int | None = None) -> float:
    """The largest prominence, of one stage or of all.

    Arguments
    ---------
    prominence : dict of StrideTone to float
        From `stride_tone_prominence()`.
    stage : int
        Number of the stage, the first one is 1. ``None`` takes all.

    Returns
    -------
    float
        In dB; NaN if any of them is, or if the stage has no tone.

    Example
    -------
    >>> worst_prominence({StrideTone(4000.0, 4): 31.0, StrideTone(1000.0, 3): 38.0})
    38.0
    """
    values = [value for tone, value in prominence.items() if stage in (None, tone.stage)]
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    return max(values)


def _check_factors(factors: Sequence[int]) -> list[int]:
    factors = [factors] if isinstance(factors, int) else list(factors)
    if not factors or any(int(f) != f or f < 1 for f in factors):
        raise ValueError(f"factors: expected upsampling factors of at least 1, but got {factors}")
    return [int(f) for f in factors]


def _multiple_of_stages(factors: list[int], n_fft: int) -> int:
    """Largest even length up to ``n_fft`` in which the tones of all resolvable stages lie on bins."""
    periods = [math.prod(factors[i:]) for i in range(len(factors))]
    resolved = [period for period in periods if n_fft >= _MIN_SPACING_BINS * period]
    step = math.lcm(2, *resolved[:1])  # every later period divides the first
    return n_fft // step * step
