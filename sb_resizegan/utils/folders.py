"""Folders that are there whole or not at all, and of which nobody else's file is ever removed."""

import contextlib
import ctypes
import errno
import glob
import itertools
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from speechbrain.utils.logger import get_logger

from sb_resizegan.utils.partial import keep_mode, lock_new, partial_path, sync

__all__ = ["replacing_folder"]

logger = get_logger(__name__)

PARTIAL_SUFFIX = ".partial"
ASIDE_SUFFIX = ".aside"
RENAME_EXCHANGE = 2  # linux/fs.h
AT_FDCWD = -100


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike, own: Collection[str]) -> Iterator[Path]:
    """A temporary folder to fill, which takes a folder's place when the ``with`` block ends well.

    Whoever looks sees the old folder or the new one: they change places in one step where the file system can
    do that, and else by two renamings, of which a kill in between is made good at the next call. A block that
    fails leaves the old one. Only files with the names ``own`` are removed with the old folder; whatever else
    lay in it lies in the new one afterwards.

    Arguments
    ---------
    path : str or Path
        The folder to be. The folder above is made if need be.
    own : collection of str
        Names of the files that the block writes.

    Yields
    ------
    Path
        An empty folder beside it.

    Raises
    ------
    OSError
        If something cannot be written.

    Example
    -------
    >>> path = getfixture("tmp_path") / "model"
    >>> for text in ("old", "new"):
    ...     with replacing_folder(path, {"weights"}) as temporary:
    ...         _ = (temporary / "weights").write_text(text)
    ...     (path / f"notes on the {text}").touch()
    >>> (path / "weights").read_text(), sorted(p.name for p in path.iterdir())
    ('new', ['notes on the new', 'notes on the old', 'weights'])
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean(path, own)
    temporary, lock = _make(path)
    try:
        try:
            yield temporary
            for file in temporary.iterdir():
                sync(file)
            keep_mode(path, temporary)
            sync(temporary)
            old = _swap(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(path.parent)
        if old is not None:
            _dissolve(old, path, own)
            sync(path.parent)
    finally:
        os.close(lock)


def _make(path: Path) -> tuple[Path, int]:
    slots = itertools.count()
    while True:
        temporary = partial_path(path, PARTIAL_SUFFIX, next(slots))
        try:
            temporary.mkdir()
        except FileExistsError:
            continue
        try:
            handle = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if lock_new(handle, temporary):
            return temporary, handle
        os.close(handle)


def _swap(new: Path, path: Path) -> Path | None:
    """Puts the new folder in the place of the old one; returns where that is now."""
    if not path.exists():
        os.rename(new, path)
        return None
    if _exchange(new, path):
        return new
    aside = partial_path(path, ASIDE_SUFFIX, 0)
    os.rename(path, aside)
    os.rename(new, path)
    return aside


def _exchange(first: Path, second: Path) -> bool:
    """Lets two folders change places in one step; False where that cannot be done."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(second))


def _clean(path: Path, own: Collection[str]) -> None:
    """Makes good what a killed process left."""
    aside = partial_path(path, ASIDE_SUFFIX, 0)
    if aside.is_dir():
        if path.exists():
            _dissolve(aside, path, own)
        else:
            os.rename(aside, path)
    stem = partial_path(path, PARTIAL_SUFFIX, 0).name.removesuffix(f"{0:08d}{PARTIAL_SUFFIX}")
    for left in path.parent.glob(f"{glob.escape(stem)}????????{PARTIAL_SUFFIX}"):
        try:
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if lock_new(handle, left):
                _dissolve(left, path, own)
        finally:
            os.close(handle)


def _dissolve(folder: Path, path: Path, own: Collection[str]) -> None:
    """Removes a folder, but moves to ``path`` what is not this project's; what has no room there stays."""
    if not folder.is_dir():
        return
    for entry in list(folder.iterdir()):
        if entry.name in own and (entry.is_symlink() or entry.is_file()):
            entry.unlink()
        elif path.is_dir() and not os.path.lexists(path / entry.name):
            shutil.move(entry, path / entry.name)
    try:
        folder.rmdir()
    except OSError:
        logger.warning("%s: left there, for it holds files that %s has no room for", folder, path)
