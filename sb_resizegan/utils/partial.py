"""What is being written: names beside the destination, locked for as long as their writer lives.

A lock goes with its process, however that ends. So a temporary file that can be locked is one that a killed
process left, and may be removed; one that cannot is another process's work.
"""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import stat
from pathlib import Path

__all__ = ["keep_mode", "lock_new", "open_partial", "partial_path", "sync", "unlink_unlocked"]

LONGEST_NAME = 255  # bytes, on every usual file system


def partial_path(path: Path, suffix: str, slot: int) -> Path:
    """Name of a temporary file, hidden, in the same folder.

    Arguments
    ---------
    path : Path
        The file to be.
    suffix : str
        Ending of the temporary file.
    slot : int
        Number of the writer; there may be several.

    Returns
    -------
    Path

    Example
    -------
    >>> partial_path(Path("a/sound.wav"), ".partial", 2).as_posix()
    'a/.sound.wav.00000002.partial'
    >>> len(os.fsencode(partial_path(Path("ä" * 120 + ".wav"), ".partial", 0).name)) <= LONGEST_NAME
    True
    """
    ending = f".{slot:08d}{suffix}"
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        # A name as long as names may be has no room for more.
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}{ending}"
    return path.with_name(name)


def open_partial(path: Path, suffix: str) -> tuple[Path, int]:
    """Makes an empty temporary file and locks it.

    Arguments
    ---------
    path : Path
        The file to be, in a folder that exists.
    suffix : str
        Ending of the temporary file.

    Returns
    -------
    temporary : Path
        The file, with the permissions that the umask leaves.
    lock : int
        A file descriptor; closing it lets go of the lock.

    Raises
    ------
    OSError
        If it cannot be made, in a read-only folder for instance.
    """
    if len(suffix) > 32:  # no format's ending, but part of a name that holds a dot
        suffix = ""
    slots = itertools.count()
    while True:
        temporary = partial_path(path, suffix, next(slots))
        with contextlib.suppress(FileNotFoundError):
            unlink_unlocked(temporary)
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            continue
        if lock_new(handle, temporary):
            return temporary, handle
        os.close(handle)


def lock_new(handle: int, path: Path) -> bool:
    """Locks what was just made; False if another process took it for left over in the meantime."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks, on which nothing is ever taken for left over
        return True
    return _is_at(handle, path)


def unlink_unlocked(path: Path) -> None:
    """Removes a temporary file that no living process writes.

    Arguments
    ---------
    path : Path
        The file; anything but a regular file stays.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(handle, path):
            path.unlink()
    except OSError:
        return
    finally:
        os.close(handle)


def keep_mode(path: Path, replacement: Path) -> None:
    """Gives what will replace a file or folder the same permissions; where there is none, nothing changes."""
    with contextlib.suppress(FileNotFoundError):
        os.chmod(replacement, stat.S_IMODE(path.stat().st_mode))


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk.

    Arguments
    ---------
    path : Path
        The file or folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    own = os.fstat(handle)
    return (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)
