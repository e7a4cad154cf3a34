"""Measures of restored speech where something was lost: how far off, how varied, and whether it knows.

All of them take masks on the grid of `sb_resizegan.augment.lost_information`: ``(bins, frames)``, 0 where
everything was there and 1 where nothing was.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

__all__ = [
    "HALF",
    "HARDLY",
    "interval_coverage",
    "log_spectrum_db",
    "lost_distance_db",
    "mean_of",
    "nominal_coverage",
    "rank_correlation",
    "spread_db",
    "spread_map_db",
]

N_FFT, HOP = 512, 256
# What lies so far below the loudest bin is as good as silent.
RANGE_DB = 60.0
FAINTEST = 1e-10
# A bin counts as lost where more than half of it is, and as kept where hardly anything is; what lies between,
# the frames at the edges of gaps, counts as neither.
HALF, HARDLY = 0.5, 0.01


def log_spectrum_db(signals: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
    """Magnitudes in dB, flattened 60 dB below the loudest bin.

    Arguments
    ---------
    signals : torch.Tensor
        ``(…, time)``.
    reference : torch.Tensor, optional
        ``(…, time)``, whose loudest bin counts; that of each signal by default.

    Returns
    -------
    torch.Tensor
        ``(…, bins, frames)``, relative to full scale.

    Example
    -------
    >>> log_spectrum_db(torch.ones(2, 3, 1000)).shape
    torch.Size([2, 3, 257, 5])
    """
    power = _power(signals)
    loudest = (power if reference is None else _power(reference)).amax((-2, -1), keepdim=True)
    floor = loudest.clamp_min(FAINTEST) * 10 ** (-RANGE_DB / 10)
    return 10 * torch.log10(torch.maximum(power, floor))


def lost_distance_db(clean: torch.Tensor, restored: torch.Tensor, lost: torch.Tensor) -> float:
    """Log-spectral distance within what was lost: root mean square over bins, mean over frames.

    Of the mask ``lost <= HARDLY`` it is that of what was kept.

    Arguments
    ---------
    clean, restored : torch.Tensor
        ``(time,)``.
    lost : torch.Tensor
        ``(bins, frames)``.

    Returns
    -------
    float
        In dB; NaN where nothing was lost.

    Example
    -------
    >>> clean, lost = torch.randn(4000), torch.ones(257, 17)
    >>> round(lost_distance_db(clean, clean / 2, lost), 2), lost_distance_db(clean, clean, 0 * lost)
    (6.02, nan)
    """
    difference = log_spectrum_db(clean, clean) - log_spectrum_db(restored, clean)
    inside = (lost > HALF).to(difference)
    counts = inside.sum(0)
    frames = ((inside * difference.square()).sum(0) / counts.clamp_min(1)).sqrt()
    return float(frames[counts > 0].mean())


def spread_db(draws: torch.Tensor, lost: torch.Tensor) -> tuple[float, float]:
    """How far draws differ, within what was lost and where nothing was, relative to the level there.

    Arguments
    ---------
    draws : torch.Tensor
        ``(draws, time)``, at least two.
    lost : torch.Tensor
        ``(bins, frames)``.

    Returns
    -------
    tuple of float
        Inside and outside, in dB: the mean squared difference of two draws over their mean power, both summed
        over the region. −∞ where all draws are the same, NaN where a region is empty or silent.

    Example
    -------
    >>> draws = torch.randn(4, 16000)
    >>> inside, outside = spread_db(draws, torch.ones(257, 64))
    >>> round(inside), outside
    (3, nan)
    """
    spectra = _spectrum(draws)
    # Twice the variance is the mean squared difference; about the first draw it is 0 if all are equal.
    variance = torch.view_as_real(spectra - spectra[:1]).var(dim=0).sum(-1)
    power = spectra.abs().square().mean(0)
    inside = lost > HALF
    levels = []
    for region in (inside, lost <= HARDLY):
        ratio = float(2 * variance[region].sum() / power[region].sum())
        levels.append(10 * math.log10(ratio) if ratio > 0 else -math.inf if ratio == 0 else math.nan)
    return levels[0], levels[1]


def spread_map_db(draws: torch.Tensor) -> torch.Tensor:
    """Standard deviation over draws of each bin's magnitude in dB.

    Arguments
    ---------
    draws : torch.Tensor
        ``(draws, …, time)``, at least two.

    Returns
    -------
    torch.Tensor
        ``(…, bins, frames)``, in dB; 0 where all draws are the same.

    Example
    -------
    >>> spread_map_db(torch.ones(3, 2, 1000)).shape
    torch.Size([2, 257, 5])
    """
    loudest = _power(draws).mean(0).amax((-2, -1), keepdim=True).clamp_min(FAINTEST)
    floor = loudest * 10 ** (-RANGE_DB / 10)
    levels = 10 * torch.log10(torch.maximum(_power(draws), floor))
    return (levels - levels[:1]).std(dim=0)


def rank_correlation(first: torch.Tensor | np.ndarray, second: torch.Tensor | np.ndarray) -> float:
    """Spearman's rank correlation, ties at the mean of their ranks.

    Arguments
    ---------
    first, second : torch.Tensor or numpy.ndarray
        As many numbers each.

    Returns
    -------
    float
        −1 to 1; NaN for fewer than two numbers or where all of one side are the same.

    Example
    -------
    >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 4.0, 9.0]))
    1.0
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(side).ravel()) for side in (first, second)]
    if len(ranks[0]) != len(ranks[1]):
        raise ValueError(f"expected as many numbers, but got {len(ranks[0])} and {len(ranks[1])}")
    centred = [side - side.mean() if len(side) else side for side in ranks]
    norm = math.sqrt(float(np.dot(centred[0], centred[0]) * np.dot(centred[1], centred[1])))
    return round(float(np.dot(*centred)) / norm, 12) if norm else math.nan


def interval_coverage(clean: torch.Tensor, draws: torch.Tensor, lost: torch.Tensor) -> float:
    """How often the truth lies between the lowest and the highest of the draws, within what was lost.

    Arguments
    ---------
    clean : torch.Tensor
        ``(time,)``.
    draws : torch.Tensor
        ``(draws, time)``, at least two.
    lost : torch.Tensor
        ``(bins, frames)``.

    Returns
    -------
    float
        Share of bins whose magnitude in dB does; `nominal_coverage()` if the draws are from the truth's own
        distribution. Bins where the clean speech is 60 dB below its loudest do not count; NaN if none does.

    Example
    -------
    >>> noise = torch.randn(9, 8000, generator=torch.Generator().manual_seed(0))
    >>> round(interval_coverage(noise[0], noise[1:], torch.ones(257, 33)), 1), round(nominal_coverage(8), 1)
    (0.8, 0.8)
    """
    truth, levels = log_spectrum_db(clean), log_spectrum_db(draws, clean)
    counted = (lost > HALF) & (truth > truth.max() - RANGE_DB)
    covered = (truth >= levels.amin(0)) & (truth <= levels.amax(0))
    return float(covered[counted].double().mean())


def nominal_coverage(draws: int) -> float:
    """Probability that one more draw lies between the lowest and the highest of so many.

    Example
    -------
    >>> nominal_coverage(3)
    0.5
    """
    return (draws - 1) / (draws + 1)


def mean_of(values: Sequence[float]) -> float:
    """Mean of the numbers among some figures; NaN without any."""
    numbers = [value for value in values if math.isfinite(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def _spectrum(signals: torch.Tensor) -> torch.Tensor:
    """Spectra in which white noise keeps its RMS: half of a frame's energy passes its window."""
    window = torch.hann_window(N_FFT, device=signals.device).sqrt()
    padded = torch.nn.functional.pad(signals.float(), (0, -signals.shape[-1] % HOP))
    spectrum = torch.stft(
        padded.flatten(0, -2) if padded.dim() > 1 else padded[None],
        N_FFT, HOP, window=window, pad_mode="constant", return_complex=True,
    ) / math.sqrt(N_FFT / 2)  # fmt: skip
    return spectrum.unflatten(0, signals.shape[:-1]) if signals.dim() > 1 else spectrum[0]


def _power(signals: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(_spectrum(signals)).square().sum(-1)
