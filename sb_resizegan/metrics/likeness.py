"""How like real speech generated windows are, as one row: classifier, voicing, pitch, fidelity, variety."""

import torch

from sb_resizegan.metrics.coverage import kernel_distance, measure_coverage, standard_features
from sb_resizegan.metrics.measures import reference_column
from sb_resizegan.metrics.periodicity import measure_periodicity, wasserstein_1d
from sb_resizegan.metrics.two_sample import classifier_two_sample

__all__ = ["FEWEST_WINDOWS", "likeness_with_floor", "measure_likeness"]

FEWEST_WINDOWS = 10  # of either set: two for each fold of the classifier
_INTERVAL = ("c2st_auc_low", "c2st_auc_high")


def measure_likeness(
    waveforms: torch.Tensor, reference: torch.Tensor, sample_rate: int = 16000
) -> dict[str, float]:
    """Measures of likeness, from as many windows of either set: the first ones.

    Arguments
    ---------
    waveforms : torch.Tensor
        Generated windows ``(batch, time)``, full scale 1, at least ten of 48 ms.
    reference : torch.Tensor
        Real windows ``(batch', time)``.
    sample_rate : int
        In Hz.

    Returns
    -------
    dict of str to float
        ``c2st_auc`` of `classifier_two_sample()` with the ends of its 95 % confidence interval,
        ``c2st_auc_low`` and ``c2st_auc_high``; ``voicing``, the mean strength of voicing; ``voicing_w1`` and
        ``f0_w1``, Wasserstein-1 distances of the distributions of that strength and of F0 in Hz (NaN without
        a voiced window); ``precision``, ``recall``, ``density``, ``coverage``; ``kernel_distance``.

    Example
    -------
    >>> list(measure_likeness(torch.randn(12, 2048), torch.randn(12, 2048)))[:3]
    ['c2st_auc', 'c2st_auc_low', 'c2st_auc_high']
    """
    size = min(len(waveforms), len(reference))
    waveforms, reference = waveforms[:size], reference[:size]
    area = classifier_two_sample(waveforms, reference)
    own, real = (measure_periodicity(x, sample_rate) for x in (waveforms, reference))
    features = standard_features(waveforms, reference, sample_rate)
    return {
        "c2st_auc": area.value,
        "c2st_auc_low": area.interval[0],
        "c2st_auc_high": area.interval[1],
        "voicing": float(own.strength.mean()),
        "voicing_w1": wasserstein_1d(own.strength, real.strength),
        "f0_w1": wasserstein_1d(own.f0, real.f0),
        **measure_coverage(*features)._asdict(),
        "kernel_distance": kernel_distance(*features),
    }


def likeness_with_floor(
    waveforms: torch.Tensor,
    reference: torch.Tensor,
    sample_rate: int = 16000,
    other: torch.Tensor | None = None,
    floor: dict[str, float] | None = None,
) -> dict[str, float]:
    """`measure_likeness()` beside what real windows have in the place of generated ones.

    Arguments
    ---------
    waveforms : torch.Tensor
        Generated windows ``(batch, time)``.
    reference : torch.Tensor
        Real windows ``(batch', time)``.
    sample_rate : int
        In Hz.
    other : torch.Tensor, optional
        Real windows of other files, which take the place of generated ones for the floor. Without them the
        reference is halved: the first half is compared with, the second takes their place.
    floor : dict, optional
        An earlier row with the same real windows, whose floors are taken instead of computed.

    Returns
    -------
    dict of str to float
        The measures, and each again with ``_floor`` behind its name.

    Example
    -------
    >>> row = likeness_with_floor(torch.randn(12, 2048), torch.randn(24, 2048))
    >>> "coverage_floor" in row, "f0_w1_floor" in row, "c2st_auc_high_floor" in row
    (True, True, False)
    """
    if other is None:
        reference, other = reference[: len(reference) // 2], reference[len(reference) // 2 :]
    size = min(len(waveforms), len(reference), len(other))
    row = measure_likeness(waveforms[:size], reference[:size], sample_rate)
    columns = {name: reference_column(name) for name in row if name not in _INTERVAL}
    if floor is None:
        real = measure_likeness(other[:size], reference[:size], sample_rate)
        floor = {column: real[name] for name, column in columns.items()}
    return {**row, **{column: floor[column] for column in columns.values()}}
