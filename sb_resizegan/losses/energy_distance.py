"""Generalised spectral energy distance: a distance of distributions that needs no critic.

Source
------
A. A. Gritsenko et al., "A spectral energy distance for parallel speech synthesis", NeurIPS 2020 (arXiv
2008.01160), equations 3 to 6; G. J. Székely and M. L. Rizzo, "Energy statistics", J. Statistical Planning and
Inference 143, 2013, for the distance over all pairs.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from sb_resizegan.utils.checks import check_integer, check_positive

__all__ = ["SpectralEnergyDistance"]


class SpectralEnergyDistance(nn.Module):
    """Energy distance between distributions of signals, with a distance of multi-scale spectrograms.

    With ``d`` the distance of two signals, ``x`` real and ``y``, ``y'`` two independent draws of the
    generator, the expectation of ``2 d(x, y) - d(y, y')`` is smallest where the generated distribution is the
    real one: a proper scoring rule, and its gradient is unbiased on minibatches. The second term drives draws
    apart; without it they would all be the median of the data.

    ``d`` adds, over scales and frames, Euclidean distances of magnitude spectra (over their level) and of
    their logarithms. Euclidean norms are of negative type, which the theory needs, and are computed for all
    pairs of a batch by matrix products; the source takes the sum of absolute values for the magnitudes.

    Two forms:

    * `forward()` for conditional models: a real signal and two draws for the same condition,
    * `over_batch()` for models without condition: all pairs of a real and a generated batch, which uses
      each signal as often as there are others.

    Arguments
    ---------
    scales : sequence of int
        Lengths of the spectra in samples, each at least 4; frames advance by a quarter.
    level : float
        Amplitude to which magnitudes are related: a typical one of the signals.
    floor_db : float
        Added to magnitudes before the logarithm, in dB relative to full scale.
    log_weight : float
        Weight of the logarithms beside the magnitudes.
    max_hz : float, optional
        The highest frequency that counts, in Hz; all by default. For a generator whose output cannot reach
        above a band it saves most of the cost.
    sample_rate : int
        In Hz; only ``max_hz`` needs it.

    Raises
    ------
    ValueError
        For no scale, a scale below 4, or a level or a frequency that is not above 0.

    Example
    -------
    >>> distance = SpectralEnergyDistance(scales=(64, 256))
    >>> real, first, second = torch.randn(3, 8, 1024, generator=torch.Generator().manual_seed(0))
    >>> distance(real, first, second).shape
    torch.Size([8])
    >>> bool(distance.over_batch(real, 3 * first) > distance.over_batch(real, first))
    True
    """

    def __init__(
        self,
        scales: Sequence[int] = (128, 512, 2048),
        level: float = 0.01,
        floor_db: float = -60.0,
        log_weight: float = 1.0,
        max_hz: float | None = None,
        sample_rate: int = 16000,
    ) -> None:
        super().__init__()
        if not scales:
            raise ValueError("scales: expected at least one length in samples, but got none")
        if not level > 0:
            raise ValueError(f"level: expected an amplitude above 0, but got {level}")
        self.scales = tuple(check_integer("scales", scale, minimum=4) for scale in scales)
        self.level = level
        self.floor = 10 ** (floor_db / 20)
        self.log_weight = log_weight
        top = sample_rate / 2 if max_hz is None else min(check_positive("max_hz", max_hz), sample_rate / 2)
        for scale in self.scales:
            basis = _transform(scale, int(top * scale / sample_rate) + 1)
            self.register_buffer(f"basis_{scale}", basis, persistent=False)

    def forward(self, real: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Distance of each example, from two draws.

        Arguments
        ---------
        real : torch.Tensor
            ``(batch, time)``, ``time`` at least the longest scale.
        first, second : torch.Tensor
            Independent draws of the generator for the same condition, ``(batch, time)``.

        Returns
        -------
        torch.Tensor
            ``(batch,)``: ``d(real, first) + d(real, second) - d(first, second)``.
        """
        total = torch.zeros(len(real), device=real.device)
        spectra = [self._spectra(x) for x in (real, first, second)]
        for x, y, other in zip(*spectra, strict=True):
            total = total + _norm(x - y) + _norm(x - other) - _norm(y - other)
        return total / len(spectra[0])

    def over_batch(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """Distance of two batches, over all pairs.

        Arguments
        ---------
        real, fake : torch.Tensor
            ``(batch, time)`` and ``(batch', time)`` with ``batch'`` at least 2.

        Returns
        -------
        torch.Tensor
            Without dimension: the mean of ``2 d(real, fake)`` less that of ``d(fake, fake')``. What real
            signals differ by among themselves is constant and left out.
        """
        count = len(fake)
        if count < 2:
            raise ValueError(f"fake: expected at least 2 signals, but got {count}")
        total = torch.zeros((), device=real.device)
        spectra = [self._spectra(x) for x in (real, fake)]
        for x, y in zip(*spectra, strict=True):
            # The diagonal, a signal's distance to itself, is zero.
            own = _pairwise(y, y).mean() * (count / (count - 1))
            total = total + 2 * _pairwise(x, y).mean() - own
        return total / len(spectra[0])

    def _spectra(self, signals: torch.Tensor) -> list[torch.Tensor]:
        """Magnitudes and logarithms of each scale, ``(batch, frames, bins)``, scaled by the root of bins."""
        features = []
        with torch.autocast(signals.device.type, enabled=False):
            signals = signals.float()
            for scale in self.scales:
                basis = self.get_buffer(f"basis_{scale}").to(signals)
                spectrum = signals.unfold(1, scale, scale // 4) @ basis
                # The root of zero has an infinite slope; the floor keeps away from it.
                power = spectrum.unflatten(2, (2, -1)).square().sum(dim=2)
                magnitude = (power + self.floor**2).sqrt()
                unit = 1 / math.sqrt(magnitude.shape[2])
                features.append(magnitude * (unit / self.level))
                features.append(torch.log(magnitude) * (unit * self.log_weight))
        return features


def _transform(scale: int, bins: int) -> torch.Tensor:
    """Windowed Fourier transform of frames of ``scale`` samples as a matrix ``(scale, 2 * bins)``.

    A product of matrices is cheaper than a fast transform where a part of the bins is wanted, and so is its
    derivative.
    """
    window = torch.hann_window(scale, dtype=torch.float64)
    samples = torch.arange(scale, dtype=torch.float64)
    phase = 2 * math.pi / scale * samples[:, None] * torch.arange(bins, dtype=torch.float64)
    return (torch.cat([phase.cos(), -phase.sin()], dim=1) * (window * 2 / window.sum())[:, None]).float()


def _norm(difference: torch.Tensor) -> torch.Tensor:
    """Mean over frames of the norms over bins: ``(batch, frames, bins)`` to ``(batch,)``."""
    return (difference.square().sum(dim=2) + 1e-12).sqrt().mean(dim=1)


def _pairwise(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean over frames of the norms of all differences: to ``(batch, batch')``."""
    a, b = a.transpose(0, 1), b.transpose(0, 1)  # (frames, batch, bins)
    with torch.autocast(a.device.type, enabled=False):
        squares = a.square().sum(dim=2)[:, :, None] + b.square().sum(dim=2)[:, None]
        squared = squares - 2 * a @ b.transpose(1, 2)
        # Rounding leaves little where nothing should be; its root would have a steep slope.
        small = 1e-6 * squares.detach()
        return torch.where(squared > small, squared.clamp(min=1e-12), 1e-12).sqrt().mean(dim=0)
