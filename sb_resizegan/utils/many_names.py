"""Names of very many files, in as much memory as they have letters."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["Names"]


class Names(Sequence[str]):
    """Strings as one array of bytes and an array of where each ends: a Python string takes 49 bytes more.

    Arguments
    ---------
    letters : numpy.ndarray
        Bytes of all names, ``uint8``; may be mapped from a file.
    ends : numpy.ndarray
        Where each ends in it, integers.
    chosen : numpy.ndarray, optional
        Numbers of those that count, in their order; all by default.

    Example
    -------
    >>> names = Names.of(["a.wav", "b/ä.wav", "c.wav"])
    >>> len(names), names[1], list(names), names.take(np.array([2, 0]))[0]
    (3, 'b/ä.wav', ['a.wav', 'b/ä.wav', 'c.wav'], 'c.wav')
    """

    def __init__(self, letters: np.ndarray, ends: np.ndarray, chosen: np.ndarray | None = None) -> None:
        self.letters, self.ends, self._chosen = letters, ends, chosen

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Takes names one by one; those that are no UTF-8 have their bytes as surrogates."""
        letters, ends = bytearray(), array("Q")
        for name in names:
            letters += name.encode("utf-8", "surrogateescape")
            ends.append(len(letters))
        small = np.uint32 if len(letters) < 2**32 else np.uint64
        return cls(np.frombuffer(bytes(letters), dtype=np.uint8), np.array(ends, dtype=small))

    def __len__(self) -> int:
        return len(self.ends if self._chosen is None else self._chosen)

    def __getitem__(self, number: Any) -> Any:
        """A name by its number, or a list of them by a slice."""
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"name {number} of {len(self)}")
        number = number % len(self)
        if self._chosen is not None:
            number = self._chosen[number]
        first = int(self.ends[number - 1]) if number else 0
        return self.letters[first : int(self.ends[number])].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __add__(self, other: Sequence[str]) -> list[str]:
        return [*self, *other]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self[:3]} and {len(self) - 3} more" if len(self) > 3 else repr(list(self))

    def take(self, numbers: np.ndarray) -> "Names":
        """Those with these numbers, in this order; the letters are shared."""
        return Names(self.letters, self.ends, numbers if self._chosen is None else self._chosen[numbers])

    @property
    def nbytes(self) -> int:
        """What is held."""
        chosen = 0 if self._chosen is None else self._chosen.nbytes
        return self.letters.nbytes + self.ends.nbytes + chosen
