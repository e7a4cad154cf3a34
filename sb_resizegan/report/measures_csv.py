"""Csv tables of measures with a row for each epoch: written, and read again."""

import csv
import math
from pathlib import Path
from typing import Any

from sb_resizegan.utils.files import replacing

__all__ = ["read_measures", "update_measures", "write_measures"]


def read_measures(path: str | Path) -> list[dict]:
    """Reads a table with a row per epoch.

    Arguments
    ---------
    path : str or Path
        A csv file with a header line and a column ``epoch``.

    Returns
    -------
    list of dict
        Numbers by column; empty cells and what is no number are left out.

    Raises
    ------
    ValueError
        If there is no column ``epoch``, or no epoch in a row.
    OSError
        If the file can't be read.

    Example
    -------
    >>> path = getfixture("tmp_path") / "measures.csv"
    >>> write_measures([{"epoch": 1, "out_of_band_db": -8.7}], path).name
    'measures.csv'
    >>> read_measures(path)
    [{'epoch': 1, 'out_of_band_db': -8.7}]
    """
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        reader = csv.DictReader(stream)
        if "epoch" not in (reader.fieldnames or ()):
            raise ValueError(
                f"{path}: expected a column 'epoch', but got {reader.fieldnames or 'an empty file'}"
            )
        rows = []
        for row in reader:
            numbers = {name: _number(text) for name, text in row.items() if name is not None}
            numbers = {name: value for name, value in numbers.items() if value is not None}
            if "epoch" not in numbers:
                raise ValueError(f"{path}, line {reader.line_num}: no number in column 'epoch'")
            numbers["epoch"] = int(numbers["epoch"])
            rows.append(numbers)
    return rows


def write_measures(rows: list[dict], path: str | Path) -> Path:
    """Writes a table; a file that was there before is replaced in one step.

    Arguments
    ---------
    rows : list of dict
        Numbers or words by column. Columns are those of all rows, in the order of their first appearance.
    path : str or Path
        The csv file. Its folder is made if need be.

    Returns
    -------
    Path
        The file.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)


def update_measures(path: str | Path, epoch: int, row: dict[str, float]) -> None:
    """Adds an epoch's row to a csv table; rows of that epoch and later ones, of an interrupted run, are
    replaced.

    Arguments
    ---------
    path : str or Path
        The table, made if it is not there.
    epoch : int
        Number of the epoch.
    row : dict of str to float
        The figures.

    Example
    -------
    >>> path = getfixture("tmp_path") / "measures.csv"
    >>> for epoch in (1, 2, 2):
    ...     update_measures(path, epoch, {"loss": epoch / 2})
    >>> print(path.read_text())
    epoch,loss
    1,0.5
    2,1.0
    """
    path = Path(path)
    rows = [old for old in read_measures(path) if old["epoch"] < epoch] if path.is_file() else []
    write_measures([*rows, {"epoch": epoch, **row}], path)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
