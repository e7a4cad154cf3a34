"""Signals of hours: on the disk instead of in memory, read by slices as an array is."""

import os
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from sb_resizegan.dataio.sinks import write_all

__all__ = ["LONG_SECONDS", "LongSignal", "Signal", "blocks_of"]

LONG_SECONDS = 600  # what is longer goes to the disk while it is worked on
BLOCK = 1 << 20  # samples


class LongSignal:
    """Samples in a file without a name, which goes with the process whatever happens to it.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time,)``, float32.
    folder : str or Path
        Where there is room.

    Raises
    ------
    OSError
        If the samples cannot be written.

    Example
    -------
    >>> signal = LongSignal([np.zeros(3, np.float32), np.ones(2, np.float32)], getfixture("tmp_path"))
    >>> len(signal), signal[2:4]
    (5, array([0., 1.], dtype=float32))
    """

    def __init__(self, blocks: Iterable[np.ndarray], folder: str | os.PathLike) -> None:
        self._file = tempfile.TemporaryFile(dir=os.fspath(folder), buffering=0)  # noqa: SIM115 (goes with the object)
        self._length = 0
        try:
            for block in blocks:
                write_all(self._file.fileno(), np.ascontiguousarray(block, dtype=np.float32).data.cast("B"))
                self._length += len(block)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(folder)) from error

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> np.ndarray:
        first, last, _ = part.indices(self._length)
        samples = np.empty(max(0, last - first), dtype=np.float32)
        left, place = samples.data.cast("B"), 4 * first
        while left:
            count = os.preadv(self._file.fileno(), [left], place)
            left, place = left[count:], place + count
        return samples


Signal = np.ndarray | LongSignal


def blocks_of(signal: Signal, size: int = BLOCK) -> Iterator[np.ndarray]:
    """Yields a signal in pieces that need little memory.

    Arguments
    ---------
    signal : numpy.ndarray or LongSignal
        ``(time,)``.
    size : int
        Most samples of a piece.

    Yields
    ------
    numpy.ndarray

    Example
    -------
    >>> [len(block) for block in blocks_of(np.zeros(5), 2)]
    [2, 2, 1]
    """
    for start in range(0, len(signal), size):
        yield signal[start : start + size]
