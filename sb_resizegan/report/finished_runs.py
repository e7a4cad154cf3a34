"""What trainings leave in their output folders, found without trusting it."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["begins", "by_epoch", "read_or_note", "read_settings", "short_names"]


def short_names(folders: Sequence[str | Path]) -> list[str]:
    """The shortest ends of the folders' paths that tell them apart."""
    paths = [Path(folder).resolve().parts for folder in folders]
    longest = max(map(len, paths))
    depths = [1] * len(paths)
    for _ in range(longest):
        names = ["/".join(parts[-depth:]) for parts, depth in zip(paths, depths, strict=True)]
        depths = [d + (names.count(name) > 1) for d, name in zip(depths, names, strict=True)]
    return names


def read_settings(path: Path, keys: Sequence[str] | None = None) -> dict[str, str]:
    """Plain ``key: value`` lines, of an object its class; nothing that a yaml names is constructed.

    Arguments
    ---------
    path : Path
        The yaml file.
    keys : sequence of str, optional
        What to look for; by default all keys but those of paths.

    Returns
    -------
    dict of str to str
        Those that are there, in the order of ``keys``.
    """
    lines = re.findall(r"^(\w+):[ \t]*([^\n#]*)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    # An empty value is yaml's other way to write null.
    found = {key: re.sub(r"^!new:.*?(\w+)$", r"\1", value.strip()) or "null" for key, value in lines}
    keys = [key for key in found if not re.search(r"[/\\]", found[key])] if keys is None else keys
    return {key: found[key] for key in keys if key in found and found[key][0] not in "!<*&"}


def read_or_note(path: Path, read: Callable[[Path], Any], default: Any, missing: list[str]) -> Any:
    """What ``read`` makes of a file. One that isn't there or is damaged is put on the list."""
    try:
        return read(path) if path.is_file() else _note(path.name, default, missing)
    except (OSError, ValueError) as error:
        return _note(f"{path.name} ({error})", default, missing)


def _note(words: str, default: Any, missing: list[str]) -> Any:
    missing.append(words)
    return default


def by_epoch(folder: Path, ending: str) -> dict[int, Path]:
    """Paths by the epoch in their names, of files that begin as they should."""
    start = {".wav": b"RIFF", ".png": b"\x89PNG"}[ending]
    found = {}
    for path in sorted(folder.glob(f"epoch_*{ending}")):
        match = re.fullmatch(r"epoch_(\d+)", path.stem)
        if match and begins(path, start):
            found[int(match[1])] = path
    return found


def begins(path: Path, start: bytes) -> bool:
    """Whether a file is there and begins with these bytes."""
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(start)) == start
