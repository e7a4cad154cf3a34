"""Moments of activity of many recordings, some of which may be likelier than others."""

from collections.abc import Mapping

import numpy as np

__all__ = ["ActiveMoments"]


class ActiveMoments:
    """All samples that lie in active regions of some recordings, one after the other.

    Held are 12 bytes for each region, and the regions themselves where they lie, in a mapped file as a rule.

    Arguments
    ---------
    index : mapping of str to numpy.ndarray
        ``regions``, first sample and end of each, ``(regions, 2)``; and ``region_owners``, the number of each
        region's recording, in ascending order.
    chosen : numpy.ndarray
        Numbers of the recordings that count, in their new order.
    weights : numpy.ndarray, optional
        For each recording of the index, what to multiply the probability of its moments with, above 0.

    Example
    -------
    >>> index = {"regions": np.array([[0, 10], [5, 15]]), "region_owners": np.array([0, 1])}
    >>> moments = ActiveMoments(index, np.array([0, 1]), np.array([1.0, 3.0]))
    >>> moments.locate(0.2), moments.locate(0.5)
    ((0, 8), (1, 8))
    """

    def __init__(
        self, index: Mapping[str, np.ndarray], chosen: np.ndarray, weights: np.ndarray | None = None
    ) -> None:
        self._index, self._weights = index, weights
        self._chosen = chosen
        ordered = bool((chosen[1:] > chosen[:-1]).all())
        self._sorter = None if ordered else np.argsort(chosen).astype(np.int32)
        owners = index["region_owners"]
        is_chosen = np.zeros(int(max(owners.max(initial=-1), chosen.max(initial=-1))) + 1, dtype=bool)
        is_chosen[chosen] = True
        self._regions = np.flatnonzero(is_chosen[owners]).astype(np.int32)
        counts = np.diff(index["regions"])[self._regions, 0]
        likely = counts if weights is None else counts * weights[owners[self._regions]]
        self._ends = np.cumsum(likely, dtype=np.float64)

    def locate(self, place: float) -> tuple[int, int]:
        """Finds a moment by its place among all, from 0 up to, but not including, 1.

        Arguments
        ---------
        place : float
            Uniform, if each moment shall be as likely as its weight says.

        Returns
        -------
        tuple of int
            The recording, by its place among the chosen ones, and a sample of it.
        """
        weighted = place * float(self._ends[-1])
        # Rounding must not lead behind the last region, or before the first sample of any.
        found = min(int(np.searchsorted(self._ends, weighted, side="right")), len(self._ends) - 1)
        region = self._regions[found]
        owner = self._index["region_owners"][region]
        first, last = (int(end) for end in self._index["regions"][region])
        weight = 1.0 if self._weights is None else float(self._weights[owner])
        back = int(np.floor((weighted - float(self._ends[found])) / weight))
        return self._number(owner), last + max(back, first - last)

    def samples(self) -> np.ndarray:
        """For each of the chosen recordings, how many samples are active."""
        counts = np.diff(self._index["regions"])[self._regions, 0]
        owners = self._index["region_owners"][self._regions]
        return np.bincount(owners, counts, minlength=int(self._chosen.max()) + 1)[self._chosen]

    def _number(self, owner: int) -> int:
        """The place of a recording among the chosen ones."""
        place = int(np.searchsorted(self._chosen, owner, sorter=self._sorter))
        return place if self._sorter is None else int(self._sorter[place])
