"""Samples of a corpus in several files, which all processes of a machine map into memory."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from sb_resizegan.dataio.prepare.tars import is_tar

__all__ = ["MappedSamples", "in_shards"]

# Files in a shard: a changed one is decoded again with so many others, and each shard takes a mapping.
USUAL, MOST = 512, 2048

File = TypeVar("File")


def in_shards(files: Sequence[File], names: Sequence[str], usual: int = USUAL, most: int = MOST) -> list:
    """Splits a list of files so that a new file, or one that is gone, changes one shard or two.

    Where a shard ends depends on the name of its last file alone (but for the limit), not on how many there
    are before it.

    Arguments
    ---------
    files : sequence
        In the order of their names.
    names : sequence of str
        One for each.
    usual : int
        Files in a shard, on average.
    most : int
        At most.

    Returns
    -------
    list
        Slices of ``files``: one after the other, they are all.

    Example
    -------
    >>> names = [f"{number}.wav" for number in range(10)]
    >>> sum(in_shards(names, names, usual=3), []) == names
    True
    """
    ends = []
    first = 0
    for number, name in enumerate(names):
        # A tar is a shard of its own: what is in it is not known yet.
        if is_tar(name) and number > first:
            ends.append(number)
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        last = int.from_bytes(digest[:8], "big") % usual == 0 or number + 1 - first == most
        if last or is_tar(name):
            ends.append(number + 1)
        first = ends[-1] if ends else 0
    if first < len(files):
        ends.append(len(files))
    return [files[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


class MappedSamples:
    """Files of 16-bit samples as if they were one. A worker gets it by the files' names.

    Arguments
    ---------
    paths : sequence of Path
        The files.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name, values in (("a", [1, 2]), ("b", []), ("c", [3, 4, 5])):
    ...     np.array(values, dtype=np.int16).tofile(folder / name)
    >>> samples = MappedSamples([folder / name for name in "abc"])
    >>> len(samples), samples[3:5]
    (5, array([4, 5], dtype=int16))
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._map()

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, stretch: slice) -> np.ndarray:
        """A stretch that lies within one file."""
        start, stop, _ = stretch.indices(len(self))
        if stop <= start:
            return np.zeros(0, dtype=np.int16)
        shard = int(np.searchsorted(self._ends, start, side="right"))
        if stop > self._ends[shard]:
            raise IndexError(
                f"samples {start} to {stop} lie in more than one file ({self._paths[shard]} ends)"
            )
        samples = self._mapped[shard]
        first = int(self._ends[shard]) - len(samples)
        return samples[start - first : stop - first]

    def _map(self) -> None:
        # At once: what is mapped stays, also when another process replaces the files.
        self._mapped = [_mapped(path) for path in self._paths]
        self._ends = np.cumsum([len(samples) for samples in self._mapped], dtype=np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {"_paths": self._paths}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()


def _mapped(path: Path) -> np.ndarray:
    size = path.stat().st_size // 2
    if not size:
        return np.zeros(0, dtype=np.int16)  # an empty file cannot be mapped
    # numpy would keep a file descriptor for each, of which a process has a thousand as a rule.
    samples = torch.from_file(str(path), shared=False, size=size, dtype=torch.int16).numpy()
    samples.flags.writeable = False
    return samples
