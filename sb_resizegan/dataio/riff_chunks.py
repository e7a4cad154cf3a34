"""What containers made of chunks have in common: sizes, and what may follow the samples."""

import itertools
import struct
from collections.abc import Iterable, Iterator

from sb_resizegan.dataio.contents import DamagedError, FileBytes

__all__ = ["MOST_CHUNKS", "check_names", "check_rest", "chunks", "sound_bytes", "unpack", "whole_frames"]

# Chunks in front of the samples; a header that has more is no header.
MOST_CHUNKS = 1000
SOUND_NAMES = (b"data", b"SSND")
FILE_BEGINS = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"caff", b".snd", b"dns.", b"OggS", b"fLaC", b"NIST"),
)


def unpack(layout: str, data: FileBytes, place: int) -> tuple:
    """As ``struct.unpack``, from a place of a file."""
    piece = data[place : place + struct.calcsize(layout)]
    if len(piece) < struct.calcsize(layout):
        raise DamagedError(f"ends after {len(data)} bytes, within its header")
    return struct.unpack(layout, piece)


def chunks(data: FileBytes, place: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and declared size of chunks with 32-bit sizes."""
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(data):
            return
        name, size = unpack(f"{order}4sI", data, place)
        yield name, place + 8, size
        place += 8 + size + size % 2
    raise DamagedError(f"more than {MOST_CHUNKS} chunks")


def sound_bytes(data: FileBytes, first: int, declared: int, unknown: bool) -> int:
    """How many bytes the samples take, or an error where they are not all there."""
    there = max(0, len(data) - first)
    if unknown:
        return there
    if declared > there:
        raise DamagedError(f"ends after {there} of the {declared} bytes of sound that it declares")
    return declared


def check_rest(data: FileBytes, place: int, has_chunks: bool = True) -> int:
    """What follows the samples must be chunks: anything else may be sound that the header does not count.

    Arguments
    ---------
    data : FileBytes
        The file.
    place : int
        Where the samples end.
    has_chunks : bool
        Whether the format has chunks.

    Returns
    -------
    int
        Where the next chunk begins; the file's end where there is none.

    Raises
    ------
    DamagedError
    """
    # Some programs leave out the byte that makes sizes even.
    heads = {start: data[start : start + 4] for start in (place + place % 2, place)}
    if any(len(head) < 4 or head[:3] == b"TAG" for head in heads.values()):
        return len(data)
    starts = [start for start, head in heads.items() if _is_name(head)]
    if has_chunks and starts and not any(head in FILE_BEGINS for head in heads.values()):
        return starts[0]
    if any(data[place : place + 65536]) or len(data) - place > 65536:
        raise DamagedError(f"holds {len(data) - place} bytes more than the sound that it declares")
    return len(data)


def check_names(names: Iterable[bytes]) -> None:
    """Of several chunks of samples, a decoder would give one. What follows a chunk without name is none."""
    if any(name in SOUND_NAMES for name in itertools.takewhile(_is_name, names)):
        raise DamagedError("holds more than one chunk of samples")


def _is_name(head: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in head)


def whole_frames(sound: int, frame: int, whole: bool) -> int:
    """How many samples of all channels lie in a number of bytes; ``whole``: no byte may be left."""
    if whole and sound % frame:
        raise DamagedError(f"declares {sound} bytes of sound, which are no whole samples of {frame} bytes")
    return sound // frame
