"""Decodes files into shards of samples with an index each, once; the second time they are there."""

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.activity import active_level, active_regions
from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, mono_blocks, read_mono, signal_blocks
from sb_resizegan.dataio.finding import why_left_out
from sb_resizegan.dataio.joined_index import NoRecordingsError
from sb_resizegan.dataio.long_signal import LongSignal, Signal, blocks_of, is_long
from sb_resizegan.dataio.prepare.sources import SourceFile, SourceFiles
from sb_resizegan.dataio.prepare.tars import is_tar, tar_members
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.shard_plans import Plan, make_plan, read_shard, whole_index, write_index
from sb_resizegan.utils.files import replacing
from sb_resizegan.utils.mapped_arrays import MappedArrays
from sb_resizegan.utils.processes import gathered, local_rank, of_first, of_machine
from sb_resizegan.utils.shared_pieces import SharedPieces

__all__ = ["DecodingOptions", "NoRecordingsError", "load_or_build"]

logger = get_logger(__name__)

# Changes whenever the same files and options would give other samples.
FORMAT = 2
LARGEST = 32767
# Files whose samples wait to be written: bounds the memory whatever the size of the corpus.
DECODED_AT_ONCE = 64


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
    find: Callable[[], SourceFiles], folder: Path, sources: str, options: DecodingOptions, share: float = 1.0
) -> tuple[list[Path], MappedArrays, bool]:
    """Finds the samples of files in a folder, or else decodes the files, together with whoever does so too.

    The samples lie in shards of some hundred files each (`in_shards`). A file that has changed, been added or
    gone has its shard decoded anew, and the others are taken as they are; so are those that an interrupted
    call has finished. Shards that are of no use any more are removed. Processes that want the same shards,
    of one training or of several commands, take them as they go. Of a training, one process of each machine
    lists the files.

    Arguments
    ---------
    find : callable
        Lists what there is.
    folder : Path
        Where the samples are kept; made if missing.
    sources : str
        What the user calls the files, for messages.
    options : DecodingOptions
        How to decode.
    share : float
        Part of the files that is enough for now; the rest is decoded beside what follows. Of a training, all
        processes get the same shards.

    Returns
    -------
    tuple
        Paths of the samples (for `MappedSamples`), what `joined_index()` gives, mapped, and whether that is
        of all shards.

    Raises
    ------
    NoRecordingsError
        If no file is usable.
    OSError
        If the samples cannot be written.
    """
    heading = json.dumps([FORMAT, *options])
    try:
        plan = of_machine(lambda: make_plan(find(), folder, sources, heading))
        total = len(plan.stems)
        index = whole_index(folder, plan.stems)
        if not all(gathered(index is not None)):
            chosen = _made(folder, plan, options, share)
            plan = plan._replace(stems=[plan.stems[number] for number in chosen])
            index = whole_index(folder, plan.stems)
        if index is None:
            index = write_index(folder, plan.stems, sources)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.errno is None:
            raise  # there is no such source
        raise OSError(
            error.errno, f"the samples of {sources} cannot be kept in the cache folder {folder}: {error}"
        ) from error
    return [folder / f"{stem}.i16" for stem in plan.stems], index, len(plan.stems) == total


def _made(folder: Path, plan: Plan, options: DecodingOptions, share: float) -> Sequence[int]:
    """Numbers of the shards that are there, once these hold a share of the files; the rest is made behind."""
    begins, ends = [0, *plan.ends[:-1].tolist()], plan.ends.tolist()
    threads = min(8, os.cpu_count() or 1)

    def is_there(number: int) -> bool:
        return read_shard(folder, plan.stems[number]) is not None

    def make(number: int, step: Callable[[], object]) -> None:
        files, stem = plan.files[begins[number] : ends[number]], plan.stems[number]
        with ThreadPoolExecutor(threads) as pool:
            in_tar = len(files) == 1 and is_tar(files[0].name)
            decoded = (
                _decode_tar(files[0].name, options, folder, pool)
                if in_tar
                else _decode_all(files, options, folder, pool, step)
            )
            index = _build(decoded, folder / f"{stem}.i16")
        if in_tar:
            step()
        # The index comes last: with it, the samples are whole.
        with replacing(folder / f"{stem}.npz") as temporary:
            np.savez(temporary, **index)

    pieces = SharedPieces(folder, plan.stems, is_there, make)
    done = set(pieces.there())

    def enough() -> bool:
        # Those of others count too.
        done.update(number for number in range(len(plan.stems)) if number not in done and is_there(number))
        return sum(ends[number] - begins[number] for number in done) >= share * ends[-1]

    missing = [number for number in range(len(plan.stems)) if number not in done]
    # Processes of one machine begin at different shards.
    first = len(missing) * local_rank() // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    missing = missing[first:] + missing[:first]
    total = sum(ends[number] - begins[number] for number in missing)
    with tqdm(
        total=total, desc="Decoding", delay=2, mininterval=1, disable=not if_main_process()
    ) as progress:
        if share < 1 and ends:
            pieces.make(missing, progress.update, enough)
            chosen = of_first(pieces.there)
        else:
            chosen = range(len(plan.stems))
        # Another machine may have its own, and a shard may have been removed since.
        pieces.make(chosen, progress.update)
    if len(chosen) < len(plan.stems):
        pieces.make_behind(missing)
    return chosen


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
    files: SourceFiles,
    options: DecodingOptions,
    folder: Path,
    pool: ThreadPoolExecutor,
    step: Callable[[], object],
) -> Iterator[tuple[SourceFile, Any]]:
    """Yields each file with what it holds, or with the reason why it cannot be used."""
    # libsndfile and the resampling work outside Python's lock: threads share the work.
    for first in range(0, len(files), DECODED_AT_ONCE):
        part = files[first : first + DECODED_AT_ONCE]
        results = pool.map(lambda file: _decode(file.path, options, folder), part)
        for file, result in zip(part, results, strict=True):
            step()
            yield file, result


def _decode_tar(
    url: str, options: DecodingOptions, folder: Path, pool: ThreadPoolExecutor
) -> Iterator[tuple[SourceFile, Any]]:
    """As `_decode_all`, of the sound files in a tar; a voice's recordings have one parent."""
    members = tar_members(url)
    with tempfile.TemporaryDirectory(prefix="sb_resizegan_tar_") as place:
        while part := list(itertools.islice(members, DECODED_AT_ONCE)):
            paths = [Path(place) / str(n) / Path(member.name).name for n, member in enumerate(part)]
            for path, member in zip(paths, part, strict=True):
                path.parent.mkdir()
                path.write_bytes(member.content)
            results = pool.map(lambda path: _decode(path, options, folder), paths)
            for path, member, result in zip(paths, part, results, strict=True):
                path.unlink()
                path.parent.rmdir()
                name = Path(member.name)
                # Without a folder or a speaker, nobody knows who else has this voice.
                voice = member.speaker or (name.parent.name and str(name.parent)) or member.name
                yield SourceFile(Path(url) / voice / name.name, member.name), result


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
