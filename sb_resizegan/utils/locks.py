"""One run at a time in a folder."""

import fcntl
import os
from pathlib import Path


class FolderInUseError(RuntimeError):
    """Another process works in this folder."""


class FolderLock:
    """Holds a folder for one process until it ends, however it ends (the kernel lets go of the lock).

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

    def __init__(self, folder):
        self.path = Path(folder) / ".lock"
        self._descriptor = None

    def acquire(self):
        """Takes the lock, or raises at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise FolderInUseError(
                f"process {owner} is already at work in {self.path.parent}; "
                "wait for it or choose another output_folder"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self):
        """Lets go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exception):
        self.release()
