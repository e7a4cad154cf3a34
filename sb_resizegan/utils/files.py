"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A temporary file to write, which takes a file's place when the ``with`` block ends well.

    Whoever looks sees the old file or the new one, never half of one; a block that fails leaves the old one.

    Arguments
    ---------
    path : str or Path
        The file to be. Its folder is made if need be.

    Yields
    ------
    Path
        An empty file in the same folder, with the same ending.

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
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        # mkstemp makes the file readable by its owner alone.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
