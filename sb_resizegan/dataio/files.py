"""Files that are there whole or not at all, also with several processes at work."""

import contextlib
import fcntl
import json
import os
import tempfile
from pathlib import Path

__all__ = ["file_lock", "user_cache_folder", "write_json"]


def user_cache_folder(cache_folder=None):
    """Where downloaded material is kept.

    Arguments
    ---------
    cache_folder : str or Path, optional
        Takes precedence if given.

    Returns
    -------
    Path
        ``cache_folder``, or the first that is set of ``$SB_RESIZEGAN_CACHE``,
        ``$XDG_CACHE_HOME/sb_resizegan`` and ``~/.cache/sb_resizegan``. It need not exist.

    Example
    -------
    >>> user_cache_folder("somewhere/else").parts[-2:]
    ('somewhere', 'else')
    """
    if cache_folder is not None:
        return Path(cache_folder).expanduser().absolute()
    if os.environ.get("SB_RESIZEGAN_CACHE"):
        return Path(os.environ["SB_RESIZEGAN_CACHE"]).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "sb_resizegan"


@contextlib.contextmanager
def file_lock(path):
    """Holds an exclusive lock for the time of a ``with`` block; other processes wait.

    The lock goes with the process that holds it, so that a killed one never leaves it behind.

    Arguments
    ---------
    path : str or Path
        Lock file, made if missing and left in place.

    Example
    -------
    >>> with file_lock(getfixture("tmp_path") / "build.lock"):
    ...     total = sum(range(5))
    >>> total
    10
    """
    with open(path, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_json(path, content):
    """Writes json beside its destination and moves it there in one step.

    Arguments
    ---------
    path : str or Path
        Destination, replaced if it exists.
    content : dict or list
        What ``json`` can write.

    Example
    -------
    >>> path = getfixture("tmp_path") / "numbers.json"
    >>> write_json(path, {"a": [1, 2]})
    >>> json.loads(path.read_text())
    {'a': [1, 2]}
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)
            stream.write("\n")
        # mkstemp makes the file readable by its owner alone; a manifest is no secret.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
