"""Files that are there whole or not at all."""

import contextlib
import glob
import os
import tempfile
from pathlib import Path


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
