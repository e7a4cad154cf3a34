"""Files of 1 MB that hold as much sound as a file of 1 MB may: the most work that a reader can be given."""

from pathlib import Path

import numpy as np
import soundfile

from benchmarks.fault_parts.sounds import readers_of
from benchmarks.fault_parts.tally import Tally
from benchmarks.fault_parts.trials import MOST_SECONDS, in_child
from sb_resizegan.dataio import decoder

__all__ = ["packed", "packed_file"]

SIZE = 1_000_000  # bytes
# Rates in Hz, with and without a common divisor with that of the models, and channels.
KINDS = ((16000, 1), (399_989, 1), (44_101, 1), (1000, 1), (48_000, 8), (8000, 1), (44_100, 2), (192_000, 1))
# And how many files they read; the other readers do a part of their work.
READERS = {"windows": 1, "cache": 1, "pairs": 2, "score": 2, "enhance": 1}
STREAMINFO_END, RATE_PLACE, PADDING = 42, 18, 1  # of a flac file; the rate has 20 bits
STEP, BLOCK = 4096, 4096 * 256  # samples


def packed_file(path: Path, rate: int, channels: int) -> int:
    """Writes a flac file of steps, each as long as a frame: some ten bytes; returns the samples."""
    values = decoder.MOST_SOUNDING_VALUES + decoder.MOST_VALUES_PER_BYTE * SIZE
    seconds = decoder.MOST_SECONDS + decoder.MOST_SECONDS_PER_BYTE * SIZE
    frames = min(values, int(seconds * rate)) // channels
    steps = np.repeat((np.arange(BLOCK)[:, None] // STEP % 2 * 3000).astype(np.int16), channels, axis=1)
    # The encoder takes no odd rates so high; a header may state them all the same.
    written_rate = rate if rate % 10 == 0 else min(rate, 48_000)
    with soundfile.SoundFile(path, "w", written_rate, channels, "PCM_16", format="FLAC") as audio:
        for first in range(0, frames, BLOCK):
            audio.write(steps[: frames - first])
    content = bytearray(path.read_bytes())
    room = SIZE - len(content) - 4
    if room < 0:
        raise RuntimeError(f"{path}: {len(content)} bytes, more than the {SIZE} that it is to have")
    rate_bits = int.from_bytes(content[RATE_PLACE : RATE_PLACE + 3], "big") & 0xF | rate << 4
    content[RATE_PLACE : RATE_PLACE + 3] = rate_bits.to_bytes(3, "big")
    content[4] &= 0x7F  # STREAMINFO is not the last block before the frames
    content[STREAMINFO_END:STREAMINFO_END] = bytes((PADDING,)) + room.to_bytes(3, "big") + bytes(room)
    path.write_bytes(content)
    return frames


def read_all(reader: str, path: Path, folder: Path) -> float:
    """What a reader makes of a file."""
    return readers_of(path, folder)[reader]()


def packed(tally: Tally, count: int, folder: Path) -> None:
    """``count`` readings, of each file by all readers in turn."""
    made = None
    for number, _ in tally.trials(range(count)):
        rate, channels = KINDS[number // len(READERS) % len(KINDS)]
        reader, files = list(READERS.items())[number % len(READERS)]
        path = folder / f"{rate}-{channels}.flac"
        if path != made:
            for old in folder.glob("*.flac"):
                old.unlink()
            frames, made = packed_file(path, rate, channels), path
        ended = in_child(read_all, reader, path, folder / f"cache{number}", seconds=files * MOST_SECONDS)
        fault = ended.fault()
        if fault is None and reader != "windows" and abs(ended.value - frames / rate) > 0.01:
            fault = f"{ended.value} of {frames / rate} s"
        label = f"{frames / rate:.0f} s of {channels} channels at {rate} Hz, {reader}"
        tally.add(number, f"number {number}, {label}", ended, "read as a whole", fault)
