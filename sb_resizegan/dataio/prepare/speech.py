"""From any folder or list of speech to SpeechBrain manifests, with an account of what could not be used."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.activity import SILENCE_DB, frame_levels
from sb_resizegan.dataio.audio import UnusableAudioError, mono_blocks
from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.dataio.manifests import read_report, stamp_files
from sb_resizegan.dataio.prepare.parquet_audio import PARQUET
from sb_resizegan.dataio.prepare.sources import find_recordings
from sb_resizegan.utils.files import write_json

__all__ = [
    "NoSpeechError",
    "examine_file",
    "prepare_speech",
    "split_names",
    "split_places",
]

logger = get_logger(__name__)

MANIFESTS = {"train": "train.json", "valid": "valid.json"}
REPORT = "report.json"
# Changes whenever the same files and options would give other manifests.
FORMAT = 1


class NoSpeechError(ValueError):
    """A folder that holds too little usable speech to train on."""


def prepare_speech(
    data_folder: str | Path,
    save_folder: str | Path,
    sample_rate: int = 16000,
    valid_fraction: float = 0.1,
    min_seconds: float = 0.128,
    seed: int = 0,
) -> dict:
    """Makes ``train.json``, ``valid.json`` and ``report.json`` for a folder or a list of recordings.

    Every file of the folder and below is looked at, links included (each file once). What cannot be used is
    left out, counted and named in the report, under one of: "not audio" and "unreadable format" (by their
    endings), "unreadable", "corrupt", "empty", "not finite" (NaN or Inf), "too short", "silent" (no 20 ms
    above −60 dBFS). Hidden files, such as ``._a.wav`` beside ``a.wav``, do not count.

    The split is by file and depends on each file's own path and the seed alone, so that new files do not move
    the old ones; only where a side would be empty does it get the nearest file. If nothing has changed since
    the last call (options; files' names, sizes and times), nothing is read or written.

    Arguments
    ---------
    data_folder : str or Path
        Where the recordings are: a folder, or one of the lists that `find_recordings()` reads, by whose
        folder ``{data_root}`` stands; any sampling rate, any number of channels.
    save_folder : str or Path
        Where the manifests go; made if missing. If it lies in ``data_folder``, it isn't searched.
    sample_rate : int
        Rate in Hz of the training to come; files below it are counted in the report, since they lack
        the upper band.
    valid_fraction : float
        Expected part of the files that goes to validation, above 0 and below 1.
    min_seconds : float
        Shorter files are left out; the default is a window of 2048 samples at 16 kHz.
    seed : int
        Of the split.

    Returns
    -------
    dict
        The report: "train" and "valid" (each with "files" and "seconds"), "skipped" (reason to list of
        names), "below_sample_rate" (a count), "stamp".

    Raises
    ------
    FileNotFoundError
        If ``data_folder`` is neither a folder nor a list.
    NoSpeechError
        If fewer than two files are usable.
    ValueError
        If an option is out of range.

    Example
    -------
    >>> import numpy as np, soundfile
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.flac", "c.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(16000)), 16000)
    >>> report = prepare_speech(folder, folder / "manifests")
    >>> report["train"]["files"] + report["valid"]["files"], report["skipped"]
    (3, {})
    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction: expected a number above 0 and below 1, but got {valid_fraction!r}")
    if not min_seconds >= 0:
        raise ValueError(f"min_seconds: expected a number of at least 0, but got {min_seconds!r}")
    if not sample_rate > 0:
        raise ValueError(f"sample_rate: expected a rate above 0 Hz, but got {sample_rate!r}")
    data_folder, save_folder = Path(data_folder).absolute(), Path(save_folder).absolute()
    if not data_folder.exists():
        raise FileNotFoundError(
            f"data_folder: expected a folder or a list of speech, but there is no {data_folder}"
        )
    if data_folder.resolve() == save_folder.resolve():
        raise ValueError(f"save_folder: expected another folder than data_folder, but both are {data_folder}")
    data_folder, names = _named_files(data_folder, save_folder)
    options = [FORMAT, sample_rate, valid_fraction, min_seconds, seed]
    stamp = stamp_files(names, options, data_folder)
    done = read_report(save_folder / REPORT, stamp)
    if done is not None and all((save_folder / name).is_file() for name in MANIFESTS.values()):
        logger.info("Manifests in %s are up to date", save_folder)
        return done

    usable, skipped = _examine(data_folder, names, min_seconds)
    if len(usable) < 2:
        raise NoSpeechError(_no_speech_message(data_folder, usable, skipped))
    entries = dict(zip(MANIFESTS, _split(usable, valid_fraction, seed), strict=True))
    report: dict[str, Any] = {
        side: {"files": len(part), "seconds": round(sum(entry["length"] for entry in part.values()), 3)}
        for side, part in entries.items()
    }
    report["skipped"] = skipped
    report["below_sample_rate"] = sum(entry["sample_rate"] < sample_rate for entry in usable.values())
    report["stamp"] = stamp
    save_folder.mkdir(parents=True, exist_ok=True)
    # The report vouches for the manifests: it goes first and comes last.
    (save_folder / REPORT).unlink(missing_ok=True)
    for side, part in entries.items():
        write_json(save_folder / MANIFESTS[side], part)
    write_json(save_folder / REPORT, report)
    _log(report, save_folder)
    return report


def _named_files(source: Path, save_folder: Path) -> tuple[Path, list[str]]:
    """The folder that names are relative to, and the names; of what lies elsewhere, the path."""
    if source.is_dir():
        # A copy by link must not get from training into validation.
        names = list(files_below(source, save_folder, once=True))
        if not any(name.lower().endswith(PARQUET) for name in names):
            return source, names
    root = source if source.is_dir() else source.parent
    paths = [file.path for file in find_recordings(source, save_folder)]
    return root, [
        path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path) for path in paths
    ]


def _examine(
    data_folder: Path, names: Sequence[str], min_seconds: float
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Reads all files; returns manifest entries of the usable ones and names of the others by reason."""
    usable: dict[str, Any] = {}
    skipped: dict[str, list[str]] = {}
    # libsndfile decodes outside Python's lock: threads share the work.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda name: examine_file(data_folder / name, min_seconds), names)
        for name, result in tqdm(
            zip(names, results, strict=True), total=len(names), desc="Reading files", delay=2
        ):
            if isinstance(result, str):
                skipped.setdefault(result, []).append(name)
            else:
                # The manifest's strings are format strings to SpeechBrain.
                path = name.replace("{", "{{").replace("}", "}}")
                path = path if os.path.isabs(name) else "{data_root}/" + path
                usable[name] = {"wav": path, **result}
    return usable, {reason: skipped[reason] for reason in sorted(skipped)}


def examine_file(path: Path, min_seconds: float) -> dict | str:
    """Reads a file to its end and says whether it can be used.

    Arguments
    ---------
    path : Path
        Audio file.
    min_seconds : float
        Length that it must have.

    Returns
    -------
    dict or str
        "length" in seconds and "sample_rate" in Hz, or else the reason why it can't be used: see
        ``prepare_speech``.

    Example
    -------
    >>> examine_file(Path("nowhere.wav"), 1.0)
    'missing'
    """
    reason = why_left_out(path)
    if reason is not None:
        return reason
    samples, loudest, rate = 0, -float("inf"), 0
    try:
        for block, rate in mono_blocks(path):
            samples += len(block)
            loudest = max(loudest, frame_levels(block, rate).max())
    except UnusableAudioError as error:
        logger.warning("Skipping %s", ascii(str(error)))
        return error.reason
    if samples < min_seconds * rate:
        return "too short"
    if loudest < SILENCE_DB:
        return "silent"
    return {"length": samples / rate, "sample_rate": rate}


def split_names(names: Iterable[str], valid_fraction: float, seed: int) -> set[str]:
    """Chooses files for validation by a number in [0, 1) that each name has of its own.

    Arguments
    ---------
    names : iterable of str
        At least two.
    valid_fraction : float
        Expected part of the names that is chosen.
    seed : int
        Of the split.

    Returns
    -------
    set of str
        The names for validation: at least one, and never all of them.

    Example
    -------
    >>> len(split_names(["a", "b"], 0.5, seed=0))
    1
    """
    place = dict(zip(names := list(names), split_places(names, seed), strict=True))
    lowest, highest = min(place, key=place.__getitem__), max(place, key=place.__getitem__)
    valid = {name for name in place if place[name] < valid_fraction}
    return (valid | {lowest}) - {highest}


def split_places(names: Iterable[str], seed: int) -> np.ndarray:
    """A number in [0, 1) for each name, which others do not change.

    Arguments
    ---------
    names : iterable of str
    seed : int
        Of the split.

    Returns
    -------
    numpy.ndarray
        ``(names,)``, float64.

    Example
    -------
    >>> split_places(["a", "b"], seed=0).shape
    (2,)
    """

    def place(name: str) -> float:
        digest = hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    return np.fromiter(map(place, names), dtype=np.float64)


def _split(usable: dict[str, Any], valid_fraction: float, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    valid = split_names(usable, valid_fraction, seed)
    return (
        {name: entry for name, entry in usable.items() if name not in valid},
        {name: entry for name, entry in usable.items() if name in valid},
    )


def _no_speech_message(
    data_folder: Path, usable: Mapping[str, Any], skipped: Mapping[str, Sequence[str]]
) -> str:
    counts = ", ".join(f"{len(names)} {reason}" for reason, names in skipped.items()) or "no files at all"
    found = f"expected at least two files of usable speech (one to validate on), but found {len(usable)}"
    return f"data_folder: {found} in {data_folder}; left out: {counts}"


def _log(report: Mapping[str, Any], save_folder: Path) -> None:
    for side in MANIFESTS:
        logger.info("%s: %d files, %.1f minutes", side, report[side]["files"], report[side]["seconds"] / 60)
    for reason, names in report["skipped"].items():
        logger.warning("Left out as %s: %d files (named in %s)", reason, len(names), save_folder / REPORT)
    if report["below_sample_rate"]:
        logger.warning(
            "%d files have a lower sampling rate than the training and so lack its upper band",
            report["below_sample_rate"],
        )
