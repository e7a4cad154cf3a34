"""How the distribution of generated windows compares with that of real speech."""

from typing import NamedTuple

import torch

from sb_resizegan.metrics.spectra import log_mel

__all__ = [
    "GaussianStatistics",
    "frechet_distance",
    "frechet_log_mel",
    "frechet_with_noise_floor",
    "log_mel_features",
    "log_mel_statistics",
]


class GaussianStatistics(NamedTuple):
    """Mean and covariance of features."""

    mean: torch.Tensor
    """``(features,)``, float64, on the CPU."""

    covariance: torch.Tensor
    """``(features, features)``, float64, on the CPU."""


def log_mel_features(waveforms: torch.Tensor, sample_rate: int = 16000, n_mels: int = 32) -> torch.Tensor:
    """Features of a window: mean and standard deviation over time of its log-mel bands.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, full scale 1, ``time`` at least 512.
    sample_rate : int
        Sampling rate in Hz.
    n_mels : int
        Number of mel bands.

    Returns
    -------
    torch.Tensor
        ``(batch, 2 * n_mels)``, float64, in nepers of power.

    Example
    -------
    >>> log_mel_features(torch.rand(10, 2048)).shape
    torch.Size([10, 64])
    """
    mel = log_mel(waveforms, sample_rate, n_mels)
    return torch.cat([mel.mean(dim=2), mel.std(dim=2, unbiased=False)], dim=1)


def log_mel_statistics(
    waveforms: torch.Tensor, sample_rate: int = 16000, n_mels: int = 32
) -> GaussianStatistics:
    """Mean and covariance of `log_mel_features()`.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, full scale 1, at least two. About ten times as many as there are features
        give stable statistics.
    sample_rate : int
        Sampling rate in Hz.
    n_mels : int
        Number of mel bands, half the number of features.

    Returns
    -------
    GaussianStatistics
        Of ``2 * n_mels`` features.

    Raises
    ------
    ValueError
        If there are fewer than two waveforms.

    Example
    -------
    >>> log_mel_statistics(torch.rand(10, 2048)).covariance.shape
    torch.Size([64, 64])
    """
    return _statistics(log_mel_features(waveforms, sample_rate, n_mels))


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """Squared Fréchet distance of two Gaussians.

    Dowson and Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate
    Analysis 12, 1982, equation 4: ``|m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^(1/2))``. The trace of the
    root is computed as the sum of the singular values of ``C_a^(1/2) C_b^(1/2)``, with symmetric roots:
    all values stay real, and covariances of lower rank (of features that don't vary, for instance) need no
    regularisation.

    Arguments
    ---------
    a, b : GaussianStatistics
        Of the same features.

    Returns
    -------
    float
        The squared distance, in squared units of the features, never negative.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.

    Example
    -------
    >>> a = GaussianStatistics(torch.zeros(2), torch.eye(2))
    >>> b = GaussianStatistics(torch.tensor([3.0, 0.0]), 4 * torch.eye(2))
    >>> round(frechet_distance(a, b), 6)   # 3² + 2 (2 - 1)²
    11.0
    """
    for name, statistics in (("a", a), ("b", b)):
        size = a.mean.shape[0]
        if statistics.mean.shape != (size,) or statistics.covariance.shape != (size, size):
            raise ValueError(
                f"{name}: expected a mean of {size} and a covariance of {size} x {size} features, "
                f"but got {tuple(statistics.mean.shape)} and {tuple(statistics.covariance.shape)}"
            )
        if not (torch.isfinite(statistics.mean).all() and torch.isfinite(statistics.covariance).all()):
            raise ValueError(f"{name}: mean or covariance holds NaN or Inf")
    mean = (a.mean.double() - b.mean.double()).square().sum()
    cross = torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum()
    return max(0.0, float(mean + a.covariance.double().trace() + b.covariance.double().trace() - 2 * cross))


def frechet_log_mel(
    waveforms: torch.Tensor, reference: torch.Tensor, sample_rate: int = 16000, n_mels: int = 32
) -> float:
    """Fréchet log-mel distance: `frechet_distance()` of `log_mel_statistics()`.

    It is the construction of the Fréchet inception distance (Heusel et al., NeurIPS 2017) on plain log-mel
    features, so its values cannot be compared with published FIDs or FADs. It grows with the level of what
    lies outside speech's band as well as with missing variety. With few windows it is biased upwards:
    `frechet_with_noise_floor()` gives it together with its size for real data.

    Arguments
    ---------
    waveforms, reference : torch.Tensor
        ``(batch, time)``, full scale 1, at least two windows each, of the same length.
    sample_rate : int
        Sampling rate in Hz.
    n_mels : int
        Number of mel bands.

    Returns
    -------
    float
        In squared nepers.

    Example
    -------
    >>> x = torch.rand(20, 2048)
    >>> frechet_log_mel(x, x) < 1e-9
    True
    """
    return frechet_distance(
        log_mel_statistics(waveforms, sample_rate, n_mels), log_mel_statistics(reference, sample_rate, n_mels)
    )


def frechet_with_noise_floor(
    waveforms: torch.Tensor,
    reference: torch.Tensor,
    sample_rate: int = 16000,
    n_mels: int = 32,
    seed: int = 0,
) -> tuple[float, float]:
    """Fréchet log-mel distance and what it would be for real data, from sets of equal size.

    The reference is shuffled and halved. The floor is the distance of its halves; the distance is the mean
    of those of ``waveforms`` to each half. All sets hold ``min(batch, batch' // 2)`` windows, so that the
    bias of small sets is the same on both sides: give twice as many reference windows as generated ones.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, full scale 1, at least two.
    reference : torch.Tensor
        ``(batch', time)``, real data, at least four.
    sample_rate : int
        Sampling rate in Hz.
    n_mels : int
        Number of mel bands.
    seed : int
        Seed of the shuffling.

    Returns
    -------
    tuple of float
        Distance and noise floor, in squared nepers.

    Example
    -------
    >>> distance, floor = frechet_with_noise_floor(torch.randn(20, 2048), torch.randn(40, 2048))
    >>> distance < 2 * floor
    True
    """
    generated = log_mel_features(waveforms, sample_rate, n_mels).cpu()
    real = log_mel_features(reference, sample_rate, n_mels).cpu()
    size = min(len(generated), len(real) // 2)
    if size < 2:
        raise ValueError(
            f"expected at least 2 waveforms and 4 reference waveforms, "
            f"but got {len(generated)} and {len(real)}"
        )
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(real), generator=rng)
    first, second = (_statistics(real[part]) for part in (order[:size], order[size : 2 * size]))
    own = _statistics(generated[torch.randperm(len(generated), generator=rng)[:size]])
    distance = (frechet_distance(own, first) + frechet_distance(own, second)) / 2
    return distance, frechet_distance(first, second)


def _statistics(features: torch.Tensor) -> GaussianStatistics:
    if len(features) < 2:
        raise ValueError(f"expected at least 2 waveforms for a covariance, but got {len(features)}")
    return GaussianStatistics(features.mean(dim=0).cpu(), torch.cov(features.T).cpu())


def _root(covariance: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(covariance.double())
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
