"""Random numbers by their place: the same in every process and worker, and for a run that was interrupted.

`StepRandom` gives a training step its numbers as tensors; `Draws` gives a row of a batch its numbers with a
generator that is the same for every release of numpy.
"""

import hashlib
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch

from sb_resizegan.utils.checks import check_count
from sb_resizegan.utils.counter_random import CounterRandom

__all__ = [
    "FIXED",
    "TRAINING",
    "Draws",
    "StepRandom",
    "derive_seed",
    "rows_of",
]

# What numbers are drawn for: no training batch shares any with a validation set.
TRAINING, FIXED = 0, 1
BUFFERED = 64


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed from integers and strings; different parts give independent seeds.

    Arguments
    ---------
    *parts : int or str
        What the seed depends on, such as the run's seed and the number of the step.

    Returns
    -------
    int

    Example
    -------
    >>> derive_seed(1986, "windows", 3) == derive_seed(1986, "windows", 3)
    True
    >>> derive_seed(1986, "windows", 3) == derive_seed(1986, "windows", 4)
    False
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class StepRandom:
    """Random numbers of one training step, the same for one process and for many.

    Everything that is random in step ``index`` comes from the stream of ``seed`` and ``index``
    (`CounterRandom`). So a resumed run needs no saved random state,
    a device draws for itself what any other would draw, and of several processes each draws its own rows of
    the joint batch: together they do what a single one would have done with it.

    Arguments
    ---------
    seed : int
        Seed of the run.
    index : int
        Number of the step since the beginning of the run.
    rank : int
        Rank of this process.
    world_size : int
        Number of processes.
    device : str or torch.device
        Where the numbers are made.

    Example
    -------
    >>> joint = StepRandom(1, 0).rows(lambda n, random: random.uniform(n), 4)
    >>> second = StepRandom(1, 0, rank=1, world_size=2).rows(lambda n, random: random.uniform(n), 2)
    >>> bool((joint[2:] == second).all())
    True
    """

    def __init__(
        self,
        seed: int,
        index: int | str,
        rank: int = 0,
        world_size: int = 1,
        device: str | torch.device = "cpu",
    ) -> None:
        self.generator = CounterRandom(derive_seed(seed, "step", index), device, rank, world_size)

    def rows(self, draw: Callable[[int, Any], torch.Tensor], batch: int) -> torch.Tensor:
        """This process's rows of a draw for the joint batch.

        Arguments
        ---------
        draw : callable
            From a number of examples and a `CounterRandom` to a
            tensor ``(examples, ...)``.
        batch : int
            Examples of this process.

        Returns
        -------
        torch.Tensor
            ``(batch, ...)``.
        """
        return draw(batch, self.generator)


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

    def __init__(self, seed: int, n: int, row: int = 0, purpose: int = TRAINING) -> None:
        for key, number in (("n", n), ("seed", seed)):
            if not (isinstance(number, Integral) and 0 <= number < 2**64):
                raise ValueError(f"{key}: expected a whole number from 0 to 2**64 - 1, but got {number!r}")
        # The raw numbers of Philox are the same in every release of numpy; those of Generator need not be.
        self._philox = np.random.Philox(
            key=np.array([seed, n], dtype=np.uint64), counter=np.array([0, 0, row, purpose], dtype=np.uint64)
        )
        self._buffer: list[float] = []

    def uniform(self, count: int) -> np.ndarray:
        """``count`` numbers from 0 up to, but not including, 1: an array of float64."""
        return (self._philox.random_raw(count) >> np.uint64(11)) * 2.0**-53

    def number(self) -> float:
        """One number from 0 up to, but not including, 1."""
        if not self._buffer:
            self._buffer = self.uniform(BUFFERED).tolist()
        return self._buffer.pop()

    def between(self, low: float, high: float) -> float:
        """One number from ``low`` up to ``high``."""
        return low + (high - low) * self.number()

    def below(self, count: int) -> int:
        """One whole number from 0 to ``count - 1``."""
        return int(count * self.number())

    def chance(self, probability: float) -> bool:
        """True with a probability; takes one number whatever the probability."""
        return self.number() < probability


def rows_of(rank: int, world_size: int, batch_size: int) -> range:
    """Rows of the joint batch that one process gets, as a range; a ValueError names a wrong argument."""
    check_count("batch_size", batch_size)
    check_count("world_size", world_size)
    if not 0 <= rank < world_size:
        raise ValueError(f"rank: expected 0 to {world_size - 1} (world_size - 1), but got {rank!r}")
    return range(rank * batch_size, (rank + 1) * batch_size)
