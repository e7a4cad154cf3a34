"""Files that are there whole or not at all, and the folder for what is downloaded or computed once."""

import contextlib
import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from sb_resizegan.utils.partial import keep_mode, open_partial, partial_path, sync, unlink_unlocked

__all__ = ["remove_partial", "replacing", "user_cache_folder", "write_json"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike, suffix: str | None = None) -> Iterator[Path]:
    """A temporary file to write, which takes a file's place when the ``with`` block ends well.

    Whoever looks sees the old file or the new one, never half of one, even after a power cut; a block that
    fails leaves the old one. The file's permissions are those of the file it replaces, or else what the umask
    leaves. What a killed process left of the same file is removed first.

    Arguments
    ---------
    path : str or Path
        The file to be. Its folder is made if need be.
    suffix : str, optional
        Ending of the temporary file; by default that of ``path``.

    Yields
    ------
    Path
        An empty file in the same folder. No other process that writes the same file gets the same one.

    Example
    -------
    >>> path = getfixture("tmp_path") / "deep" / "notes.txt"
    >>> with replacing(path) as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('all of it', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = open_partial(path, path.suffix if suffix is None else suffix)
    try:
        yield temporary
        keep_mode(path, temporary)
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def remove_partial(path: str | os.PathLike, suffix: str) -> None:
    """Removes what processes that were killed left of a file's making; what a living one writes stays.

    Arguments
    ---------
    path : str or Path
        What was to become the file.
    suffix : str
        As given to `replacing()`.

    Example
    -------
    >>> path = getfixture("tmp_path") / "sound.wav"
    >>> left = path.with_name(".sound.wav.00000003.partial")
    >>> left.touch()
    >>> remove_partial(path, ".partial")
    >>> left.exists()
    False
    """
    path = Path(path)
    name = partial_path(path, suffix, 0).name.removesuffix(f"{0:08d}{suffix}")
    for left in path.parent.glob(f"{glob.escape(name)}????????{glob.escape(suffix)}"):
        unlink_unlocked(left)


def write_json(path: str | os.PathLike, content: Any) -> None:
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
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")


def user_cache_folder(cache_folder: str | os.PathLike | None = None) -> Path:
    """Where downloaded material is kept.

    Arguments
    ---------
    cache_folder : str or Path, optional
        Takes precedence if given.

    Returns
    -------
    Path
        ``cache_folder``, or ``$SB_RESIZEGAN_CACHE`` where it is set, or ``sb_resizegan`` in the platform's
        cache folder (``~/.cache`` on Linux). It need not exist.

    Example
    -------
    >>> user_cache_folder("somewhere/else").parts[-2:]
    ('somewhere', 'else')
    """
    if cache_folder is not None:
        return Path(cache_folder).expanduser().absolute()
    if os.environ.get("SB_RESIZEGAN_CACHE"):
        return Path(os.environ["SB_RESIZEGAN_CACHE"]).expanduser().absolute()
    return platformdirs.user_cache_path("sb_resizegan").absolute()
