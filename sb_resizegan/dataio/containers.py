"""What a sound file's container declares, checked against what the file holds.

libsndfile takes what it finds: a recording cut off in the middle passes as a whole one. Here the sizes in the
header are read first, and compared with the size of the file. Sizes of 0 and of all ones stand for "unknown",
as programs write them that cannot go back to the header; the recording then reaches to the file's end.
"""

import math
import struct
from collections.abc import Iterator

from sb_resizegan.dataio.coded_streams import inspect_flac, inspect_mpeg, inspect_ogg, skip_id3
from sb_resizegan.dataio.contents import Contents, DamagedError, FileBytes
from sb_resizegan.dataio.riff_chunks import (
    MOST_CHUNKS,
    check_names,
    check_rest,
    chunks,
    sound_bytes,
    unpack,
    whole_frames,
)

__all__ = ["inspect_container"]

# SoX writes these two where it cannot know; all ones but the sign is the same in another hand.
UNKNOWN_32 = (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000)
UNKNOWN_64 = (2**64 - 1, 2**63 - 1)
# Bytes of a sample by WAVE's format tags, where they do not follow from the bits.
TAG_PCM, TAG_FLOAT, TAG_ALAW, TAG_ULAW, TAG_EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
AIFC_BYTES = {b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8}
AIFC_PLAIN = (b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"42ni", b"23ni")
AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
GUID_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def inspect_container(data: FileBytes) -> Contents | None:
    """Reads what a sound file declares about itself.

    Arguments
    ---------
    data : FileBytes
        The file.

    Returns
    -------
    Contents or None
        None for a format that this package does not read: wav (RIFF, RIFX, RF64), w64, aiff, au, caf, NIST,
        flac, ogg and mp3 are read.

    Raises
    ------
    DamagedError
        If the file ends before its recording does, holds more of it than it declares, or contradicts itself.

    Example
    -------
    >>> import os, numpy, soundfile
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, numpy.zeros(1000), 16000)
    >>> os.truncate(path, 1044)
    >>> descriptor = os.open(path, os.O_RDONLY)
    >>> inspect_container(FileBytes(descriptor))
    Traceback (most recent call last):
    sb_resizegan.dataio.contents.DamagedError: ends after 1000 of the 2000 bytes of sound that it declares
    >>> os.close(descriptor)
    """
    head = data[0:16]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _inspect_wave(data, ">" if head[:4] == b"RIFX" else "<")
    if head[:4] == b"riff" and head[4:16] == bytes.fromhex("2e91cf11a5d628db04c10000"):
        return _inspect_w64(data)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _inspect_aiff(data)
    if head[:4] in (b".snd", b"dns."):
        return _inspect_au(data, ">" if head[:4] == b".snd" else "<")
    if head[:4] == b"caff":
        return _inspect_caf(data)
    if head[:7] == b"NIST_1A":
        return _inspect_nist(data)
    if head[:4] == b"OggS":
        return inspect_ogg(data)
    start = skip_id3(data)
    if data[start : start + 4] == b"fLaC":
        return inspect_flac(data, start)
    if start or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0):
        return inspect_mpeg(data, start)
    return None


def _check_chunks(data: FileBytes, place: int, order: str) -> None:
    check_names(name for name, _, _ in chunks(data, check_rest(data, place), order))


def _ends_like_chunks(data: FileBytes, place: int, order: str) -> bool:
    """Whether the rest of a file is nothing but chunks: then there is no sound in it."""
    for name, first, size in chunks(data, place, order):
        if not all(0x20 <= byte < 0x7F for byte in name) or first + size > len(data):
            return False
        place = first + size + size % 2
    return place >= len(data)


def _inspect_wave(data: FileBytes, order: str) -> Contents:
    form = None
    long_size = None
    for name, first, size in chunks(data, 12, order):
        if name == b"ds64":
            _, long_size = unpack("<QQ", data, first)
        elif name == b"fmt ":
            form = _wave_format(data, first, size, order)
        elif name == b"data":
            break
    else:
        raise DamagedError("no samples: the chunk 'data' is missing")
    if form is None:
        raise DamagedError("no format: the chunk 'fmt ' is missing before the samples")
    declared, unknown = size, size in UNKNOWN_32
    if size == 0xFFFFFFFF and long_size is not None:
        declared, unknown = long_size, long_size in (0, *UNKNOWN_64)
    if size == 0:
        unknown = not _ends_like_chunks(data, first, order)
    sound = sound_bytes(data, first, declared, unknown)
    if not unknown:
        _check_chunks(data, first + sound, order)
    patches = []
    if unknown and sound < 0xFFFFFFFF:
        if long_size is None:
            patches = [(first - 4, struct.pack(f"{order}I", sound))]
        else:
            ds64 = next(place for name, place, _ in chunks(data, 12, order) if name == b"ds64")
            patches = [(ds64, struct.pack("<QQQ", len(data) - 8, sound, 0))]
    return Contents(whole_frames(sound, form, not unknown) if form else None, tuple(patches))


def _wave_format(data: FileBytes, first: int, size: int, order: str) -> int:
    """Bytes of a sample of all channels, 0 where samples are packed in blocks."""
    if size < 16:
        raise DamagedError(f"a format of {size} bytes, where at least 16 are needed")
    tag, channels, rate, byte_rate, block, bits = unpack(f"{order}HHIIHH", data, first)
    if tag == TAG_EXTENSIBLE and size >= 40:
        (tag,) = unpack(f"{order}H", data, first + 24)
    if tag not in (TAG_PCM, TAG_FLOAT, TAG_ALAW, TAG_ULAW):
        return 0
    if block != channels * math.ceil(bits / 8) or (byte_rate and byte_rate != rate * block) or block == 0:
        raise DamagedError(
            f"the header contradicts itself: {channels} channels of {bits} bits at {rate} Hz, but "
            f"{block} bytes a sample and {byte_rate} a second"
        )
    return block


def _inspect_w64(data: FileBytes) -> Contents:
    place, form = 40, None
    for _ in range(MOST_CHUNKS):
        name, size = unpack("<16sQ", data, place)
        if name == b"fmt " + GUID_TAIL:
            form = _wave_format(data, place + 24, size - 24, "<")
        elif name == b"data" + GUID_TAIL:
            break
        if size < 24:
            raise DamagedError(f"a chunk of {size} bytes, where at least 24 are needed")
        place += (size + 7) // 8 * 8
    if form is None or name != b"data" + GUID_TAIL:
        raise DamagedError("no samples: the chunk 'data' or the format before it is missing")
    first, unknown = place + 24, size in (0, *UNKNOWN_64)
    if not unknown and size < 24:
        raise DamagedError(f"a chunk of {size} bytes, where at least 24 are needed")
    sound = sound_bytes(data, first, size - 24, unknown)
    rest = (place + size + 7) // 8 * 8
    if not unknown and len(data) > rest and data[rest + 4 : rest + 16] != GUID_TAIL:
        _check_chunks(data, first + sound, "<")
    elif not unknown:
        check_names(_w64_names(data, rest))
    patches = ((place + 16, struct.pack("<Q", sound + 24)),) if unknown else ()
    # The decoder takes chunks behind the samples for samples.
    return Contents(whole_frames(sound, form, not unknown) if form else None, patches, end=first + sound)


def _w64_names(data: FileBytes, place: int) -> Iterator[bytes]:
    """Names of the chunks from a place on, without what all have in common."""
    for _ in range(MOST_CHUNKS):
        if place + 24 > len(data):
            return
        name, size = unpack("<16sQ", data, place)
        yield name[:4]
        place += max(24, (size + 7) // 8 * 8)


def _inspect_aiff(data: FileBytes) -> Contents:
    common = sound = None
    for name, first, size in chunks(data, 12, ">"):
        if name == b"COMM":
            channels, frames, bits = unpack(">HIH", data, first)
            kind = data[first + 18 : first + 22] if data[8:12] == b"AIFC" else b"NONE"
            common = AIFC_BYTES.get(kind, math.ceil(bits / 8) if kind in AIFC_PLAIN else 0) * channels, frames
        elif name == b"SSND":
            check_names([name] if sound is not None else [])
            offset, _ = unpack(">II", data, first)
            unknown = size in (0, *UNKNOWN_32)
            if offset > len(data):
                raise DamagedError(f"its samples begin {offset} bytes behind their chunk's beginning")
            if not unknown and size < 8 + offset:
                raise DamagedError(f"a chunk of {size} bytes, where at least {8 + offset} are needed")
            sound = sound_bytes(data, first + 8 + offset, size - 8 - offset, unknown)
            if unknown:
                break
            end = first + size
    if common is None:
        raise DamagedError("no format: the chunk 'COMM' is missing")
    frame, declared = common
    if sound is None:
        if declared == 0:
            return Contents(frames=0)
        raise DamagedError("no samples: the chunk 'SSND' is missing")
    if not unknown:
        check_rest(data, end)
    if not frame:
        return Contents()
    frames = whole_frames(sound, frame, not unknown)
    if declared not in (0, *UNKNOWN_32, frames):
        raise DamagedError(f"declares {declared} samples, but holds {frames}")
    return Contents(frames)


def _inspect_au(data: FileBytes, order: str) -> Contents:
    first, size, encoding, _, channels = unpack(f"{order}IIIII", data, 4)
    if first < 24:
        raise DamagedError(f"its samples begin at byte {first}, within the header")
    unknown = size in (0, *UNKNOWN_32)
    sound = sound_bytes(data, first, size, unknown)
    if not unknown:
        check_rest(data, first + sound, has_chunks=False)
    frame = AU_BYTES.get(encoding, 0) * channels
    patches = ((8, struct.pack(f"{order}I", sound)),) if unknown and sound < 0xFFFFFFFF else ()
    return Contents(whole_frames(sound, frame, not unknown) if frame else None, patches)


def _inspect_caf(data: FileBytes) -> Contents:
    place, frame = 8, None
    for _ in range(MOST_CHUNKS):
        name, size = unpack(">4sQ", data, place)
        if name == b"desc":
            _, kind, _, packet, _, channels, bits = unpack(">d4sIIIII", data, place + 12)
            frame = packet if kind in (b"lpcm", b"alaw", b"ulaw") else 0
            if frame and kind == b"lpcm" and frame != channels * math.ceil(bits / 8):
                raise DamagedError(
                    f"the header contradicts itself: {channels} channels of {bits} bits, but "
                    f"{frame} bytes a sample"
                )
        elif name == b"data":
            break
        place += 12 + size
    if name != b"data" or frame is None:
        raise DamagedError("no samples: the chunk 'data' or the format before it is missing")
    first, unknown = place + 16, size in (0, *UNKNOWN_64)
    if not unknown and size < 4:
        raise DamagedError(f"a chunk of {size} bytes, where at least 4 are needed")
    sound = sound_bytes(data, first, size - 4, unknown)
    if not unknown:
        check_names(_caf_names(data, check_rest(data, first + sound)))
    patches = ((place + 4, struct.pack(">Q", sound + 4)),) if unknown else ()
    return Contents(whole_frames(sound, frame, not unknown) if frame else None, patches)


def _caf_names(data: FileBytes, place: int) -> Iterator[bytes]:
    for _ in range(MOST_CHUNKS):
        if place + 12 > len(data):
            return
        name, size = unpack(">4sQ", data, place)
        yield name
        place += 12 + size


def _inspect_nist(data: FileBytes) -> Contents:
    try:
        first = int(data[8:16])
        lines = data[16 : min(first, 1 << 16)].decode("ascii").splitlines()
    except ValueError as error:
        raise DamagedError(f"no NIST header: {error}") from error
    fields = {}
    for line in lines:
        if line.strip() == "end_head":
            break
        parts = line.split(None, 2)
        if len(parts) == 3 and parts[1].startswith(("-i", "-s")):
            fields[parts[0]] = parts[2]
    else:
        raise DamagedError("no NIST header: its end is missing")
    try:
        frame = int(fields["channel_count"]) * int(fields["sample_n_bytes"])
        count = int(fields.get("sample_count", 0))
    except (KeyError, ValueError) as error:
        raise DamagedError(f"no NIST header: {error}") from error
    sound = max(0, len(data) - first)
    if frame < 1 or (count and count * frame > sound):
        raise DamagedError(f"ends after {sound} of the {count * frame} bytes of sound that it declares")
    if count:
        check_rest(data, first + count * frame, has_chunks=False)
    return Contents(count or sound // frame)
