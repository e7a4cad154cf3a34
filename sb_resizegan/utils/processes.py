"""What the processes of a training share out, and bring together again."""

import datetime
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from speechbrain.utils.distributed import is_distributed_initialized

__all__ = ["Share", "Together", "gathered", "interleaved", "local_rank", "of_first", "of_machine"]


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


def of_machine(make: Callable[[], Any]) -> Any:
    """What the first process of each machine makes, in all processes of it; where it raises, all do.

    Arguments
    ---------
    make : callable
        Called without arguments; what it returns can be pickled.

    Returns
    -------
    object

    Example
    -------
    >>> of_machine(lambda: "made once")
    'made once'
    """
    return _made_by(make, lambda rank, own: rank - own, local_rank() == 0)


def of_first(make: Callable[[], Any]) -> Any:
    """What the first process of all makes, in all of them; where it raises, all do.

    Arguments
    ---------
    make : callable
        Called without arguments; what it returns can be pickled.

    Returns
    -------
    object

    Example
    -------
    >>> of_first(lambda: 3)
    3
    """
    return _made_by(
        make, lambda rank, own: 0, not is_distributed_initialized() or torch.distributed.get_rank() == 0
    )


def _made_by(make: Callable[[], Any], maker: Callable[[int, int], int], is_maker: bool) -> Any:
    if not is_distributed_initialized():
        return make()
    made: tuple[Any, Exception | None] = (None, None)
    if is_maker:
        try:
            made = (make(), None)
        except Exception as error:
            made = (None, error)
    value, error = gathered(made)[maker(torch.distributed.get_rank(), local_rank())]
    if error is not None:
        raise error
    return value


def local_rank() -> int:
    """Number of this process among those of its machine; without a launcher that says so, among all."""
    rank = torch.distributed.get_rank() if is_distributed_initialized() else 0
    return int(os.environ.get("LOCAL_RANK", rank))


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


class Together:
    """The processes of ``torchrun``, or this one alone, that take work as they go.

    Arguments
    ---------
    to_meet, to_finish : datetime.timedelta
        How long they wait for each other at the beginning, and for the last one's work in the end.

    Example
    -------
    >>> together = Together()
    >>> together.speaks, together.same(lambda: "made once"), list(together.turns(3)), together.all([1])
    (True, 'made once', [0, 1, 2], [[1]])
    """

    def __init__(
        self,
        to_meet: datetime.timedelta = datetime.timedelta(minutes=30),
        to_finish: datetime.timedelta = datetime.timedelta(days=30),
    ) -> None:
        self._store: Any = None
        self._group: Any = None
        self.rank, self.world_size = 0, 1
        if torch.distributed.is_torchelastic_launched():
            self._store, self.rank, self.world_size = next(
                torch.distributed.rendezvous("env://", timeout=to_meet)
            )
            torch.distributed.init_process_group(
                "gloo", store=self._store, rank=self.rank, world_size=self.world_size, timeout=to_meet
            )
            self._group = torch.distributed.new_group(timeout=to_finish)

    @property
    def speaks(self) -> bool:
        """Whether this process is the one that says things."""
        return self.rank == 0

    def same(self, make: Any) -> Any:
        """What the first process makes, in all of them; where it raises, all do.

        Arguments
        ---------
        make : callable
            Called without arguments in the first process alone; what it returns can be pickled.

        Returns
        -------
        object
        """
        made: list[Any] = [None, None]
        if self.rank == 0:
            try:
                made[0] = make()
            except Exception as error:
                made[1] = error
        if self._group is not None:
            torch.distributed.broadcast_object_list(made, group=self._group)
        if made[1] is not None:
            raise made[1]
        return made[0]

    def turns(self, count: int, name: str = "turns") -> Iterator[int]:
        """Numbers below ``count``, each in one process alone: whoever asks gets the next.

        Arguments
        ---------
        count : int
            How many there are.
        name : str
            Of this kind of work; each name counts from 0 once.

        Yields
        ------
        int
        """
        if self._store is None:
            yield from range(count)
            return
        while (number := self._store.add(name, 1) - 1) < count:
            yield number

    def all(self, value: Any) -> list[Any]:
        """The value of each process, in the first one; an empty list in others. The last thing to be done.

        A process that ended with an error before would take the others with it.
        """
        if self._group is None:
            return [value]
        found = [None] * self.world_size if self.rank == 0 else None
        torch.distributed.gather_object(value, found, group=self._group)
        torch.distributed.barrier(self._group)
        torch.distributed.destroy_process_group()
        return found or []
