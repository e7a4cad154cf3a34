"""Generalised spectral energy distance: a distance of distributions that needs no critic.

Source
------
A. A. Gritsenko et al., "A spectral energy distance for parallel speech synthesis", NeurIPS 2020 (arXiv
2008.01160), equations 3 to 6; G. J. Székely and M. L. Rizzo, "Energy statistics", J. Statistical Planning and
Inference 143, 2013, for the distance over all pairs.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from sb_resizegan.utils.checks import check_integer, check_positive

__all__ = ["SpectralEnergyDistance"]

# From this length on the fast Fourier transform is faster than a product with a matrix.
_FAST = 256


class SpectralEnergyDistance(nn.Module):
    """Energy distance between distributions of signals, with a distance of multi-scale spectrograms.

    With ``d`` the distance of two signals, ``x`` real and ``y``, ``y'`` two independent draws of the
    generator, the expectation of ``2 d(x, y) - d(y, y')`` is smallest where the generated distribution is the
    real one: a proper scoring rule, and its gradient is unbiased on minibatches. The second term drives draws
    apart; without it they would all be the median of the data.

    ``d`` adds, over scales and frames, Euclidean distances of magnitude spectra (over their level) and of
    their logarithms. Euclidean norms are of negative type, which the theory needs, and are computed for all
    pairs of a batch by matrix products; the source takes the sum of absolute values for the magnitudes.

    A band that holds few bins hardly moves a norm over all of them, however wrong it is. With ``bands_hz``
    the norms of the logarithms of each band are taken beside those of the whole, each over the root of its
    bins, so that each band's own distribution counts as much: a sum of such distances is one too.

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
        In Hz; only frequencies need it.
    bands_hz : sequence of float, optional
        Frequencies, rising, at which the spectrum is cut into bands that count beside the whole, in Hz; none
        by default. Scales below 256 samples, which hardly resolve bands, have none.

    Raises
    ------
    ValueError
        For no scale, a scale below 4, a level or a frequency that is not above 0, or bands that don't rise.

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
        bands_hz: Sequence[float] | None = None,
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
        edges = [check_positive("bands_hz", edge) for edge in bands_hz or ()]
        if edges != sorted(set(edges)):
            raise ValueError(f"bands_hz: expected rising frequencies, but got {edges}")
        self.parts: dict[int, list[slice]] = {}
        for scale in self.scales:
            bins = int(top * scale / sample_rate) + 1
            self.parts[scale] = [slice(0, bins)]
            if edges and scale >= _FAST:
                self.parts[scale] += _bands(bins, [edge * scale / sample_rate for edge in edges])
            basis = _transform(scale, bins) if scale < _FAST else torch.hann_window(scale) * (4 / scale)
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
        """Of each scale the magnitudes and each part's logarithms, over the root of its bins.

        Each is ``(batch, frames, bins)``.
        """
        features = []
        with torch.autocast(signals.device.type, enabled=False):
            signals = signals.float()
            for scale, parts in self.parts.items():
                basis = self.get_buffer(f"basis_{scale}").to(signals)
                frames = signals.unfold(1, scale, scale // 4)
                if scale < _FAST:
                    spectrum = (frames @ basis).unflatten(2, (2, -1))
                    power = spectrum.square().sum(dim=2)
                else:
                    spectrum = torch.fft.rfft(frames * basis)[..., : parts[0].stop]
                    power = torch.view_as_real(spectrum).square().sum(dim=3)
                # The root of zero has an infinite slope; the floor keeps away from it.
                magnitude = (power + self.floor**2).sqrt()
                logarithm = torch.log(magnitude)
                features.append(magnitude * (1 / math.sqrt(parts[0].stop) / self.level))
                for part in parts:
                    unit = self.log_weight / math.sqrt(part.stop - part.start)
                    features.append(logarithm[..., part] * unit)
        return features


def _bands(bins: int, edges: Sequence[float]) -> list[slice]:
    """What lies between the edges, which are in bins, of so many bins."""
    cuts = [0, *(min(math.ceil(edge), bins) for edge in edges), bins]
    return [slice(start, stop) for start, stop in itertools.pairwise(cuts) if start < stop]


def _transform(scale: int, bins: int) -> torch.Tensor:
    """Windowed Fourier transform of frames of ``scale`` samples as a matrix ``(scale, 2 * bins)``.

    As a product, the derivative is one too.
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
