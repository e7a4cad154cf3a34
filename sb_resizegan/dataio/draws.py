"""Random numbers by their place: the same for every release of numpy, every process and every worker."""

from numbers import Integral, Real

import numpy as np

__all__ = ["FIXED", "TRAINING", "Draws", "check_count", "check_probability", "check_range"]

# What numbers are drawn for: no training batch shares any with a validation set.
TRAINING, FIXED = 0, 1
BUFFERED = 64


class Draws:
    """The stream of random numbers that belongs to one row of one batch.

    A counter-based generator (Philox): the stream depends on the arguments alone, and streams of different
    arguments are independent.

    Arguments
    ---------
    seed, n : int
        Seed and number of the batch, each at least 0 and below 2 ** 64.
    row : int
        Row of the joint batch of all processes.
    purpose : int
        ``TRAINING`` or ``FIXED``.

    Raises
    ------
    ValueError
        If ``seed`` or ``n`` is out of range.

    Example
    -------
    >>> draws = Draws(seed=1, n=0)
    >>> draws.uniform(3).shape
    (3,)
    >>> 5 <= draws.between(5, 6) < 6, draws.below(1), draws.chance(1.0)
    (True, 0, True)
    """

    def __init__(self, seed, n, row=0, purpose=TRAINING):
        for key, number in (("n", n), ("seed", seed)):
            if not (isinstance(number, Integral) and 0 <= number < 2**64):
                raise ValueError(f"{key}: expected a whole number from 0 to 2**64 - 1, but got {number!r}")
        # The raw numbers of Philox are the same in every release of numpy; those of Generator need not be.
        self._philox = np.random.Philox(
            key=np.array([seed, n], dtype=np.uint64), counter=np.array([0, 0, row, purpose], dtype=np.uint64)
        )
        self._buffer = []

    def uniform(self, count):
        """``count`` numbers from 0 up to, but not including, 1: an array of float64."""
        return (self._philox.random_raw(count) >> np.uint64(11)) * 2.0**-53

    def number(self):
        """One number from 0 up to, but not including, 1."""
        if not self._buffer:
            self._buffer = self.uniform(BUFFERED).tolist()
        return self._buffer.pop()

    def between(self, low, high):
        """One number from ``low`` up to ``high``."""
        return low + (high - low) * self.number()

    def below(self, count):
        """One whole number from 0 to ``count - 1``."""
        return int(count * self.number())

    def chance(self, probability):
        """True with a probability; takes one number whatever the probability."""
        return self.number() < probability


def check_count(key, number):
    """Raises a ValueError unless ``number`` is a whole number of at least 1.

    Example
    -------
    >>> check_count("batch_size", 16)
    """
    if not (isinstance(number, Integral) and number >= 1):
        raise ValueError(f"{key}: expected a whole number of at least 1, but got {number!r}")


def check_probability(key, number):
    """Raises a ValueError unless ``number`` lies in [0, 1].

    Example
    -------
    >>> check_probability("babble", 0.25)
    """
    if isinstance(number, bool) or not (isinstance(number, Real) and 0 <= number <= 1):
        raise ValueError(f"{key}: expected a probability from 0 to 1, but got {number!r}")


def check_range(key, pair, lowest, highest):
    """Raises a ValueError unless ``pair`` is two numbers in order within limits.

    Example
    -------
    >>> check_range("snr_db", (20, -5), -100, 100)
    Traceback (most recent call last):
    ...
    ValueError: snr_db: expected two numbers in order from -100 to 100, but got (20, -5)
    """
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    is_pair = is_pair and all(isinstance(end, Real) and not isinstance(end, bool) for end in pair)
    if not (is_pair and lowest <= pair[0] <= pair[1] <= highest):
        raise ValueError(
            f"{key}: expected two numbers in order from {lowest:g} to {highest:g}, but got {pair!r}"
        )


def rows_of(rank, world_size, batch_size):
    """Rows of the joint batch that one process gets, as a range; a ValueError names a wrong argument."""
    check_count("batch_size", batch_size)
    check_count("world_size", world_size)
    if not 0 <= rank < world_size:
        raise ValueError(f"rank: expected 0 to {world_size - 1} (world_size - 1), but got {rank!r}")
    return range(rank * batch_size, (rank + 1) * batch_size)
