"""Random numbers of a training step as a function of the step's number."""

import hashlib

import torch


def derive_seed(*parts):
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

    Everything that is random in step ``index`` comes from a generator seeded by ``seed`` and ``index``. So a
    resumed run needs no saved random state. With several processes each draws what the joint batch needs and
    keeps its own rows: the processes together do what a single one would have done with the joint batch.

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

    Example
    -------
    >>> joint = StepRandom(1, 0).rows(lambda n, g: torch.rand(n, generator=g), 4)
    >>> second = StepRandom(1, 0, rank=1, world_size=2).rows(lambda n, g: torch.rand(n, generator=g), 2)
    >>> bool((joint[2:] == second).all())
    True
    """

    def __init__(self, seed, index, rank=0, world_size=1):
        self.rank = rank
        self.world_size = world_size
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "step", index))

    def rows(self, draw, batch):
        """This process's rows of a draw for the joint batch.

        Arguments
        ---------
        draw : callable
            From a number of examples and a CPU ``torch.Generator`` to a tensor ``(examples, ...)``.
        batch : int
            Examples of this process.

        Returns
        -------
        torch.Tensor
            ``(batch, ...)``.
        """
        return draw(batch * self.world_size, self.generator)[self.rank * batch : (self.rank + 1) * batch]
