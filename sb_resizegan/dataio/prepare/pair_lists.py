"""Lists of pairs of clean and noisy recordings: csv files, and json files of SpeechBrain's recipes."""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES

__all__ = [
    "COLUMNS",
    "LIST_SUFFIXES",
    "SIDES",
    "WAV_KEYS",
    "ListedPair",
    "is_pair_list",
    "list_columns",
    "read_pair_list",
]

SIDES = ("clean", "noisy")
LIST_SUFFIXES = (".csv", ".json")
# SpeechBrain's names of the files of a pair, and what its json files have in place of the folder of the data.
WAV_KEYS = {side: f"{side}_wav" for side in SIDES}
COLUMNS = {key: side for side, key in WAV_KEYS.items()}
ROOTS = ("{data_root}", "{data_folder}", "$data_folder")


class ListedPair(NamedTuple):
    """A row of a list.

    Arguments
    ---------
    name : str
        The column id, or else the noisy file's path in the list without suffix.
    clean, noisy : Path or None
        None where there is no such file.
    snr_db : float or None
        The column of that name.
    """

    name: str
    clean: Path | None
    noisy: Path | None
    snr_db: float | None


def list_columns(path: Path) -> list[str]:
    """The names in the first line of a csv file, or of the first entry of a json file, in lower case.

    SpeechBrain's ``clean_wav`` and ``noisy_wav`` are read as ``clean`` and ``noisy``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "valid_pairs.csv"
    >>> _ = path.write_text("id,seconds,snr_db\\n")
    >>> list_columns(path)
    ['id', 'seconds', 'snr_db']
    """
    if Path(path).suffix.lower() == ".json":
        return next(([*cells] for _, cells in _json_entries(path)), [])
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as stream:
        return [_column(name) for name in next(csv.reader(stream), [])]


def _column(name: str) -> str:
    name = name.strip().lower()
    return COLUMNS.get(name, name)


def _json_entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields name and cells of each entry of a json file ``{ID: {"clean_wav": …, "noisy_wav": …}}``."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: expected json in UTF-8, but {error}") from error
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ValueError(
            f"{path}: expected an object of objects by utterance, as SpeechBrain's recipes write"
        )
    for name, entry in entries.items():
        cells = {_column(key): str(value) for key, value in entry.items()}
        for root in ROOTS:
            cells.update({side: cells[side].replace(root, ".") for side in SIDES if side in cells})
        yield name, {**cells, "id": name}


def is_pair_list(path: str | Path) -> bool:
    """Whether a csv or json file lists pairs.

    Arguments
    ---------
    path : str or Path
        Lists pairs if it has the columns ``clean`` and ``noisy`` (or ``clean_wav`` and ``noisy_wav``), or a
        column ``id`` and beside it a folder of its own name, without suffix, with the folders ``clean`` and
        ``noisy`` in it.

    Returns
    -------
    bool

    Example
    -------
    >>> path = getfixture("tmp_path") / "pairs.csv"
    >>> _ = path.write_text("noisy,clean\\n")
    >>> is_pair_list(path)
    True
    """
    path = Path(path)
    columns = set(list_columns(path))
    beside = all((path.with_suffix("") / side).is_dir() for side in SIDES)
    return set(SIDES) <= columns or ("id" in columns and beside)


def read_pair_list(path: str | Path) -> Iterator[ListedPair]:
    """Yields the pairs of a list for which ``is_pair_list`` holds.

    Arguments
    ---------
    path : str or Path
        In UTF-8. Paths in it are relative to its own folder, or absolute; ``{data_root}`` in a json file
        stands for its own folder.

    Yields
    ------
    ListedPair

    Raises
    ------
    ValueError
        If the file isn't a csv file in UTF-8, or a line lacks a value or has a wrong one; file, line and
        column are in the message.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "a.wav").touch()
    >>> _ = (folder / "pairs.csv").write_text("clean,noisy,snr_db\\na.wav,b.wav,7.5\\n")
    >>> [(pair.name, pair.noisy, pair.snr_db) for pair in read_pair_list(folder / "pairs.csv")]
    [('b', None, 7.5)]
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        for name, cells in _json_entries(path):
            if not set(SIDES) <= set(cells):
                raise ValueError(f"{path}, {name}: expected clean_wav and noisy_wav, but got {sorted(cells)}")
            yield _pair(path, name, cells)
        return
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                # A line that is too long has its rest under None, one that is too short has None in it.
                cells = {_column(key or ""): value for key, value in row.items() if key is not None}
                cells = {key: (value or "").strip() for key, value in cells.items()}
                yield _pair(path, reader.line_num, cells)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected comma-separated values in UTF-8, but {error}") from error


def _pair(path: Path, line: int | str, cells: Mapping[str, Any]) -> ListedPair:
    by_paths = set(SIDES) <= set(cells)
    for key in SIDES if by_paths else ("id",):
        if not cells[key]:
            raise ValueError(f"{path}, line {line}: expected a value for {key}, but there is none")
    if by_paths:
        clean, noisy = (_first_file([path.parent / cells[side]]) for side in SIDES)
        name = cells.get("id") or os.path.splitext(cells["noisy"])[0]
    else:
        name = cells["id"]
        stems = [path.with_suffix("") / side / name for side in SIDES]
        clean, noisy = (
            _first_file(Path(f"{stem}{suffix}") for suffix in sorted(AUDIO_SUFFIXES)) for stem in stems
        )
    return ListedPair(name, clean, noisy, _snr(path, line, cells.get("snr_db")))


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _snr(path: Path, line: int | str, text: Any) -> float | None:
    if not text:
        return None
    try:
        snr_db = float(text)
    except ValueError:
        snr_db = math.nan
    if not math.isfinite(snr_db):
        raise ValueError(f"{path}, line {line}: expected a number for snr_db, but got {text!r}")
    return snr_db
