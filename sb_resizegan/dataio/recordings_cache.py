"""Decodes files into shards of samples with an index each, once; the second time they are there."""

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.activity import active_level, active_regions
from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, mono_blocks, read_mono, signal_blocks
from sb_resizegan.dataio.finding import why_left_out
from sb_resizegan.dataio.long_signal import LongSignal, Signal, blocks_of, is_long
from sb_resizegan.dataio.prepare.sources import SourceFile
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.sample_shards import in_shards
from sb_resizegan.utils.files import replacing
from sb_resizegan.utils.locks import file_lock

__all__ = ["DecodingOptions", "NoRecordingsError", "load_or_build"]

logger = get_logger(__name__)

# Changes whenever the same files and options would give other samples.
FORMAT = 2
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
) -> tuple[list[Path], dict[str, Any]]:
    """Finds the samples of files in a folder, or else decodes the files. Other processes wait meanwhile.

    The samples lie in shards of some hundred files each (`in_shards`). A file that has changed, been added or
    gone has its shard decoded anew, and the others are taken as they are; so are those that an interrupted
    call has finished. Shards that are of no use any more are removed.

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
        Paths of the samples (for `MappedSamples`) and index: a dict of arrays. One entry per recording, in
        order: ``lengths`` in samples, ``scales`` (what to multiply samples with), ``rates`` in Hz of the
        file, ``levels`` (RMS of active parts), ``groups`` (number of the folder); one per stretch of
        activity: ``regions`` ``(regions, 2)``, ``region_owners``; and a list ``names`` and a dict
        ``skipped``.

    Raises
    ------
    NoRecordingsError
        If no file is usable.
    OSError
        If the samples cannot be written.
    """
    heading = json.dumps([FORMAT, *options])
    kind = hashlib.sha256(f"{heading} {sources}".encode()).hexdigest()[:8]
    shards = in_shards(files, [file.name for file in files])
    stems = [f"{kind}-{_fingerprint(shard, heading)}" for shard in shards]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / f".{kind}.lock"):
            # The hidden ones were left by a killed process: only the holder of the lock gets here.
            for old in (*folder.glob(f"{kind}-*"), *folder.glob(f".{kind}-*")):
                if old.stem not in stems:
                    old.unlink()
            found: list[Any] = [_read_index(folder / f"{stem}.npz", folder / f"{stem}.i16") for stem in stems]
            missing = sum(len(shard) for shard, index in zip(shards, found, strict=True) if index is None)
            progress = tqdm(
                total=missing, desc="Decoding", delay=2, mininterval=1, disable=not if_main_process()
            )
            with progress, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                for number, (stem, shard) in enumerate(zip(stems, shards, strict=True)):
                    if found[number] is None:
                        found[number] = _build(
                            _decode_all(shard, options, folder, pool, progress), folder / f"{stem}.i16"
                        )
                        # The index comes last: with it, the samples are whole.
                        with replacing(folder / f"{stem}.npz") as temporary:
                            np.savez(temporary, **found[number])
    except OSError as error:
        raise OSError(
            error.errno, f"the samples of {sources} cannot be kept in the cache folder {folder}: {error}"
        ) from error
    return [folder / f"{stem}.i16" for stem in stems], _joined(found, sources)


def _joined(shards: Sequence[Any], sources: Sequence[Any]) -> dict[str, Any]:
    """The index of all shards together."""
    skipped: dict[str, list[str]] = {}
    for shard in shards:
        for reason, names in json.loads(str(shard["skipped"])).items():
            skipped.setdefault(reason, []).extend(names)
    names = [name for shard in shards for name in json.loads(str(shard["names"]))]
    skipped = {reason: skipped[reason] for reason in sorted(skipped)}
    if not names:
        counts = ", ".join(f"{len(left)} {reason}" for reason, left in skipped.items())
        raise NoRecordingsError(
            f"{sources}: expected at least one usable recording, but found none; "
            f"left out: {counts or 'no files at all'}"
        )
    joined = {
        key: np.concatenate([shard[key] for shard in shards])
        for key in ("lengths", "scales", "rates", "levels", "regions")
    }
    before = np.cumsum([0, *(len(shard["lengths"]) for shard in shards)])
    joined["region_owners"] = np.concatenate(
        [shard["region_owners"] + first for shard, first in zip(shards, before, strict=False)]
    )
    folders = [json.loads(str(shard["folders"])) for shard in shards]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(itertools.chain(*folders)))}
    joined["groups"] = np.concatenate(
        [
            np.array([numbers[name] for name in own], dtype=np.int64)[shard["groups"]]
            for own, shard in zip(folders, shards, strict=True)
        ]
    )
    return {**joined, "names": names, "skipped": skipped}


def _fingerprint(files: Iterable[Any], heading: str) -> str:
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


def _read_index(index_path: Path, audio_path: Path) -> dict[str, Any] | None:
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


def _build(decoded_files: Iterable[Any], audio_path: Path) -> dict[str, Any]:
    """Writes the samples of a shard into one file; returns its index."""
    names, folders, decoded = [], [], []
    skipped: dict[str, list[str]] = {}
    with replacing(audio_path) as temporary, open(temporary, "wb") as stream:
        for file, result in decoded_files:
            if isinstance(result, str):
                skipped.setdefault(result, []).append(file.name)
                continue
            # tofile reports a full disk without saying so.
            for block in blocks_of(result.samples):
                stream.write(_to_16_bits(block, result.scale).data)
            names.append(file.name)
            folders.append(str(file.path.parent))
            decoded.append(result._replace(samples=len(result.samples)))
    numbers = {folder: number for number, folder in enumerate(dict.fromkeys(folders))}
    regions = [part.regions for part in decoded]
    return {
        "lengths": np.array([part.samples for part in decoded], dtype=np.int64),
        "scales": np.array([part.scale for part in decoded], dtype=np.float32),
        "rates": np.array([part.rate for part in decoded], dtype=np.int64),
        "levels": np.array([part.level for part in decoded], dtype=np.float64),
        "groups": np.array([numbers[folder] for folder in folders], dtype=np.int64),
        "folders": np.array(json.dumps(list(numbers))),
        "regions": np.concatenate([np.zeros((0, 2), dtype=np.int64), *regions]),
        "region_owners": np.repeat(np.arange(len(regions)), [len(part) for part in regions]),
        "names": np.array(json.dumps(names)),
        "skipped": np.array(json.dumps(skipped)),
    }


def _decode_all(
    files: Sequence[Any], options: Any, folder: Path, pool: Any, progress: Any
) -> Iterator[tuple[Any, Any]]:
    """Yields each file with what it holds, or with the reason why it cannot be used."""
    # libsndfile and the resampling work outside Python's lock: threads share the work.
    for first in range(0, len(files), DECODED_AT_ONCE):
        part = files[first : first + DECODED_AT_ONCE]
        results = pool.map(lambda file: _decode(file.path, options, folder), part)
        for file, result in zip(part, results, strict=True):
            progress.update()
            yield file, result


def _decode(path: Path, options: Any, folder: Path) -> Any:
    reason = why_left_out(path)
    if reason is not None:
        return reason
    try:
        header = audio_header(path)
        if is_long(header):
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


def _decode_long(path: Path, rate: int, options: Any, folder: Path) -> Any:
    """As `_decode`, by way of the disk: the memory does not grow with the recording."""
    channel = 0 if options.impulse_responses else None
    total, count = 0.0, 0
    for block, _ in mono_blocks(path, channel):
        total, count = total + block.sum(dtype=np.float64), count + len(block)
    if count < options.min_seconds * rate:
        return "too short"
    offset = 0.0 if options.impulse_responses else total / count
    waveform = LongSignal(signal_blocks(path, options.sample_rate, channel, offset), folder)
    peak = np.float32(max(np.abs(block).max() for block in blocks_of(waveform)))
    if peak == 0:
        return "silent"
    heard = waveform
    if options.impulse_responses:
        heard = LongSignal((block / peak for block in blocks_of(waveform)), folder)
    regions = active_regions(heard, options.sample_rate)
    if len(regions) == 0:
        return "silent"
    level, _ = active_level(waveform, regions)
    return _Decoded(waveform, float(peak / LARGEST), rate, level, regions)


def _to_16_bits(samples: np.ndarray, scale: float) -> np.ndarray:
    return samples if samples.dtype == np.int16 else np.rint(samples / scale).astype(np.int16)
