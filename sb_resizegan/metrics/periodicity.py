"""Voicing and pitch of short windows, and how their distributions differ.

Source
------
P. Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", Proc. Institute of Phonetic Sciences 17, Amsterdam 1993: the autocorrelation of a windowed
frame over that of the window.
"""

import math
from typing import NamedTuple

import torch

from sb_resizegan.metrics.spectra import check_waveforms

__all__ = ["Periodicity", "measure_periodicity", "periodicity_tracks", "wasserstein_1d"]

_FRAME_SECONDS = 0.04
_HOP_SECONDS = 0.01
_OCTAVE_COST = 0.01  # Boersma's: of two equal peaks the one of the shorter period
_VOICED = 0.45  # Praat's voicing threshold
_LEAST_VOICED = 3  # frames that make a window voiced


class Periodicity(NamedTuple):
    """Of each window."""

    strength: torch.Tensor
    """``(batch,)``, 0 to 1: the mean over frames of the highest normalised autocorrelation."""

    f0: torch.Tensor
    """``(batch,)``, in Hz: the median over voiced frames; NaN with fewer than three of them."""


def measure_periodicity(
    waveforms: torch.Tensor, sample_rate: int = 16000, floor_hz: float = 75.0, ceiling_hz: float = 400.0
) -> Periodicity:
    """Strength of voicing and fundamental frequency, by normalised autocorrelation.

    Frames of 40 ms, three periods of the lowest pitch, every 10 ms. A frame whose highest peak is above 0.45
    counts as voiced. There is no search for a path through the frames, which windows of 128 ms are too short
    for.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, at least 40 ms.
    sample_rate : int
        In Hz.
    floor_hz, ceiling_hz : float
        Lowest pitch, at least 75 Hz, and highest.

    Returns
    -------
    Periodicity
        Of each window; silence has a strength of 0.

    Raises
    ------
    ValueError
        If the waveforms are wrong, or the range of pitch.

    Example
    -------
    >>> tone = torch.sin(2 * math.pi * 200 * torch.arange(2048) / 16000)
    >>> strength, f0 = measure_periodicity(tone[None])
    >>> f"{float(strength):.2f} {float(f0):.0f} Hz"
    '1.00 200 Hz'
    """
    if not 3 / _FRAME_SECONDS <= floor_hz < ceiling_hz < sample_rate / 4:
        raise ValueError(
            f"floor_hz and ceiling_hz: expected {3 / _FRAME_SECONDS:g} <= floor_hz < ceiling_hz < "
            f"{sample_rate / 4:g} Hz, but got {floor_hz} and {ceiling_hz}"
        )
    length, hop = round(_FRAME_SECONDS * sample_rate), round(_HOP_SECONDS * sample_rate)
    waveforms = check_waveforms(waveforms, min_samples=length)
    parts = [
        _frames_periodicity(part.unfold(1, length, hop), sample_rate, floor_hz, ceiling_hz)
        for part in waveforms.float().split(256)
    ]
    strength, f0 = (torch.cat(values) for values in zip(*parts, strict=True))
    voiced = strength > _VOICED
    median = torch.where(voiced, f0, math.nan).nanmedian(dim=1).values
    return Periodicity(
        strength.mean(dim=1), torch.where(voiced.sum(dim=1) >= _LEAST_VOICED, median, math.nan)
    )


def periodicity_tracks(
    waveforms: torch.Tensor, sample_rate: int = 16000, floor_hz: float = 75.0, ceiling_hz: float = 400.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `measure_periodicity()`, frame by frame.

    Arguments
    ---------
    waveforms, sample_rate, floor_hz, ceiling_hz
        As there.

    Returns
    -------
    strength, f0 : torch.Tensor
        ``(batch, frames)`` each, a frame every 10 ms; the second in Hz, also where nothing is voiced.

    Example
    -------
    >>> strength, f0 = periodicity_tracks(torch.sin(2 * math.pi * 200 * torch.arange(2048) / 16000)[None])
    >>> strength.shape, f0.round().unique().tolist()
    (torch.Size([1, 9]), [200.0])
    """
    length, hop = round(_FRAME_SECONDS * sample_rate), round(_HOP_SECONDS * sample_rate)
    frames = check_waveforms(waveforms, min_samples=length).float().unfold(1, length, hop)
    return _frames_periodicity(frames, sample_rate, floor_hz, ceiling_hz)


def _frames_periodicity(
    frames: torch.Tensor, sample_rate: int, floor_hz: float, ceiling_hz: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Strength and pitch of each frame, ``(batch, frames)``, of ``(batch, frames, time)``."""
    length = frames.shape[2]
    window = torch.hann_window(length, device=frames.device)
    frames = (frames - frames.mean(dim=2, keepdim=True)) * window
    lags = torch.arange(
        int(sample_rate / ceiling_hz) - 1, math.ceil(sample_rate / floor_hz) + 2, device=frames.device
    )
    longest = int(lags[-1])
    size = 2 ** math.ceil(math.log2(length + longest))  # none of the lags wraps round
    own = torch.fft.irfft(torch.fft.rfft(frames, size).abs().square(), size)
    window = torch.fft.irfft(torch.fft.rfft(window, size).abs().square(), size)
    energy = own[..., :1]
    audible = energy > 1e-12  # -120 dB: below lies rounding
    # What is left at long lags has to stay within the range of a correlation.
    r = torch.where(audible, own[..., lags] / energy.clamp(min=1e-12), 0.0) / (window[lags] / window[0])
    inner = r[..., 1:-1]
    peak = (inner >= r[..., :-2]) & (inner > r[..., 2:])
    score = torch.where(peak, inner - _OCTAVE_COST * torch.log2(floor_hz * lags[1:-1] / sample_rate), -9.0)
    best, index = score.max(dim=-1)
    before, at, after = (r.gather(-1, (index + k).unsqueeze(-1)).squeeze(-1) for k in range(3))
    # The vertex of the parabola through a peak and its neighbours.
    curvature = (before - 2 * at + after).clamp(max=-1e-9)
    shift = (0.5 * (before - after) / curvature).clamp(-0.5, 0.5)
    strength = torch.where(best > -9.0, at.clamp(0.0, 1.0), 0.0)
    return strength, sample_rate / (lags[1:-1][index] + shift)


def wasserstein_1d(a: torch.Tensor, b: torch.Tensor) -> float:
    """Wasserstein-1 distance of two samples of a number: the area between their distribution functions.

    Arguments
    ---------
    a, b : torch.Tensor
        Values ``(n,)`` and ``(m,)``; NaN are left out.

    Returns
    -------
    float
        In the values' unit; NaN if either sample is empty.

    Example
    -------
    >>> wasserstein_1d(torch.tensor([0.0, 1.0]), torch.tensor([5.0, 6.0, 5.0, 6.0]))
    5.0
    """
    a, b = (x[~x.isnan()].double().sort().values for x in (a, b))
    if not (len(a) and len(b)):
        return math.nan
    points = torch.cat([a, b]).sort().values
    shares = [torch.searchsorted(x, points[:-1], right=True) / len(x) for x in (a, b)]
    return float(((shares[0] - shares[1]).abs().double() * points.diff()).sum())
