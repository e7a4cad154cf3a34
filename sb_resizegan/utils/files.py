"""Files that are there whole or not at all, and the folder for what is downloaded or computed once."""

import contextlib
import glob
import json
import os
import tempfile
from pathlib import Path

import platformdirs

__all__ = ["remove_partial", "replacing", "user_cache_folder", "write_json"]


@contextlib.contextmanager
def replacing(path, suffix=None):
    """A temporary file to write, which takes a file's place when the ``with`` block ends well.

    Whoever looks sees the old file or the new one, never half of one; a block that fails leaves the old one.

    Arguments
    ---------
    path : str or Path
        The file to be. Its folder is made if need be.
    suffix : str, optional
        Ending of the temporary file; by default that of ``path``.

    Yields
    ------
    Path
        An empty file in the same folder.

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
    suffix = path.suffix if suffix is None else suffix
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=suffix)
    os.close(handle)
    try:
        yield Path(name)
        # mkstemp makes the file readable by its owner alone.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_partial(path, suffix):
    """Removes what processes that were killed left of a file's making.

    Call it while no other process makes the file.

    Arguments
    ---------
    path : str or Path
        What was to become the file.
    suffix : str
        As given to :func:`replacing`.

    Example
    -------
    >>> path = getfixture("tmp_path") / "sound.wav"
    >>> left = path.with_name(".sound.wav.abcd1234.partial")
    >>> left.touch()
    >>> remove_partial(path, ".partial")
    >>> left.exists()
    False
    """
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????{suffix}"):
        left.unlink(missing_ok=True)


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
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")


def user_cache_folder(cache_folder=None):
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
