"""Signals of hours: on the disk instead of in memory, read by slices as an array is."""

import copy
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sb_resizegan.dataio.audio import count_frames, read_signal, signal_blocks
from sb_resizegan.dataio.decoder import AudioHeader, audio_header
from sb_resizegan.dataio.sinks import write_all

__all__ = [
    "LONG_SECONDS",
    "LongSignal",
    "Signal",
    "blocks_of",
    "cut_alike",
    "is_long",
    "read_any_length",
]

LONG_SECONDS = 600  # what is longer goes to the disk while it is worked on
LONG_FRAMES = 600 * 48000  # and so does what has a high sampling rate
BLOCK = 1 << 20  # samples


class LongSignal:
    """Samples in a file without a name, which goes with the process whatever happens to it.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time,)``, float32.
    folder : str or Path, optional
        Where there is room; the system's folder for temporary files by default.

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

    def __init__(self, blocks: Iterable[np.ndarray], folder: str | os.PathLike | None = None) -> None:
        place = None if folder is None else os.fspath(folder)
        self._file = tempfile.TemporaryFile(dir=place, buffering=0)  # noqa: SIM115 (goes with the object)
        self._length = 0
        try:
            for block in blocks:
                write_all(self._file.fileno(), np.ascontiguousarray(block, dtype=np.float32).data.cast("B"))
                self._length += len(block)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(folder or tempfile.gettempdir())) from error

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

    def first(self, length: int) -> "LongSignal":
        """The same samples up to a length."""
        part = copy.copy(self)
        part._length = min(length, self._length)
        return part


Signal = np.ndarray | LongSignal


def is_long(header: AudioHeader) -> bool:
    """Whether a recording is too long to be worked on in memory; of unknown length, it may be."""
    return header.frames is None or header.frames > min(LONG_FRAMES, LONG_SECONDS * header.samplerate)


def read_any_length(
    path: str | os.PathLike, sample_rate: int, folder: str | os.PathLike | None = None
) -> Signal:
    """Reads a whole file as one channel at a sampling rate: of any length, in bounded memory.

    Arguments
    ---------
    path : str or Path
        Audio file.
    sample_rate : int
        In Hz, of the result.
    folder : str or Path, optional
        Where a recording of more than 10 minutes goes; see `LongSignal`.

    Returns
    -------
    numpy.ndarray or LongSignal
        ``(time,)``, float32.

    Raises
    ------
    UnusableAudioError
        See `audio_blocks`.
    OSError
        If a long one cannot be kept on the disk.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, np.zeros(44100), 44100)
    >>> read_any_length(path, 16000).shape
    (16000,)
    """
    if count_frames(path) <= LONG_SECONDS * audio_header(path).samplerate:
        return read_signal(path, sample_rate)
    return LongSignal(signal_blocks(path, sample_rate), folder)


def cut_alike(signals: Sequence[Signal], sample_rate: int) -> list[Signal]:
    """Cuts signals to the shortest one; what is short then comes as arrays.

    Arguments
    ---------
    signals : sequence of numpy.ndarray or LongSignal
        ``(time,)`` each.
    sample_rate : int
        In Hz.

    Returns
    -------
    list of numpy.ndarray or LongSignal

    Example
    -------
    >>> long = LongSignal([np.ones(500, dtype=np.float32)], getfixture("tmp_path"))
    >>> [signal.shape for signal in cut_alike([long, np.zeros(300)], 16000)]
    [(300,), (300,)]
    """
    length = min(map(len, signals))
    in_memory = length <= LONG_SECONDS * sample_rate
    return [
        signal[:length] if in_memory or isinstance(signal, np.ndarray) else signal.first(length)
        for signal in signals
    ]


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
