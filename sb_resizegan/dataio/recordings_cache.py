"""Decodes files into one file of samples and an index, once; the second time both are there."""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.activity import active_level, active_regions
from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, mono_blocks, read_mono, signal_blocks
from sb_resizegan.dataio.finding import why_left_out
from sb_resizegan.dataio.long_signal import LONG_SECONDS, LongSignal, Signal, blocks_of
from sb_resizegan.dataio.prepare.sources import SourceFile
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.utils.files import replacing
from sb_resizegan.utils.locks import file_lock

if TYPE_CHECKING:
    from sb_resizegan.dataio.recordings import Recordings

__all__ = ["DecodingOptions", "NoRecordingsError", "describe", "load_or_build", "map_samples", "report"]

logger = get_logger(__name__)

# Changes whenever the same files and options would give other samples.
FORMAT = 1
LARGEST = 32767
# Files whose samples wait to be written: bounds the memory whatever the size of the corpus.
DECODED_AT_ONCE = 64


class NoRecordingsError(ValueError):
    """Sources that hold no usable recording."""


class DecodingOptions(NamedTuple):
    """What the samples of a file depend on; see ``Recordings``."""

    sample_rate: int
    min_seconds: float
    impulse_responses: bool


class _Decoded(NamedTuple):
    samples: Signal  # LongSignal for long ones, not scaled yet
    scale: float
    rate: int
    level: float
    regions: np.ndarray


def load_or_build(
    files: list[SourceFile], folder: Path, sources: str, options: DecodingOptions
) -> tuple[Path, dict[str, np.ndarray]]:
    """Finds the samples of files in a folder, or else decodes the files. Other processes wait meanwhile.

    An earlier version of the same sources (a file has changed, been added or gone) is removed.

    Arguments
    ---------
    files : list of SourceFile
        What there is.
    folder : Path
        Where the samples are kept; made if missing.
    sources : str
        What the user calls the files, for messages.
    options : DecodingOptions
        How to decode.

    Returns
    -------
    tuple
        Path of the samples (for ``map_samples``) and index: a dict of arrays. One entry per recording, in
        order: ``lengths`` in samples, ``scales`` (what to multiply samples with), ``rates`` in Hz of the
        file, ``levels`` (RMS of active parts), ``groups`` (number of the folder); one per stretch of
        activity: ``regions`` ``(regions, 2)``, ``region_owners``; and as json ``names`` and ``skipped``.

    Raises
    ------
    NoRecordingsError
        If no file is usable.
    OSError
        If the samples cannot be written.
    """
    heading = json.dumps([FORMAT, *options])
    kind = hashlib.sha256(f"{heading} {sources}".encode()).hexdigest()[:8]
    stem = f"{kind}-{_fingerprint(files, heading)}"
    audio_path, index_path = folder / f"{stem}.i16", folder / f"{stem}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / f".{kind}.lock"):
            index = _read_index(index_path, audio_path)
            if index is None:
                # The hidden ones were left by a killed process: only the holder of the lock gets here.
                for old in (*folder.glob(f"{kind}-*"), *folder.glob(f".{kind}-*")):
                    old.unlink()
                index = _build(files, sources, audio_path, options)
                # The index comes last: with it, the samples are whole.
                with replacing(index_path) as temporary:
                    np.savez(temporary, **index)
    except OSError as error:
        raise OSError(
            error.errno, f"the samples of {sources} cannot be kept in the cache folder {folder}: {error}"
        ) from error
    return audio_path, index


def map_samples(path: Path) -> np.ndarray:
    """Maps a file of samples into memory: int16, ``(time,)``, all recordings one after the other."""
    return np.memmap(path, dtype=np.int16, mode="r")


def _fingerprint(files, heading):
    digest = hashlib.sha256(heading.encode())
    for file in files:
        try:
            status = os.stat(file.path)
            facts = (status.st_size, status.st_mtime_ns)
        except OSError:
            # Missing: reported as that later.
            facts = None
        digest.update(f"{file.path}\0{file.name}\0{facts}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _read_index(index_path, audio_path):
    """Returns None unless both files are there, readable, and fit each other."""
    if not (index_path.is_file() and audio_path.is_file()):
        return None
    try:
        with np.load(index_path) as stored:
            index = dict(stored)
    except (BadZipFile, EOFError, ValueError) as error:
        logger.warning("%s is damaged (%s): decoding anew", index_path, error)
        return None
    if audio_path.stat().st_size != 2 * index["lengths"].sum():
        logger.warning("%s is damaged (its size is wrong): decoding anew", audio_path)
        return None
    return index


def _build(files, sources, audio_path, options):
    """Decodes all files into one; returns the index."""
    names, folders, decoded, skipped = [], [], [], {}
    with replacing(audio_path) as temporary:
        with open(temporary, "wb") as stream:
            for file, result in _decode_all(files, options, audio_path.parent):
                if isinstance(result, str):
                    skipped.setdefault(result, []).append(file.name)
                    continue
                # tofile reports a full disk without saying so.
                for block in blocks_of(result.samples):
                    stream.write(_to_16_bits(block, result.scale).data)
                names.append(file.name)
                folders.append(str(file.path.parent))
                decoded.append(result._replace(samples=len(result.samples)))
        skipped = {reason: skipped[reason] for reason in sorted(skipped)}
        if not decoded:
            counts = ", ".join(f"{len(left)} {reason}" for reason, left in skipped.items())
            raise NoRecordingsError(
                f"{sources}: expected at least one usable recording, but found none; "
                f"left out: {counts or 'no files at all'}"
            )
    lengths, scales, rates, levels, regions = zip(*decoded, strict=True)
    numbers = {folder: number for number, folder in enumerate(dict.fromkeys(folders))}
    return {
        "lengths": np.array(lengths, dtype=np.int64),
        "scales": np.array(scales, dtype=np.float32),
        "rates": np.array(rates, dtype=np.int64),
        "levels": np.array(levels, dtype=np.float64),
        "groups": np.array([numbers[folder] for folder in folders], dtype=np.int64),
        "regions": np.concatenate(regions),
        "region_owners": np.repeat(np.arange(len(regions)), [len(part) for part in regions]),
        "names": np.array(json.dumps(names)),
        "skipped": np.array(json.dumps(skipped)),
    }


def _decode_all(files, options, folder):
    """Yields each file with what it holds, or with the reason why it cannot be used."""
    progress = tqdm(total=len(files), desc="Decoding", delay=2, mininterval=1, disable=not if_main_process())
    # libsndfile and the resampling work outside Python's lock: threads share the work.
    with progress, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for first in range(0, len(files), DECODED_AT_ONCE):
            part = files[first : first + DECODED_AT_ONCE]
            results = pool.map(lambda file: _decode(file.path, options, folder), part)
            for file, result in zip(part, results, strict=True):
                progress.update()
                yield file, result


def _decode(path, options, folder):
    reason = why_left_out(path)
    if reason is not None:
        return reason
    try:
        header = audio_header(path)
        if not options.impulse_responses and not (header.seconds or math.inf) <= LONG_SECONDS:
            return _decode_long(path, header.samplerate, options, folder)
        waveform, rate = read_mono(path, channel=0 if options.impulse_responses else None)
    except UnusableAudioError as error:
        logger.warning("Skipping %s", ascii(str(error)))
        return error.reason
    if len(waveform) < options.min_seconds * rate:
        return "too short"
    with np.errstate(over="ignore", invalid="ignore"):
        if not options.impulse_responses:
            # An impulse response has a mean by right: it is the room's gain at 0 Hz.
            waveform = waveform - waveform.mean(dtype=np.float64).astype(np.float32)
        waveform = resample(waveform, rate, options.sample_rate)
    peak = np.abs(waveform).max()
    if not np.isfinite(peak):
        return "not finite"
    if peak == 0:
        return "silent"
    regions = active_regions(waveform / peak if options.impulse_responses else waveform, options.sample_rate)
    if len(regions) == 0:
        return "silent"
    level, _ = active_level(waveform, regions)
    scale = peak / LARGEST
    return _Decoded(_to_16_bits(waveform, scale), scale, rate, level, regions)


def _decode_long(path, rate, options, folder):
    """As `_decode`, by way of the disk: the memory does not grow with the recording."""
    total, count = 0.0, 0
    for block, _ in mono_blocks(path):
        total, count = total + block.sum(dtype=np.float64), count + len(block)
    if count < options.min_seconds * rate:
        return "too short"
    blocks = signal_blocks(path, options.sample_rate, offset=total / count)
    waveform = LongSignal(blocks, folder)
    peak = np.float32(max(np.abs(block).max() for block in blocks_of(waveform)))
    if peak == 0:
        return "silent"
    regions = active_regions(waveform, options.sample_rate)
    if len(regions) == 0:
        return "silent"
    level, _ = active_level(waveform, regions)
    return _Decoded(waveform, peak / LARGEST, rate, level, regions)


def _to_16_bits(samples, scale):
    return samples if samples.dtype == np.int16 else np.rint(samples / scale).astype(np.int16)


def describe(sources: str | Path | Sequence[str | Path]) -> str:
    """What the user calls the sources, for messages."""
    sources = [sources] if isinstance(sources, str | os.PathLike) else sources
    return ", ".join(ascii(str(source))[1:-1] for source in sources)


def report(sources: str, recordings: "Recordings") -> None:
    """Logs how many recordings there are, and warns of what was left out and of what lacks the upper band."""
    logger.info("%s: %d recordings, %.1f minutes", sources, len(recordings), recordings.seconds / 60)
    for reason, names in recordings.skipped.items():
        logger.warning(
            "%s: left out as %s: %d files (first: %s)", sources, reason, len(names), ascii(names[0])
        )
    if recordings.below_sample_rate:
        logger.warning(
            "%s: %d recordings have a sampling rate below %d Hz and so lack the upper band",
            sources,
            recordings.below_sample_rate,
            recordings.sample_rate,
        )
