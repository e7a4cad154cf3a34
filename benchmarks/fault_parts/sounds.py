"""Broken sound files of every format, through every reader."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.fault_parts.tally import Tally
from benchmarks.fault_parts.trials import in_child
from sb_resizegan.dataio.audio import UnusableAudioError, audio_blocks, audio_header, read_mono
from sb_resizegan.dataio.cut_windows import cut_windows
from sb_resizegan.dataio.long_files import StreamedFile
from sb_resizegan.dataio.prepare.speech import examine_file
from sb_resizegan.dataio.recordings import NoRecordingsError, Recordings
from sb_resizegan.dataio.utterances import read_pair
from sb_resizegan.evaluation.folder_scores import FilePair
from sb_resizegan.evaluation.folder_scores import read_pair as read_file_pair

__all__ = ["FORMATS", "break_file", "readers_of", "sounds"]

RATE = 16000
FORMATS = {
    **{"wav": ("WAV", "PCM_16"), "float.wav": ("WAV", "FLOAT"), "ex.wav": ("WAVEX", "PCM_24")},
    **{"adpcm.wav": ("WAV", "IMA_ADPCM"), "rf64": ("RF64", "PCM_16"), "w64": ("W64", "PCM_16")},
    **{"aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16")},
    **{"alac.caf": ("CAF", "ALAC_16"), "nist": ("NIST", "PCM_16"), "flac": ("FLAC", "PCM_16")},
    **{"ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")},
}
SAMPLE_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
SAMPLE_BYTES |= {"FLOAT": 4, "DOUBLE": 8}
HEADER = 128


def break_file(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Breaks a file in one of the ways in which files break; returns the way and the bytes."""
    way = ("cut", "header", "header", "anywhere", "hole", "grown", "unknown", "twice")[rng.integers(8)]
    broken = bytearray(content)
    if way == "cut":
        broken = broken[: rng.integers(1, len(content))]
    elif way in ("header", "anywhere"):
        last = HEADER if way == "header" else len(content)
        for place in rng.integers(0, min(last, len(content)), rng.integers(1, 9)):
            broken[place] = rng.integers(256)
    elif way == "hole":
        first = int(rng.integers(0, len(content)))
        del broken[first : first + int(rng.integers(1, 4000))]
    elif way == "grown":
        first = int(rng.integers(0, len(content)))
        broken[first:first] = rng.bytes(int(rng.integers(1, 4000)))
    elif way == "unknown":
        first, size = int(rng.integers(0, HEADER)), int(rng.choice([4, 8]))
        broken[first : first + size] = (b"\0" if rng.random() < 0.5 else b"\xff") * size
    else:
        broken = broken * 2
    return way, bytes(broken)


def through_every_reader(path: Path, folder: Path) -> dict[str, str | float]:
    """What each reader makes of a file: seconds, or why it refuses; and what the decoder gave."""
    found = {}
    with contextlib.suppress(UnusableAudioError):
        header = audio_header(path)
        first, second = (list(audio_blocks(path)) for _ in range(2))
        frames = sum(len(block) for block, _ in first)
        found["same twice"] = all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, second, strict=True))
        found["finite"] = all(np.isfinite(block).all() for block, _ in first)
        found["bytes"] = frames * header.channels * SAMPLE_BYTES.get(header.subtype, 0)
        found["values"] = frames * header.channels
        del first, second
    for name, reader in readers_of(path, folder).items():
        try:
            seconds = reader()
            found[name] = seconds["length"] if isinstance(seconds, dict) else seconds
        except (UnusableAudioError, NoRecordingsError, ValueError) as error:
            named = path.name in str(error)
            found[name] = str(error) if named else f"NOT NAMED: {type(error).__name__}: {error}"
    return found


def readers_of(path: Path, folder: Path) -> dict[str, Callable]:
    """What reads a file, as functions without arguments; the cache goes into a folder."""
    return {
        "read": lambda: len(read_mono(path)[0]) / read_mono(path)[1],
        "prepare": lambda: examine_file(path, 0.0),
        "windows": lambda: cut_windows(path, 4).files,
        "cache": lambda: Recordings(path, cache_folder=folder).seconds,
        "pairs": lambda: len(read_pair({"clean": path, "noisy": path}, RATE)[0]) / RATE,
        "score": lambda: len(read_file_pair(FilePair("a", path, path, 0.0))[0]) / RATE,
        "enhance": lambda: StreamedFile(path, RATE).resampled_frames / RATE,
    }


def judge(found: dict, whole: dict, way: str) -> str | None:
    """What is silently wrong with what the readers said, or None."""
    lengths = [found[name] for name in ("read", "pairs", "score", "enhance")]
    unnamed = [value for value in found.values() if isinstance(value, str) and value.startswith("NOT NAMED")]
    if unnamed:
        return unnamed[0]
    if len({isinstance(length, str) for length in lengths}) > 1:
        return f"readers disagree: {lengths}"
    if "bytes" not in found:
        return None if isinstance(lengths[0], str) else "read, and not read"
    if not (found["same twice"] and found["finite"]):
        return "other samples at the second reading"
    if way in ("cut", "twice") and found["values"] != whole["values"]:
        return f"{found['values']} of {whole['values']} samples, and nothing said"
    if way == "unknown" and found["bytes"] and found["bytes"] < whole["bytes"]:
        return f"{found['bytes']} of {whole['bytes']} bytes of sound, and nothing said"
    return None


def sounds(tally: Tally, count: int, folder: Path) -> None:
    """``count`` broken files, each through every reader."""
    noise = (0.1 * np.random.default_rng(tally.seed).standard_normal(30000)).astype(np.float32)
    contents, whole = {}, {}
    for name, (form, subtype) in FORMATS.items():
        path = folder / f"whole.{name}"
        soundfile.write(path, noise, RATE, subtype, format=form)
        contents[name] = path.read_bytes()
        whole[name] = in_child(through_every_reader, path, folder / "cache").value
    for number, rng in tally.trials(range(count)):
        name = list(FORMATS)[number % len(FORMATS)]
        way, content = break_file(contents[name], rng)
        path = folder / f"broken.{name}"
        path.write_bytes(content)
        ended = in_child(through_every_reader, path, folder / "cache")
        fault = ended.fault() or judge(ended.value, whole[name], way)
        outcome = "named" if fault is None and isinstance(ended.value["read"], str) else "read as a whole"
        tally.add(number, f"seed {tally.seed}, number {number}, {name}, {way}", ended, outcome, fault)
