"""Listens to pairs of recordings: can they be trained on? Brings them to one sampling rate."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from sb_resizegan.dataio.audio import UnusableAudioError, signal_blocks
from sb_resizegan.dataio.prepare.pair_matching import PairFiles
from sb_resizegan.dataio.prepare.speech import examine_file
from sb_resizegan.dataio.sinks import sound_sink
from sb_resizegan.utils.files import replacing

__all__ = ["LENGTH_TOLERANCE_SECONDS", "RejectedPair", "UsablePair", "check_pairs", "within_tolerance"]

# Converters of sampling rates round a file's length in different ways, none by more than this.
LENGTH_TOLERANCE_SECONDS = 0.005
# Changes whenever the same file would give another copy.
FORMAT = 1


class UsablePair(NamedTuple):
    """A pair that can be trained on.

    Arguments
    ---------
    clean, noisy : Path
        Files at the wanted rate: the corpus' own or resampled copies.
    length : float
        Of the shorter one, in seconds.
    original_rate : int
        In Hz, of the corpus' files.
    is_cut : bool
        Whether the files' lengths differ, within the tolerance.
    """

    clean: Path
    noisy: Path
    length: float
    original_rate: int
    is_cut: bool


class RejectedPair(NamedTuple):
    """Why a pair cannot be used, and the file that it is due to."""

    reason: str
    path: Path | None


def within_tolerance(seconds: float, other_seconds: float, sample_rate: int) -> bool:
    """Whether two recordings are equally long, but for what converters of sampling rates do.

    Example
    -------
    >>> within_tolerance(1.0, 1.005, 16000), within_tolerance(1.0, 1.006, 16000)
    (True, False)
    """
    # Half a sample more, for what floating-point numbers do.
    return abs(seconds - other_seconds) <= LENGTH_TOLERANCE_SECONDS + 0.5 / sample_rate


def check_pairs(
    pairs: list[PairFiles], data_root: Path, copies_folder: Path, sample_rate: int, min_seconds: float
) -> list[UsablePair | RejectedPair]:
    """Reads all files to their ends, and resamples those that have another rate.

    Arguments
    ---------
    pairs : list of PairFiles
        From ``find_pair_files``.
    data_root : Path
        The copies' names depend on the files' paths relative to it.
    copies_folder : Path
        Where the resampled files go, each there whole or not at all; those that are there are not made again.
    sample_rate : int
        In Hz.
    min_seconds : float
        Shorter pairs are rejected.

    Returns
    -------
    list of UsablePair or RejectedPair
        In the order of ``pairs``.

    Raises
    ------
    OSError
        If a copy cannot be written.
    """

    def check(pair: PairFiles) -> UsablePair | RejectedPair:
        return _check(pair, data_root, copies_folder, sample_rate, min_seconds)

    # libsndfile and the resampling filter work outside Python's lock: threads share the work.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(tqdm(pool.map(check, pairs), total=len(pairs), desc="Checking pairs", delay=2))


def _check(
    pair: PairFiles, data_root: Path, copies_folder: Path, sample_rate: int, min_seconds: float
) -> UsablePair | RejectedPair:
    if pair.clean is None or pair.noisy is None:
        return RejectedPair("no partner", pair.clean or pair.noisy)
    files = [pair.clean, pair.noisy]
    facts = []
    for path in files:
        result = examine_file(path, min_seconds)
        if isinstance(result, str):
            return RejectedPair(result, path)
        facts.append(result)
    rates = [result["sample_rate"] for result in facts]
    lengths = [result["length"] for result in facts]
    if rates[0] != rates[1]:
        return RejectedPair("different rates", pair.noisy)
    if not within_tolerance(lengths[0], lengths[1], rates[0]):
        return RejectedPair("different lengths", pair.noisy)
    if rates[0] != sample_rate:
        copies = []
        for path in files:
            try:
                copies.append(_resampled(path, data_root, copies_folder, sample_rate))
            except UnusableAudioError as error:
                return RejectedPair(error.reason, path)
        files = copies
    return UsablePair(files[0], files[1], min(lengths), rates[0], lengths[0] != lengths[1])


def _resampled(path: Path, data_root: Path, copies_folder: Path, sample_rate: int) -> Path:
    """The file's copy at another rate, made unless it is there."""
    status = path.stat()
    facts = [FORMAT, os.path.relpath(path, data_root), status.st_size, status.st_mtime_ns, sample_rate]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]
    # Short enough for every file system; a point in front is for files in the making.
    copy = copies_folder / f"{path.stem[:40].lstrip('.')}-{digest}.wav"
    if copy.is_file():
        return copy
    with (
        replacing(copy) as temporary,
        sound_sink(temporary, sample_rate, 1, "WAV", "FLOAT", name=copy) as audio,
    ):
        for block in signal_blocks(path, sample_rate):
            audio.write(block)
    return copy
