"""Files of clean and noisy speech, matched to pairs: what a layout finds, before anybody has listened."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sb_resizegan.dataio.finding import files_below, why_left_out

__all__ = ["FoundPairs", "NoPairsError", "PairFiles", "files_by_key", "joined", "split_of"]

SPLIT_WORDS = {
    "train": {"train", "training", "trainset", "tr"},
    "valid": {"valid", "validation", "validset", "val", "dev", "cv"},
    "test": {"test", "testing", "testset", "tt"},
}


class NoPairsError(ValueError):
    """A place that holds no usable pairs of clean and noisy recordings."""


class PairFiles(NamedTuple):
    """The files of a pair, before anybody has listened to them.

    Arguments
    ---------
    name : str
        Unlike that of any other pair of the same split.
    split : str
        "train", "valid" or "test".
    clean, noisy : Path or None
        None where there is no such file.
    snr_db : float or None
        Signal-to-noise ratio as the corpus states it.
    speaker : str or None
        Where the corpus tells.
    """

    name: str
    split: str
    clean: Path | None
    noisy: Path | None
    snr_db: float | None = None
    speaker: str | None = None


@dataclass
class FoundPairs:
    """What lies in a corpus.

    Arguments
    ---------
    layout : str
        Key of ``pair_layouts.LAYOUTS``.
    pairs : list of PairFiles
        Those without a partner too.
    left_out : dict
        Reason to list of paths: "not audio", "unreadable format", "same name twice", "missing",
        "unreadable" (folders).
    texts : list of Path
        Lists and logs that were read along.
    """

    layout: str
    pairs: list = field(default_factory=list)
    left_out: dict = field(default_factory=dict)
    texts: list = field(default_factory=list)

    def leave_out(self, reason: str, path: Path | None) -> None:
        self.left_out.setdefault(reason, []).append(path)


def split_of(name: str) -> str | None:
    """The split that a folder or a list belongs to by the words of its name, or None."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for word in words for split, known in SPLIT_WORDS.items() if word in known), None)


def files_by_key(found: FoundPairs, folder: Path | None, key_of: Callable[[Path], str]) -> dict[str, Path]:
    """Audio files below a folder (none if it is None) by the key of their path in it; others are left out."""
    files: dict[str, Path] = {}
    if folder is None:
        return files
    for name in files_below(folder):
        path = folder / name
        reason = why_left_out(path)
        if reason in ("not audio", "unreadable format") or path.is_dir():
            found.leave_out(reason or "not audio", path)
        elif files.setdefault(key_of(Path(name)), path) != path:
            found.leave_out("same name twice", path)
    return files


def joined(
    clean_files: dict[str, Path], noisy_files: dict[str, Path]
) -> Iterator[tuple[str, Path | None, Path | None]]:
    """Yields name, clean file, noisy file."""
    for name in sorted(clean_files.keys() | noisy_files.keys()):
        yield name, clean_files.get(name), noisy_files.get(name)
