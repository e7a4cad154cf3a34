"""Recordings of two folders matched by their path without suffix, in little memory however many there are."""

import hashlib
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.utils.many_names import Names

__all__ = ["FolderOfSound", "MatchedFolders"]


class FolderOfSound:
    """The recordings of a folder by their path without suffix.

    Arguments
    ---------
    folder : Path
        Searched with all folders in it.

    Attributes
    ----------
    names : Names
        Paths within the folder.
    problems : list of str
        A line for each file left out: unreadable, or of the same name as another one but for the suffix.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.problems = folder, []
        names = Names.of(self._recordings())
        digests = np.fromiter((_digest(_stem(name)) for name in names), dtype=np.int64, count=len(names))
        # Stable: of several files of one name, the first one stays.
        order = np.argsort(digests, kind="stable")
        twice = np.flatnonzero(digests[order][1:] == digests[order][:-1]) + 1
        dropped = set()
        for place in twice:
            number, earlier = int(order[place]), place - 1
            while earlier >= 0 and digests[order[earlier]] == digests[number]:
                other = int(order[earlier])
                if other not in dropped and _stem(names[other]) == _stem(names[number]):
                    dropped.add(number)
                    self.problems.append(
                        f"{folder / names[number]}: same name as {Path(names[other]).name}, left out"
                    )
                    break
                earlier -= 1
        kept = np.setdiff1d(np.arange(len(names)), np.array(sorted(dropped), dtype=np.int64))
        self.names = names.take(kept)
        self._digests = digests[kept]
        self._order = np.argsort(self._digests, kind="stable")

    def __len__(self) -> int:
        return len(self.names)

    def find(self, stem: str) -> Path | None:
        """The file with this path without suffix."""
        digest = _digest(stem)
        first, end = (np.searchsorted(self._digests, digest, side, self._order) for side in ("left", "right"))
        for number in self._order[first:end]:
            name = self.names[int(number)]
            if _stem(name) == stem:
                return self.folder / name
        return None

    def _recordings(self) -> Iterator[str]:
        for relative in files_below(self.folder):
            path = self.folder / relative
            reason = why_left_out(path)
            if reason is None:
                yield relative
            elif reason != "not audio":
                self.problems.append(f"{path}: {reason}, left out")


class MatchedFolders:
    """Pairs of a reference and its degraded version; nothing is opened.

    Arguments
    ---------
    reference_folder, degraded_folder : str or Path
        Searched with all folders in them.

    Attributes
    ----------
    problems : list of str
        A line for each file that is left out or has no partner.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("clean/a.wav", "clean/b.wav", "noisy/a.flac"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     (folder / name).touch()
    >>> matched = MatchedFolders(folder / "clean", folder / "noisy")
    >>> len(matched), matched[0][0], matched[0][2].name
    (1, 'a', 'a.flac')
    """

    def __init__(self, reference_folder: str | os.PathLike, degraded_folder: str | os.PathLike) -> None:
        references, degraded = (FolderOfSound(Path(folder)) for folder in (reference_folder, degraded_folder))
        self.problems = references.problems + degraded.problems
        kept, sizes = array("Q"), array("q")

        def matched() -> Iterator[str]:
            for number, name in enumerate(references.names):
                path, partner = references.folder / name, degraded.find(_stem(name))
                if partner is None:
                    self.problems.append(f"{path}: no partner among the degraded files")
                else:
                    kept.append(number)
                    sizes.append(path.stat().st_size)
                    yield os.path.relpath(partner, degraded.folder)

        self._folder, self._degraded_folder = references.folder, degraded.folder
        self._degraded = Names.of(matched())
        for name in degraded.names:
            if references.find(_stem(name)) is None:
                self.problems.append(f"{degraded.folder / name}: no partner among the references")
        self._references = references.names.take(np.array(kept, dtype=np.int64))
        self._sizes = np.array(sizes, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, number: int) -> tuple[str, Path, Path]:
        """Name of a pair, its reference and its degraded version."""
        name = self._references[number]
        return _stem(name), self._folder / name, self._degraded_folder / self._degraded[number]

    def alike(self, count: int) -> list[np.ndarray]:
        """Numbers of pairs in parts of ``count``, those of large files first: a part's are about as long."""
        order = np.argsort(-self._sizes, kind="stable")
        return [order[first : first + count] for first in range(0, len(order), count)]


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _digest(stem: str) -> int:
    digest = hashlib.blake2b(stem.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
