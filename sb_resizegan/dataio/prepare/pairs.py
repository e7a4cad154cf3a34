"""From a corpus of clean and noisy recordings to SpeechBrain manifests; what is left out is named."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.manifests import read_report, stamp_files
from sb_resizegan.dataio.prepare.pair_checks import UsablePair, check_pairs
from sb_resizegan.dataio.prepare.pair_layouts import find_pair_files
from sb_resizegan.dataio.prepare.pair_lists import WAV_KEYS
from sb_resizegan.dataio.prepare.pair_matching import FoundPairs, NoPairsError, PairFiles
from sb_resizegan.dataio.prepare.speech import split_names
from sb_resizegan.utils.checks import check_count
from sb_resizegan.utils.files import write_json
from sb_resizegan.utils.locks import file_lock

__all__ = ["prepare_pairs"]

logger = get_logger(__name__)

SPLITS = ("train", "valid", "test")
REPORT = "report.json"
COPIES_FOLDER = "resampled"
# The speakers whom SpeechBrain's VoiceBank recipe validates on.
VALID_SPEAKERS = {"p226", "p287"}
# Changes whenever the same files and options would give other manifests.
FORMAT = 2


def prepare_pairs(
    data_folder: str | Path,
    save_folder: str | Path,
    sample_rate: int = 16000,
    layout: str | None = None,
    split: str | None = None,
    valid_fraction: float = 0.05,
    min_seconds: float = 0.25,
    seed: int = 0,
) -> dict:
    """Makes ``train.json``, ``valid.json``, ``test.json`` (those that have pairs) and ``report.json``.

    The layouts of VoiceBank-DEMAND, DNS-Challenge, plain folders and csv lists are told apart by themselves
    (``find_pair_files``). A manifest has the keys of SpeechBrain's VoiceBank recipe,
    ``{id: {"clean_wav", "noisy_wav", "length"}}``, paths and seconds, with "snr_db" where the corpus states
    it (the logs of VoiceBank-DEMAND, the names of DNS-Challenge, a list's column). ``{data_root}`` in a path
    stands for the report's "data_root", ``{save_root}`` for the manifest's own folder:
    ``read_pair_manifest`` knows that.

    Every file is read to its end. A pair is left out, counted and named in the report, under one of: "no
    partner", "missing" (a list names what isn't there), "same name twice", "not audio" (by its ending),
    "unreadable", "corrupt", "empty", "not finite" (NaN or Inf), "too short", "silent" (no 20 ms above −60
    dBFS; either file), "different rates", "different lengths". Lengths may differ by 5 ms: readers cut both
    to the shorter, and the report counts such pairs under "cut".

    Pairs at another rate are resampled once, as 32-bit float wav files (at 16 kHz 0.46 GB per hour of
    pairs) in ``save_folder/resampled``; the corpus is never written to. Files appear there whole or not at
    all: after a crash or a full disk, the next call goes on with what is missing. If nothing has changed
    since the last call (options; files' names, sizes and times), no audio is read and nothing is written.

    A corpus without pairs for validation gets them from training: of VoiceBank-DEMAND, the speakers p226 and
    p287 as in SpeechBrain's recipe (without them, other whole speakers), else by each pair's name and the
    seed alone.

    Arguments
    ---------
    data_folder : str or Path
        The corpus: a folder, or a csv list.
    save_folder : str or Path
        Where the manifests go; made if missing. It may lie in ``data_folder``; it isn't searched.
    sample_rate : int
        In Hz, of the pairs in the manifests.
    layout : str, optional
        One of ``LAYOUTS``; found out by default.
    split : str, optional
        "train", "valid" or "test" puts all pairs into that manifest.
    valid_fraction : float
        Expected part of the training pairs (of the speakers, for VoiceBank-DEMAND without p226 and p287)
        that is held out, above 0 and below 1.
    min_seconds : float
        Shorter pairs are left out; the default is what PESQ needs.
    seed : int
        Of the split.

    Returns
    -------
    dict
        The report: "layout", "data_root", for each manifest "pairs" and "seconds", "skipped" (reason to list
        of names), "resampled", "cut", "below_sample_rate" (numbers of pairs), "stamp".

    Raises
    ------
    FileNotFoundError
        If there is no ``data_folder``.
    NoPairsError
        If no layout is found, or no pair of it is usable.
    ValueError
        If an option is out of range, or a list has a wrong line.
    OSError
        If something cannot be written; what was written before stays and counts.

    Example
    -------
    >>> import numpy as np, soundfile
    >>> folder = getfixture("tmp_path")
    >>> for side, gain in (("clean", 0.1), ("noisy", 0.2)):
    ...     (folder / side).mkdir()
    ...     for name in ("a.wav", "b.wav"):
    ...         soundfile.write(folder / side / name, gain * np.sin(np.arange(48000)), 48000)
    >>> report = prepare_pairs(folder, folder / "manifests")
    >>> report["layout"], report["train"], report["valid"]["pairs"], report["resampled"]
    ('folders', {'pairs': 1, 'seconds': 1.0}, 1, 2)
    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction: expected a number above 0 and below 1, but got {valid_fraction!r}")
    if not min_seconds >= 0:
        raise ValueError(f"min_seconds: expected a number of at least 0, but got {min_seconds!r}")
    check_count("sample_rate", sample_rate)
    data_folder, save_folder = Path(data_folder).absolute(), Path(save_folder).absolute()
    if data_folder.resolve() == save_folder.resolve():
        raise ValueError(f"save_folder: expected another folder than data_folder, but both are {data_folder}")
    found = find_pair_files(data_folder, layout, split, sample_rate, ignored_folder=save_folder)
    data_root = data_folder.parent if data_folder.is_file() else data_folder
    options = [FORMAT, str(data_root), found.layout, split, sample_rate, valid_fraction, min_seconds, seed]
    stamp = stamp_files(_watched_names(found, data_root), options, data_root)

    def held_out_of(pairs: Sequence[PairFiles]) -> set[str]:
        return _held_out(found.layout, pairs, valid_fraction, seed) if split is None else set()

    save_folder.mkdir(parents=True, exist_ok=True)
    with file_lock(save_folder / ".pairs.lock"):
        done = read_report(save_folder / REPORT, stamp)
        if done is not None and _is_whole(save_folder, done):
            logger.info("Manifests of pairs in %s are up to date", save_folder)
            return done
        with _explained(save_folder):
            return _make_manifests(
                found, held_out_of, data_root, save_folder, sample_rate, min_seconds, stamp
            )


def _make_manifests(
    found: FoundPairs,
    held_out_of: Callable,
    data_root: Path,
    save_folder: Path,
    sample_rate: int,
    min_seconds: float,
    stamp: str,
) -> dict[str, Any]:
    copies_folder = save_folder / COPIES_FOLDER
    _remove_files(copies_folder, lambda path: path.name.startswith("."))
    results = check_pairs(found.pairs, data_root, copies_folder, sample_rate, min_seconds)
    usable, skipped = [], {reason: list(paths) for reason, paths in found.left_out.items()}
    for pair, result in zip(found.pairs, results, strict=True):
        if isinstance(result, UsablePair):
            usable.append((pair, result))
        else:
            skipped.setdefault(result.reason, []).append(result.path)
    skipped = {
        reason: sorted(_name_of(path, data_root) for path in skipped[reason]) for reason in sorted(skipped)
    }
    if not usable:
        counts = ", ".join(f"{len(names)} {reason}" for reason, names in skipped.items()) or "no audio files"
        raise NoPairsError(
            f"data_folder: expected at least one usable pair, but there is none in {data_root} "
            f"(layout: {found.layout}); left out: {counts}"
        )
    held_out = held_out_of([pair for pair, _ in usable])
    entries: dict[str, dict[str, Any]] = {}
    for pair, result in usable:
        side = "valid" if pair.split == "train" and pair.name in held_out else pair.split
        entries.setdefault(side, {})[pair.name] = _entry(pair, result, data_root, save_folder)
    report: dict[str, Any] = {"layout": found.layout, "data_root": str(data_root)}
    for side in SPLITS:
        if side in entries:
            seconds = sum(entry["length"] for entry in entries[side].values())
            report[side] = {"pairs": len(entries[side]), "seconds": round(seconds, 3)}
    report["skipped"] = skipped
    report["resampled"] = sum(result.original_rate != sample_rate for _, result in usable)
    report["cut"] = sum(result.is_cut for _, result in usable)
    report["below_sample_rate"] = sum(result.original_rate < sample_rate for _, result in usable)
    report["stamp"] = stamp
    # The report vouches for the manifests: it goes first and comes last.
    for name in (REPORT, *(f"{side}.json" for side in SPLITS)):
        (save_folder / name).unlink(missing_ok=True)
    for side, part in entries.items():
        write_json(save_folder / f"{side}.json", part)
    write_json(save_folder / REPORT, report)
    kept = {file for _, result in usable for file in (result.clean, result.noisy)}
    _remove_files(copies_folder, lambda path: path not in kept)
    _log(report, save_folder)
    return report


def _watched_names(found: FoundPairs, data_root: Path) -> list[str]:
    """Names of all files that the outcome depends on."""
    paths = [path for pair in found.pairs for path in (pair.clean, pair.noisy) if path is not None]
    paths += found.texts + [path for left_out in found.left_out.values() for path in left_out]
    return sorted({os.path.relpath(path, data_root) for path in paths})


def _name_of(path: Path, data_root: Path) -> str:
    return path.relative_to(data_root).as_posix() if path.is_relative_to(data_root) else str(path)


def _is_whole(save_folder: Path, report: Mapping[str, Any]) -> bool:
    """Whether the manifests of a report are there, and the resampled files that they name."""
    for side in SPLITS:
        path = save_folder / f"{side}.json"
        if (side in report) != path.is_file():
            return False
        if side in report and report["resampled"]:
            try:
                entries = json.loads(path.read_text(encoding="utf-8")).values()
            except ValueError:
                return False
            files = [entry[key] for entry in entries for key in WAV_KEYS.values()]
            copies = [file.format(save_root=save_folder) for file in files if file.startswith("{save_root}")]
            if not all(map(os.path.isfile, copies)):
                return False
    return True


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Says what a failure to write means."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}: the manifests are not complete. What was written stays, and nothing "
            f"half-written counts: make room (or see to the cause) and start again to go on",
            error.filename or str(folder),
        ) from error


def _remove_files(folder: Path, is_unwanted: Callable[[Path], bool]) -> None:
    for path in folder.glob("*") if folder.is_dir() else ():
        if is_unwanted(path):
            path.unlink()


def _held_out(layout: str, pairs: Sequence[PairFiles], valid_fraction: float, seed: int) -> set[str]:
    """Names of the training pairs that are to serve for validation."""
    training = [pair for pair in pairs if pair.split == "train"]
    if not training or any(pair.split == "valid" for pair in pairs):
        return set()
    speakers = {pair.speaker for pair in training if pair.speaker is not None}
    if layout.startswith("voicebank") and len(speakers) > 1:
        chosen = VALID_SPEAKERS & speakers
        if not chosen or chosen == speakers:
            chosen = split_names(sorted(speakers), valid_fraction, seed)
        return {pair.name for pair in training if pair.speaker in chosen}
    if len(training) > 1:
        return split_names([pair.name for pair in training], valid_fraction, seed)
    logger.warning("A single training pair: none is left to validate on")
    return set()


def _entry(pair: PairFiles, result: UsablePair, data_root: Path, save_folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {
        WAV_KEYS[side]: _manifest_path(path, data_root, save_folder)
        for side, path in (("clean", result.clean), ("noisy", result.noisy))
    }
    entry["length"] = result.length
    return entry if pair.snr_db is None else {**entry, "snr_db": pair.snr_db}


def _manifest_path(path: Path, data_root: Path, save_folder: Path) -> str:
    if path.is_relative_to(save_folder / COPIES_FOLDER):
        return "{save_root}/" + _escaped(path.relative_to(save_folder).as_posix())
    if path.is_relative_to(data_root):
        return "{data_root}/" + _escaped(path.relative_to(data_root).as_posix())
    return _escaped(str(path))


def _escaped(path: str) -> str:
    # The manifest's strings are format strings to SpeechBrain.
    return path.replace("{", "{{").replace("}", "}}")


def _log(report: Mapping[str, Any], save_folder: Path) -> None:
    for side in SPLITS:
        if side in report:
            logger.info(
                "%s: %d pairs, %.1f minutes", side, report[side]["pairs"], report[side]["seconds"] / 60
            )
    for reason, names in report["skipped"].items():
        logger.warning("Left out as %s: %d (named in %s)", reason, len(names), save_folder / REPORT)
    if report["below_sample_rate"]:
        logger.warning(
            "%d pairs have a lower sampling rate than the training and so lack its upper band",
            report["below_sample_rate"],
        )
