"""What flac, ogg and mp3 files declare, checked against what they hold.

Their decoders leave out what is damaged and go on. Here pages and frames are counted first.
"""

import struct
import zlib
from typing import NamedTuple

from sb_resizegan.dataio.contents import Contents, DamagedError, FileBytes

__all__ = ["inspect_flac", "inspect_mpeg", "inspect_ogg", "skip_id3"]

PIECE = 1 << 20  # bytes read at a time
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
OGG_FIRST, OGG_LAST = 2, 4  # bits of a page's flags
MPEG_RATES = (44100, 48000, 32000)
MPEG_KBITS = {  # by version 1 or not, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MPEG_DELAY = 529  # samples
MPEG_HEAD = 64  # bytes of a frame in which all that counts lies


def skip_id3(data: FileBytes) -> int:
    """Where the sound begins behind the tags that lie in front of it, as a place in the file."""
    place = 0
    while (end := _id3_end(data, place)) > place:
        place = end
        # Padding that the tag does not count.
        while (gap := data[place : place + 4096]) and not any(gap):
            place += len(gap)
        place += len(gap) - len(gap.lstrip(b"\0"))
    return place


def _id3_end(data: FileBytes, place: int = 0) -> int:
    """Where a tag ends that begins here."""
    head = data[place : place + 10]
    if head[:3] != b"ID3" or len(head) < 10:
        return place
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return place + 10 + size + (10 if head[5] & 0x10 else 0)


def _end_of_sound(data: FileBytes) -> int:
    """Where the sound ends before the tags that lie behind it."""
    end = len(data)
    if data[end - 128 : end - 125] == b"TAG":
        end -= 128
    footer = data[max(0, end - 32) : end]
    if footer[:8] == b"APETAGEX":
        size, flags = struct.unpack("<I4xI", footer[12:24])
        end -= min(end, size + (32 if flags >> 31 else 0))
    return end


def inspect_flac(data: FileBytes, start: int) -> Contents:
    """Reads the count of samples; the decoder is told that it is unknown, and so goes on to the end."""
    head = data[start + 4 : start + 42]
    if len(head) < 38 or head[0] & 0x7F != 0 or int.from_bytes(head[1:4], "big") != 34:
        raise DamagedError("no flac header: STREAMINFO is missing")
    packed = int.from_bytes(head[14:22], "big")
    declared = packed & (2**36 - 1)
    patch = (start + 18, (packed & ~(2**36 - 1)).to_bytes(8, "big"))
    frames = None if declared in (0, 2**36 - 1) else declared
    return Contents(frames, (patch,), start, _end_of_sound(data))


def inspect_ogg(data: FileBytes) -> Contents:
    """Checks every page: checksum, number, and that the stream comes to its own end."""
    place, expected, serial, flags = 0, 0, None, 0
    while place < len(data):
        head = data[place : place + 27]
        if len(head) < 27 or head[:4] != b"OggS" or head[4] != 0:
            raise DamagedError(f"ends after {place} of {len(data)} bytes: no page begins there")
        page_serial, number, checksum = struct.unpack("<III", head[14:26])
        lacing = data[place + 27 : place + 27 + head[26]]
        size = 27 + head[26] + sum(lacing)
        page = data[place : place + size]
        if len(lacing) < head[26] or len(page) < size:
            raise DamagedError(f"ends within a page, {len(page)} of its {size} bytes after byte {place}")
        if _ogg_checksum(page) != checksum:
            raise DamagedError(f"the checksum of the page at byte {place} is wrong")
        if serial is None:
            serial, expected = page_serial, number
        if page_serial != serial or (head[5] & OGG_FIRST and place):
            raise DamagedError(f"holds more than one stream: another begins at byte {place}")
        if number != expected:
            raise DamagedError(f"page {expected} is missing: at byte {place} there is page {number}")
        flags, expected, place = head[5], (number + 1) & 0xFFFFFFFF, place + size
    if not flags & OGG_LAST:
        raise DamagedError("ends before the last page of its stream")
    return Contents()


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 with the highest bit first, by way of zlib's, which has the lowest first."""
    blank = page[:22] + bytes(4) + page[26:]
    value = zlib.crc32(blank.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(value.to_bytes(4, "little").translate(MIRRORED), "big")


class _Mpeg(NamedTuple):
    """A frame of an mp3 file, as its header tells."""

    size: int
    samples: int
    rate: int
    side: int
    """Bytes before the place where encoders write about the whole stream."""


def inspect_mpeg(data: FileBytes, start: int) -> Contents:
    """Counts the frames, and compares them with what the first one may say of all.

    libsndfile guesses the length of a stream without such a first frame, and reads no further: it is given
    one.
    """
    end = _end_of_sound(data)
    count, samples, rates, told, first = 0, 0, set(), None, start
    place, piece, offset = start, b"", start
    while place < end:
        if place + MPEG_HEAD > offset + len(piece):
            piece, offset = data[place : min(end, place + PIECE)], place
        head = piece[place - offset : place - offset + MPEG_HEAD]
        frame = _mpeg_frame(head)
        if frame is None:
            break
        if place + frame.size > end:
            raise DamagedError(f"ends within a frame, after {end - place} of its {frame.size} bytes")
        declared = _mpeg_count(head, frame)
        if declared is not None and place > start:
            raise DamagedError(f"holds more than one stream: another begins at byte {place}")
        if declared is not None:
            told, first = declared, place + frame.size
        else:
            count, samples = count + 1, samples + frame.samples
            rates.add(frame.rate)
        place += frame.size
    if count == 0 or (end > place and (end - place > 65536 or any(data[place:end]))):
        raise DamagedError(f"holds {end - place} bytes of {end} that are no frames, from byte {place} on")
    if len(rates) > 1:
        raise DamagedError(f"frames of different sampling rates: {sorted(rates)} Hz")
    if told is not None and told[0] and told[0] != count:
        raise DamagedError(f"declares {told[0]} frames, but holds {count}")
    if told is not None and told[0] and told[1]:
        # The tags in front are the decoder's to read, where nothing lies between them and the sound.
        return Contents(begin=0 if _id3_end(data) == start else start)
    head = data[first : first + 4]
    if head[1] >> 1 & 3 != 1:
        return Contents(samples, begin=first, end=end)
    # Decoders look for it in layer 3 alone, and then leave out the delay of their own filters.
    return Contents(samples - MPEG_DELAY, begin=first, end=end, prefix=_mpeg_preface(head, count))


def _mpeg_frame(head: bytes) -> _Mpeg | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3 or bits in (0, 15):
        return None
    first = version == 3
    hertz = MPEG_RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    bit_rate = 1000 * MPEG_KBITS[first, layer][bits - 1]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return _Mpeg((12 * bit_rate // hertz + padding) * 4, 384, hertz, 4)
    samples = 576 if layer == 3 and not first else 1152
    is_mono = head[3] >> 6 == 3
    side = 4 + ((17 if is_mono else 32) if first else (9 if is_mono else 17))
    return _Mpeg(samples // 8 * bit_rate // hertz + padding, samples, hertz, side)


def _mpeg_count(head: bytes, frame: _Mpeg) -> tuple[int, bool] | None:
    """The number of frames that a first frame declares, 0 if none, and whether libsndfile reads it."""
    for side in (frame.side, frame.side + 2):
        if head[side : side + 4] in (b"Xing", b"Info"):
            flags, count = struct.unpack(">II", head[side + 4 : side + 12])
            known = bool(flags & 1) and count != 0xFFFFFFFF
            return (count if known else 0), side == frame.side
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54], "big"), False
    return None


def _mpeg_preface(head: bytes, count: int) -> bytes:
    """A first frame that declares a number of frames and is no sound."""
    for bits in range(1, 15):
        candidate = bytes((head[0], head[1] | 1, bits << 4 | head[2] & 0x0C, head[3]))
        frame = _mpeg_frame(candidate)
        if frame is not None and frame.size >= frame.side + 16:
            return (candidate.ljust(frame.side, b"\0") + struct.pack(">4sII", b"Info", 1, count)).ljust(
                frame.size, b"\0"
            )
    raise DamagedError("frames too small to hold a count")
