"""Which files of a folder are recordings: the same for training, enhancing, scoring and measuring."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES

__all__ = ["files_below", "left_out_lines", "why_left_out"]

# Endings of sound that is not read here: whoever has such files should know that they were left out.
OTHER_SOUND_SUFFIXES = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".amr", ".ape", ".dsf", ".dts", ".m4a", ".m4b", ".mka", ".mkv", ".mov"),
        *(".mp4", ".mpc", ".ra", ".raw", ".shn", ".tta", ".voc", ".webm", ".wma", ".wv"),
    )
)
NAMED_OF_EACH = 10


def files_below(
    folder: str | os.PathLike, except_folder: str | os.PathLike | None = None, once: bool = False
) -> Iterator[str]:
    """Yields the names of all files in a folder and below it, whatever they are.

    Linked folders are searched, each folder once: a link that leads back to a folder above does no harm.
    Hidden files and folders (their names begin with a point, as those of ``._a.wav`` beside ``a.wav``) do not
    count. Links that lead nowhere, and folders that cannot be listed, come as files. What is remembered are
    folders and links, not files: there may be millions.

    Arguments
    ---------
    folder : str or Path
        Where to search.
    except_folder : str or Path, optional
        Not searched.
    once : bool
        Whether a file that has several names by links comes under one of them alone: its own, unless one of
        a folder that comes before.

    Yields
    ------
    str
        A path relative to ``folder``, in order. Names that are no UTF-8 have their bytes as surrogates.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "speaker").mkdir()
    >>> for name in ("speaker/a.wav", "speaker/._a.wav", "notes.txt"):
    ...     (folder / name).touch()
    >>> (folder / "speaker" / "back").symlink_to(folder)
    >>> list(files_below(folder))
    ['notes.txt', 'speaker/a.wav']
    """
    top = os.fspath(folder)
    visited: set[str] = set()
    excluded = None if except_folder is None else os.path.realpath(except_folder)
    linked: set[str] = set()
    waiting = [iter([("", False)])]
    while waiting:
        path, is_link = next(waiting[-1], (None, False))
        if path is None:
            waiting.pop()
        elif path and not path.endswith("/"):
            if not once or _is_first(os.path.join(top, path), is_link, visited, linked):
                yield path
        else:
            real = os.path.realpath(os.path.join(top, path))
            if real in visited or real == excluded:
                continue
            try:
                waiting.append(iter(_entries(top, path)))
                visited.add(real)
            except OSError:
                yield os.path.relpath(os.path.join(top, path), top)


def _entries(top: str, place: str) -> list[tuple[str, bool]]:
    """What lies in a folder, in the order of paths, and whether it is a link; folders end with a slash.

    So a folder stands where its files will: "a-b/c.wav" before "a.wav", and that before "a/b.wav".
    """
    found = []
    with os.scandir(os.path.join(top, place)) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link to itself
                is_folder = False
            found.append((place + entry.name + "/" * is_folder, entry.is_symlink()))
    return sorted(found)


def _is_first(path: str, is_link: bool, visited: set[str], linked: set[str]) -> bool:
    """Whether a file comes for the first time; remembered are the targets of links alone."""
    real = os.path.realpath(path) if is_link or linked else path
    if real in linked:
        return False
    if is_link:
        # A file of a folder that was searched, or is being, comes under its own name.
        home, name = os.path.split(real)
        if home in visited and not name.startswith(".") and os.path.lexists(real):
            return False
        linked.add(real)
    return True


def why_left_out(path: str | os.PathLike) -> str | None:
    """Why a file cannot be a recording, by its ending and its kind; it is not opened.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    str or None
        "not audio" and "unreadable format" (by the ending), "missing" (there is no such file), "unreadable"
        (a link that leads nowhere, a folder, a pipe, a device); None for a recording.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("notes.txt", "song.m4a", "a.wav"):
    ...     (folder / name).touch()
    >>> [why_left_out(folder / name) for name in ("notes.txt", "song.m4a", "a.wav", "b.wav")]
    ['not audio', 'unreadable format', None, 'missing']
    """
    suffix = Path(path).suffix.lower()
    if not os.path.lexists(path):
        return "missing"
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if stat.S_ISDIR(mode):
        return "unreadable"
    if suffix in OTHER_SOUND_SUFFIXES:
        return "unreadable format"
    if suffix not in AUDIO_SUFFIXES:
        return "not audio"
    return None if stat.S_ISREG(mode) else "unreadable"


def left_out_lines(left_out: Iterable[tuple[str, str]]) -> list[str]:
    """Counts the files that were left out, and names them.

    Arguments
    ---------
    left_out : iterable of tuple
        Name of a file, and the reason from `why_left_out`.

    Returns
    -------
    list of str
        A line for each reason; files that are no sound are counted alone.

    Example
    -------
    >>> left_out_lines([("a.txt", "not audio"), ("b.txt", "not audio"), ("c.m4a", "unreadable format")])
    ['not audio: 2 (.txt)', 'unreadable format: 1 (c.m4a)']
    """
    names: dict[str, list[str]] = {}
    for name, reason in left_out:
        names.setdefault(reason, []).append(name)
    lines = []
    for reason, files in sorted(names.items()):
        if reason == "not audio":
            said = [
                suffix for suffix, _ in Counter(Path(n).suffix or "no ending" for n in files).most_common()
            ]
        else:
            said = files
        more = f" and {len(said) - NAMED_OF_EACH} more" if len(said) > NAMED_OF_EACH else ""
        lines.append(f"{reason}: {len(files)} ({', '.join(said[:NAMED_OF_EACH])}{more})")
    return lines
