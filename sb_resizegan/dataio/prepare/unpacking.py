"""Recordings that lie in no file of their own, written as files into the user's cache, once."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.manifests import stamp_files
from sb_resizegan.utils.files import user_cache_folder
from sb_resizegan.utils.locks import file_lock

__all__ = ["plain_name", "unpacked"]

logger = get_logger(__name__)

LONGEST_NAME = 100


def unpacked(
    sources: Sequence[str | os.PathLike], options: Sequence[object], write: Callable[[Path], None]
) -> Path:
    """The folder in the cache that holds what ``write`` makes of some files.

    It is made when it is first asked for, and again when one of the files has changed. Processes that ask at
    once wait for the first of them. The folder appears only when it is whole.

    Arguments
    ---------
    sources : sequence of str or Path
        All files that the outcome depends on.
    options : sequence
        What ``json`` can write: what is done with them.
    write : callable
        Fills a folder.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OSError
        If the cache cannot be written.

    Example
    -------
    >>> getfixture("monkeypatch").setenv("SB_RESIZEGAN_CACHE", str(getfixture("tmp_path")))
    >>> source = getfixture("tmp_path") / "list"
    >>> _ = source.write_text("abc")
    >>> folder = unpacked([source], ["letters"], lambda folder: (folder / "a").touch())
    >>> unpacked([source], ["letters"], lambda folder: print("not called again")) == folder
    True
    """
    cache = user_cache_folder() / "unpacked"
    name = stamp_files([os.path.abspath(source) for source in sources], list(options))[:32]
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / f".{name}.lock"):
        if not folder.is_dir():
            prefix = f".{name}.part-"
            # Only the holder of the lock gets here: what lies about was left by a killed process.
            for left in cache.glob(f"{prefix}*"):
                shutil.rmtree(left)
            logger.info("Unpacking %s and %d more files to %s", sources[0], len(sources) - 1, folder)
            with tempfile.TemporaryDirectory(dir=cache, prefix=prefix) as scratch:
                whole = Path(scratch) / "whole"
                whole.mkdir()
                write(whole)
                whole.rename(folder)
    return folder


def plain_name(number: int, said: object) -> str:
    """A file's name, without its ending, for the recording of a number and a name.

    Example
    -------
    >>> plain_name(12, "p232/001 a")
    '000012_p232_001_a'
    """
    words = re.sub(r"[^\w.-]+", "_", str(said)).strip("_")[-LONGEST_NAME:]
    return f"{number:06d}_{words}" if words else f"{number:06d}"
