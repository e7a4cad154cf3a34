"""What the processes of a training share out, and bring together again."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from speechbrain.utils.distributed import is_distributed_initialized

__all__ = ["Share", "gathered", "interleaved"]


def gathered(value: Any) -> list[Any]:
    """The value of each process by rank; of this one alone where there are no others. All have to call it.

    Arguments
    ---------
    value : object
        Anything that can be pickled, small: it goes through the host.

    Returns
    -------
    list

    Example
    -------
    >>> gathered(3)
    [3]
    """
    if not is_distributed_initialized():
        return [value]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, value)
    return found


def interleaved(shares: Iterable[list[Any]]) -> list[Any]:
    """Items in the order that they had before they were shared out by `Share`.

    Example
    -------
    >>> interleaved([["a", "c"], ["b"]])
    ['a', 'b', 'c']
    """
    missing = object()
    turns = itertools.zip_longest(*shares, fillvalue=missing)
    return [item for turn in turns for item in turn if item is not missing]


class Share:
    """The items of an iterable that are this process's: of ``n`` processes, every ``n``-th.

    Arguments
    ---------
    items : iterable
        The same in all processes, with a length.
    rank, world_size : int
        By default those of this process.

    Example
    -------
    >>> list(Share("abcde", rank=1, world_size=2)), len(Share("abcde", rank=0, world_size=2))
    (['b', 'd'], 3)
    """

    def __init__(self, items: Any, rank: int | None = None, world_size: int | None = None) -> None:
        together = is_distributed_initialized()
        self.items = items
        self.rank = rank if rank is not None else torch.distributed.get_rank() if together else 0
        alone = torch.distributed.get_world_size() if together else 1
        self.world_size = world_size if world_size is not None else alone

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(iter(self.items), self.rank, None, self.world_size)

    def __len__(self) -> int:
        return len(range(self.rank, len(self.items), self.world_size))
