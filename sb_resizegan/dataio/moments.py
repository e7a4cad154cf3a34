"""Moments of activity of many recordings, some of which may be likelier than others."""

import numpy as np

__all__ = ["ActiveMoments"]


class ActiveMoments:
    """All samples that lie in active regions, one after the other.

    Arguments
    ---------
    regions : numpy.ndarray
        First sample and end of each region, ``(regions, 2)``.
    owners : numpy.ndarray
        Number of each region's recording, ``(regions,)``.
    weights : numpy.ndarray
        What to multiply the probability of each region's moments with, ``(regions,)``, above 0.

    Example
    -------
    >>> moments = ActiveMoments(np.array([[0, 10], [5, 15]]), np.array([0, 1]), np.array([1.0, 3.0]))
    >>> moments.locate(0.2), moments.locate(0.5)
    ((0, 8), (1, 8))
    """

    def __init__(self, regions: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> None:
        self.owners, self.lasts, self.weights = owners, regions[:, 1], weights
        self.counts = regions[:, 1] - regions[:, 0]
        self.ends = np.cumsum(self.counts * weights)

    def locate(self, place: float) -> tuple[int, int]:
        """Finds a moment by its place among all, from 0 up to, but not including, 1.

        Arguments
        ---------
        place : float
            Uniform, if each moment shall be as likely as its weight says.

        Returns
        -------
        tuple of int
            The recording and a sample of it.
        """
        weighted = place * self.ends[-1]
        # Rounding must not lead behind the last region, or before the first sample of any.
        region = min(np.searchsorted(self.ends, weighted, side="right"), len(self.ends) - 1)
        back = int(np.floor((weighted - self.ends[region]) / self.weights[region]))
        return int(self.owners[region]), int(self.lasts[region]) + max(back, -int(self.counts[region]))

    def samples(self, recordings: int) -> np.ndarray:
        """For each of so many recordings, how many samples are active."""
        return np.bincount(self.owners, self.counts, minlength=recordings)
