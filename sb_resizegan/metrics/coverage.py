"""Fidelity and variety apart: precision, recall, density, coverage, and the kernel distance.

Source
------
T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", NeurIPS 2019;
M. F. Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020 (density and
coverage); M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018 (kernel distance, KID).
"""

from typing import NamedTuple

import torch

from sb_resizegan.metrics.distribution import log_mel_features

__all__ = ["Coverage", "kernel_distance", "measure_coverage", "standard_features"]


# Nepers. Above the band of low-passed speech real windows hardly differ from the floor, nor from one
# another: standardised by so small a spread, what nobody hears would outweigh all that lies in the band.
_LEAST_SPREAD = 0.5


class Coverage(NamedTuple):
    """Whether generated windows lie among real ones, and real ones among generated ones."""

    precision: float
    """Share of generated windows within the reach of some real one."""

    recall: float
    """Share of real windows within the reach of some generated one."""

    density: float
    """Real windows within whose reach a generated one lies, over the number of neighbours; may exceed 1."""

    coverage: float
    """Share of real windows with a generated one within their own reach."""


def standard_features(
    waveforms: torch.Tensor, reference: torch.Tensor, sample_rate: int = 16000
) -> tuple[torch.Tensor, torch.Tensor]:
    """The embedding of these measures: log-mel features, each standardised by the reference's.

    `log_mel_features()` with 32 bands: the mean and the standard deviation over time of each band, less the
    reference's mean, over its standard deviation or half a neper, 4 dB, whichever is more.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, full scale 1.
    reference : torch.Tensor
        Real windows ``(batch', time)``, at least two.
    sample_rate : int
        In Hz.

    Returns
    -------
    tuple of torch.Tensor
        ``(batch, 64)`` and ``(batch', 64)``, float64.

    Example
    -------
    >>> [x.shape for x in standard_features(torch.randn(3, 2048), torch.randn(5, 2048))]
    [torch.Size([3, 64]), torch.Size([5, 64])]
    """
    own, real = (log_mel_features(x, sample_rate) for x in (waveforms, reference))
    mean, scale = real.mean(dim=0), real.std(dim=0).clamp(min=_LEAST_SPREAD)
    return (own.to(real.device) - mean) / scale, (real - mean) / scale


def measure_coverage(features: torch.Tensor, reference: torch.Tensor, neighbours: int = 5) -> Coverage:
    """Precision, recall, density and coverage.

    The reach of a point is its distance to its ``neighbours``-th nearest neighbour of its own set. The first
    points of each set are taken, as many of either.

    Arguments
    ---------
    features : torch.Tensor
        Of generated windows, ``(batch, features)``.
    reference : torch.Tensor
        Of real windows, ``(batch', features)``.
    neighbours : int
        Number of neighbours, below the size of either set.

    Returns
    -------
    Coverage
        For two sets of one distribution: precision, recall and coverage near 1, density near 1.

    Raises
    ------
    ValueError
        If a set is too small.

    Example
    -------
    >>> rng = torch.Generator().manual_seed(0)
    >>> real, same = torch.randn(2, 500, 4, generator=rng).double()
    >>> collapsed = same[:1].expand(500, -1) + 0.01 * same
    >>> measure_coverage(same, real).coverage > 0.9, measure_coverage(collapsed, real).coverage < 0.1
    (True, True)
    """
    size = min(len(features), len(reference))
    if not 0 < neighbours < size:
        raise ValueError(f"neighbours: expected 1 to {size - 1} for sets of {size}, but got {neighbours}")
    own, real = features[:size], reference[:size].to(features.device)
    # The nearest neighbour of a point is itself.
    own_reach, real_reach = (torch.cdist(x, x).kthvalue(neighbours + 1, dim=1).values for x in (own, real))
    distance = torch.cdist(real, own)
    near_real = distance < real_reach[:, None]
    return Coverage(
        precision=float(near_real.any(dim=0).double().mean()),
        recall=float((distance < own_reach).any(dim=1).double().mean()),
        density=float(near_real.double().sum(dim=0).mean()) / neighbours,
        coverage=float(near_real.any(dim=1).double().mean()),
    )


def kernel_distance(features: torch.Tensor, reference: torch.Tensor) -> float:
    """Kernel distance (KID): the unbiased squared maximum mean discrepancy of a cubic polynomial kernel.

    Unlike the Fréchet distance it is not biased in small samples: for two sets of one distribution its mean
    is zero, and single values may be negative.

    Arguments
    ---------
    features, reference : torch.Tensor
        ``(batch, features)`` and ``(batch', features)``, at least two each.

    Returns
    -------
    float
        Without unit.

    Raises
    ------
    ValueError
        If a set has fewer than two points.

    Example
    -------
    >>> rng = torch.Generator().manual_seed(0)
    >>> a, b = torch.randn(2, 500, 4, generator=rng).double()
    >>> abs(kernel_distance(a, b)) < 0.1 < kernel_distance(a + 1, b)
    True
    """
    if len(features) < 2 or len(reference) < 2:
        raise ValueError(f"expected at least 2 points in each set, but got {len(features)}, {len(reference)}")
    reference = reference.to(features)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: torch.Tensor) -> torch.Tensor:
        matrix = kernel(x, x)
        return (matrix.sum() - matrix.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(features) + within(reference) - 2 * kernel(features, reference).mean())
