"""Locks between processes: they go with the process that holds them, however it ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

__all__ = ["FolderInUseError", "FolderLock", "file_lock", "try_lock"]


def file_lock(path: str | os.PathLike) -> filelock.BaseFileLock:
    """An exclusive lock for the time of a ``with`` block; other processes wait.

    Arguments
    ---------
    path : str or Path
        Lock file, made if missing.

    Returns
    -------
    filelock.BaseFileLock

    Example
    -------
    >>> with file_lock(getfixture("tmp_path") / "build.lock"):
    ...     total = sum(range(5))
    >>> total
    10
    """
    return filelock.FileLock(path)


@contextlib.contextmanager
def try_lock(path: str | os.PathLike) -> Iterator[bool]:
    """An exclusive lock for the time of a ``with`` block, unless another process has it: nobody waits.

    filelock does not do this. Its file stays, and these files lie beside results, where none must be left;
    only its newest versions ask whether the file that they locked still has its name after another process
    removed it. And where a file system has no locks, it takes the file itself for one, which a killed process
    leaves behind for ever; here the work is done then.

    Arguments
    ---------
    path : str or Path
        Lock file, in a folder that exists; removed in the end.

    Yields
    ------
    bool
        Whether this process has the lock.

    Raises
    ------
    OSError
        If the file cannot be made, in a read-only folder for instance.

    Example
    -------
    >>> path = getfixture("tmp_path") / "work.lock"
    >>> with try_lock(path) as first, try_lock(path) as second:
    ...     print(first, second)
    True False
    >>> path.exists()
    False
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # a file system without locks
                yield True
                return
            # The one who had it before removes the file: then this is the lock of a file that is no more.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    try:
                        yield True
                    finally:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(path)
                    return
        finally:
            os.close(handle)


class FolderInUseError(RuntimeError):
    """Another process works in this folder."""


class FolderLock:
    """Holds a folder for one process until it ends.

    Arguments
    ---------
    folder : str or Path
        The folder, made if it is not there.

    Raises
    ------
    FolderInUseError
        On entering, if another process holds it; it names the folder and the process.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> with FolderLock(folder):
    ...     FolderLock(folder).acquire()
    Traceback (most recent call last):
    sb_resizegan.utils.locks.FolderInUseError: ...
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self._lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        # Beside the lock, for whoever tries the lock empties its file.
        self._owner = self.folder / ".lock.owner"

    def acquire(self) -> None:
        """Takes the lock, or raises at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except filelock.Timeout as error:
            try:
                owner = self._owner.read_text(encoding="utf-8")
            except OSError:
                owner = "unknown"
            raise FolderInUseError(
                f"process {owner} is already at work in {self.folder}; "
                "wait for it or choose another output_folder"
            ) from error
        self._owner.write_text(str(os.getpid()), encoding="utf-8")

    def release(self) -> None:
        """Lets go of the lock."""
        if self._lock.is_locked:
            self._owner.unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> "FolderLock":
        self.acquire()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()
