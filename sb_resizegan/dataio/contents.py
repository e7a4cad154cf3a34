"""What the inspection of a sound file works on, and what it finds."""

import os
from typing import NamedTuple

__all__ = ["Contents", "DamagedError", "FileBytes"]


class DamagedError(ValueError):
    """A sound file whose parts contradict each other; the message says which."""


class Contents(NamedTuple):
    """What a sound file declares, as far as its decoder must be told or watched."""

    frames: int | None = None
    """Samples of each channel that must come out; None leaves it to what the decoder says."""

    patches: tuple[tuple[int, bytes], ...] = ()
    """Places of the header, and what the decoder is to read there instead: unknown sizes, filled in."""

    begin: int = 0
    """First byte for the decoder; tags lie before it."""

    end: int | None = None
    """Where its bytes end in the file; None for the file's end."""

    prefix: bytes = b""
    """What the decoder is to read before them."""


class FileBytes:
    """Random access to a file that is open.

    Arguments
    ---------
    descriptor : int
        From ``os.open``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.bin"
    >>> _ = path.write_bytes(b"0123456789")
    >>> descriptor = os.open(path, os.O_RDONLY)
    >>> FileBytes(descriptor)[8:99], len(FileBytes(descriptor))
    (b'89', 10)
    >>> os.close(descriptor)
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, last, _ = part.indices(self._size)
        return os.pread(self._descriptor, max(0, last - first), first)
