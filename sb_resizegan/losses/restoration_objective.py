"""The objective of a generator that restores, apart from its critic.

Where nothing was lost there is one right answer, and a distance from it; where something was, there are many,
and the energy distance of two draws, a proper scoring rule, which is least if the draws are distributed as
the answers are.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from sb_resizegan.losses.energy_distance import SpectralEnergyDistance
from sb_resizegan.utils.checks import check_positive

__all__ = ["RESTORATION_TERMS", "RestorationObjective"]

RESTORATION_TERMS = ("energy", "kept", "gate")
N_FFT, HOP = 512, 256
FLOOR = 1e-4
QUIETEST = 1e-5
# RMS at which the energy distance gets its signals: what its own levels are meant for.
LEVEL = 0.05


class RestorationObjective:
    """Weighted sum of what a restoration is measured by.

    - ``energy``: `SpectralEnergyDistance` of two draws from the clean speech. Of a deterministic generator
      both draws are one, and what is left is twice the distance itself: a regression in the same measure.
    - ``kept``: mean square difference of the compressed complex spectra, outside what was lost.
    - ``gate``: cross entropy of the generator's second gate and the mask of what was lost.

    Signals are divided by the clean speech's RMS first.

    Arguments
    ---------
    energy, kept, gate : float
        The weights, at least 0, one of them above.
    scales : sequence of int
        Of the energy distance, in samples.
    bands_hz : sequence of float, optional
        Of the energy distance.
    compression : float
        Exponent of the magnitudes of ``kept``, above 0.
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        For an argument out of range.

    Example
    -------
    >>> objective = RestorationObjective(scales=(64, 256))
    >>> clean, first, second = torch.randn(3, 2, 8000)
    >>> lost = torch.zeros(2, 257, 33)
    >>> value, figures = objective(first, second, clean, lost, torch.zeros(2, 256, 33))
    >>> value.shape, sorted(figures)
    (torch.Size([]), ['energy', 'gate', 'kept'])
    """

    def __init__(
        self,
        energy: float = 1.0,
        kept: float = 3.0,
        gate: float = 0.3,
        scales: Sequence[int] = (128, 512, 2048),
        bands_hz: Sequence[float] | None = None,
        compression: float = 0.3,
        sample_rate: int = 16000,
    ) -> None:
        weights = dict(zip(RESTORATION_TERMS, (energy, kept, gate), strict=True))
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise ValueError(f"{name}: expected a weight of at least 0, but got {weight!r}")
        self.weights = {name: weight for name, weight in weights.items() if weight}
        if not self.weights:
            raise ValueError(f"expected a weight above 0 for one of {list(RESTORATION_TERMS)}, but all are 0")
        self.compression = check_positive("compression", compression)
        self.distance = SpectralEnergyDistance(scales, sample_rate=sample_rate, bands_hz=bands_hz)

    def __call__(
        self,
        first: torch.Tensor,
        second: torch.Tensor,
        clean: torch.Tensor,
        lost: torch.Tensor,
        missing: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The objective.

        Arguments
        ---------
        first, second : torch.Tensor
            Two draws, ``(batch, time)``; the same tensor of a deterministic generator.
        clean : torch.Tensor
            ``(batch, time)``, as long as the longest scale at least.
        lost : torch.Tensor
            ``(batch, bins, frames)``, 0 to 1.
        missing : torch.Tensor
            The gate before its sigmoid, ``(batch, bins - 1, frames)``.

        Returns
        -------
        value : torch.Tensor
            Without dimension.
        figures : dict of str to torch.Tensor
            Each term without its weight, detached.

        Raises
        ------
        ValueError
            For shapes that do not fit together.
        """
        if not (first.shape == second.shape == clean.shape) or clean.dim() != 2:
            raise ValueError(
                "expected two draws and clean speech of one shape (batch, time), but got "
                f"{tuple(first.shape)}, {tuple(second.shape)} and {tuple(clean.shape)}"
            )
        scale = clean.float().square().mean(1, keepdim=True).sqrt().clamp_min(QUIETEST)
        is_one = second is first
        first, second, clean = (x.float() / scale for x in (first, second, clean))
        terms = {}
        if "energy" in self.weights:
            distance = self.distance.to(clean.device)
            terms["energy"] = distance(*(LEVEL * x for x in (clean, first, second))).mean()
        if "kept" in self.weights:
            draws = [first] if is_one else [first, second]
            terms["kept"] = torch.stack([self._kept(draw, clean, lost) for draw in draws]).mean()
        if "gate" in self.weights:
            target = lost[:, : missing.shape[1]].to(missing)
            terms["gate"] = F.binary_cross_entropy_with_logits(missing, target)
        value = sum((self.weights[name] * term for name, term in terms.items()), start=clean.new_zeros(()))
        return value, {name: term.detach() for name, term in terms.items()}

    def _kept(self, draw: torch.Tensor, clean: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
        spectra = [self._compressed(signal) for signal in (draw, clean)]
        whole = (1 - lost).to(draw).unsqueeze(3)
        return (whole * torch.sub(*spectra).square()).sum() / (whole.sum() + 1)

    def _compressed(self, signal: torch.Tensor) -> torch.Tensor:
        """``(batch, bins, frames, 2)`` on the grid of the masks."""
        window = torch.hann_window(N_FFT, device=signal.device).sqrt()
        padded = F.pad(signal, (0, -signal.shape[1] % HOP))
        spectrum = torch.stft(padded, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        pairs = torch.view_as_real(spectrum / math.sqrt(N_FFT))
        magnitude = (pairs.square().sum(3, keepdim=True) + FLOOR**2).sqrt()
        return pairs * magnitude.pow(self.compression - 1)
