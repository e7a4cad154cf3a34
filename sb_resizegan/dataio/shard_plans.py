"""Which shards of samples a corpus is to have, and the index of those that are there."""

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.joined_index import joined_index
from sb_resizegan.dataio.prepare.sources import SourceFile, SourceFiles
from sb_resizegan.dataio.sample_shards import in_shards
from sb_resizegan.utils.locks import file_lock
from sb_resizegan.utils.mapped_arrays import MappedArrays, write_arrays
from sb_resizegan.utils.partial import unlink_unlocked

__all__ = ["Plan", "fingerprint", "make_plan", "read_shard", "whole_index", "write_index"]

logger = get_logger(__name__)


class Plan(NamedTuple):
    """What is to be there."""

    files: SourceFiles
    """What there is to decode."""

    ends: np.ndarray
    """Where each shard ends among the files."""

    stems: list[str]
    """Of the names of the shards' files."""


def fingerprint(files: Sequence[SourceFile], heading: str) -> str:
    """Digest of files' paths, names, sizes and times, and of what is to be done with them.

    Arguments
    ---------
    files : sequence of SourceFile
        Those that are missing count as such.
    heading : str
        What is to be done.

    Returns
    -------
    str
        16 hexadecimal digits.

    Example
    -------
    >>> len(fingerprint([SourceFile(Path("missing.wav"), "missing.wav")], "decode"))
    16
    """
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


def make_plan(files: SourceFiles, folder: Path, sources: str, heading: str) -> Plan:
    """Which shards are to be there; those of the same sources that are of no use any more are removed.

    Arguments
    ---------
    files : SourceFiles
        What there is to decode.
    folder : Path
        Of the shards; made if missing.
    sources : str
        What the user calls the files.
    heading : str
        How they are decoded.

    Returns
    -------
    Plan
    """
    kind = hashlib.sha256(f"{heading} {sources}".encode()).hexdigest()[:8]
    shards = in_shards(files, files.names)
    stems = [f"{kind}-{fingerprint(shard, heading)}" for shard in shards]
    folder.mkdir(parents=True, exist_ok=True)
    needed = {*stems, _index_path(folder, stems).stem}
    for old in folder.glob(f"{kind}-*"):
        if old.stem not in needed:
            old.unlink(missing_ok=True)
    for left in folder.glob(f".{kind}-*"):
        # Left by a killed process, unless it is locked.
        unlink_unlocked(left)
    return Plan(files, np.cumsum([len(shard) for shard in shards]), stems)


def _index_path(folder: Path, stems: Sequence[str]) -> Path:
    kind = stems[0].partition("-")[0] if stems else "none"
    return folder / f"{kind}-{hashlib.sha256(' '.join(stems).encode()).hexdigest()[:16]}.index"


def whole_index(folder: Path, stems: Sequence[str]) -> MappedArrays | None:
    """The index of shards, mapped, unless it or one of them is not there."""
    try:
        index = MappedArrays(_index_path(folder, stems))
        sizes = [(folder / f"{stem}.i16").stat().st_size for stem in stems]
    except (OSError, ValueError):
        return None
    return index if np.array_equal(sizes, 2 * index["shard_samples"]) else None


def write_index(folder: Path, stems: Sequence[str], sources: str) -> MappedArrays:
    """Joins the indices of shards that are there into one, unless another process has."""
    path = _index_path(folder, stems)
    with file_lock(path.with_name(f".{path.name}.lock")):
        if whole_index(folder, stems) is None:
            found = [read_shard(folder, stem) for stem in stems]
            shards = [shard for shard in found if shard is not None]
            if len(shards) < len(stems):
                raise OSError(errno.ENOENT, "shards were removed meanwhile", str(folder))
            write_arrays(path, joined_index(shards, sources))
    return MappedArrays(path)


def read_shard(folder: Path, stem: str) -> dict[str, np.ndarray] | None:
    """The index of a shard, unless it or its samples are not there, unreadable, or do not fit each other."""
    index_path, audio_path = folder / f"{stem}.npz", folder / f"{stem}.i16"
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
