"""Batches of two sources in a fixed proportion."""

import math
from typing import Any

from sb_resizegan.dataio.batch_source import BatchSource

__all__ = ["AlternatingSource"]


class AlternatingSource:
    """Takes every so-manieth batch from another source.

    A model that is fine-tuned on new material forgets less of the old if it goes on seeing some of it. Which
    source batch ``n`` comes from depends on ``n`` alone; see `BatchSource`.

    Arguments
    ---------
    main, other : BatchSource
        The sources.
    share : float
        Of the batches that come from ``other``, from 0 to 1, evenly spread.

    Raises
    ------
    ValueError
        For a share outside of that.

    Example
    -------
    >>> class Named:
    ...     def __init__(self, name):
    ...         self.name = name
    ...     def batch(self, n, batch_size, seed, rank=0, world_size=1):
    ...         return self.name
    >>> source = AlternatingSource(Named("new"), Named("old"), 0.25)
    >>> [source.batch(n, 8, seed=0) for n in range(8)]
    ['new', 'new', 'new', 'old', 'new', 'new', 'new', 'old']
    """

    def __init__(self, main: BatchSource, other: BatchSource, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected a number from 0 to 1, but got {share}")
        self.main = main
        self.other = other
        self.share = share

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> Any:
        """Batch number ``n``; see `BatchSource.batch()`."""
        others = math.floor((n + 1) * self.share) > math.floor(n * self.share)
        source = self.other if others else self.main
        return source.batch(n, batch_size, seed, rank, world_size)
