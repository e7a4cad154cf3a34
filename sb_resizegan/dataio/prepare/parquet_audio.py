"""Recordings in parquet files, as Hugging Face ``datasets`` keep them: a column of encoded files.

A column of audio holds structures of ``bytes``, an encoded sound file, and ``path``, its name; where there
are no bytes, the path is that of a file. They are copied out as they are.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES
from sb_resizegan.dataio.prepare.unpacking import plain_name, unpacked
from sb_resizegan.utils.extras import require

__all__ = ["PARQUET", "audio_columns", "unpack_parquet"]

logger = get_logger(__name__)

PARQUET = ".parquet"
FORMAT = 1
IDS = ("id", "ID", "utt_id", "utterance_id", "name", "file")
# How the files begin that a path without an ending may stand for.
BEGINNINGS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff\xfb": ".mp3"}
ROWS_AT_ONCE = 16


def audio_columns(path: str | os.PathLike) -> list[str]:
    """The columns of audio of a parquet file.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    list of str

    Raises
    ------
    MissingExtraError
        Without pyarrow.
    ValueError
        If it is no parquet file, or damaged.
    """
    require(["pyarrow"], "data", "a parquet file")
    import pyarrow
    from pyarrow import parquet

    with _named(path):
        schema = parquet.read_schema(path)
    return [
        field.name
        for field in schema
        if pyarrow.types.is_struct(field.type)
        and {"bytes", "path"} <= {field.type.field(index).name for index in range(field.type.num_fields)}
    ]


def unpack_parquet(paths: Sequence[Path], columns: dict[str, str]) -> Path:
    """Copies the recordings of some columns to files; see `unpacked()`.

    Arguments
    ---------
    paths : sequence of Path
        The parquet files.
    columns : dict of str to str
        For each column the folder that its files go to.

    Returns
    -------
    Path
        A folder with a folder for each parquet file, by its number in ``paths``, that has those of the
        columns. The files of a row have one name, but for their endings.

    Raises
    ------
    ValueError
        If a file is damaged, or has no usable row.
    """

    def write(folder: Path) -> None:
        for number, path in enumerate(paths):
            for place in set(columns.values()):
                (folder / str(number) / place).mkdir(parents=True)
            _write(folder / str(number), path, columns)

    return unpacked(paths, ["parquet", FORMAT, columns], write)


def _write(folder: Path, path: Path, columns: dict[str, str]) -> None:
    left_out = written = 0
    for number, row in enumerate(_rows(path, columns)):
        cells = {column: row[column] or {} for column in columns}
        said = next((row[name] for name in IDS if row.get(name) is not None), None)
        if said is None:
            # The last column is the noisy one of a pair, whose name says more.
            said = Path(list(cells.values())[-1].get("path") or "").stem
        stem = plain_name(number, said)
        if not all(_is_usable(cell, path) for cell in cells.values()):
            left_out += 1
            continue
        for column, cell in cells.items():
            _put(folder / columns[column], stem, cell, path)
        written += 1
    if left_out:
        logger.warning(
            "%s: left out %d of %d rows, for they hold no file", path, left_out, left_out + written
        )
    if not written:
        raise ValueError(f"{path}: expected rows with files in {list(columns)}, but got {left_out} without")


def _rows(path: Path, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    with _named(path), parquet.ParquetFile(path) as table:
        wanted = [*columns, *(name for name in IDS if name in table.schema_arrow.names)]
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted):
            yield from batch.to_pylist()


@contextlib.contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    """Within, a damaged file is named, in one line."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, EOFError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk, not of what lies on it
            raise
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a parquet file, but: {reason}") from error


def _is_usable(cell: dict[str, Any], path: Path) -> bool:
    return bool(cell.get("bytes")) or bool(cell.get("path") and (path.parent / cell["path"]).is_file())


def _put(folder: Path, stem: str, cell: dict[str, Any], path: Path) -> None:
    suffix = Path(cell.get("path") or "").suffix.lower()
    if not cell.get("bytes"):
        (folder / f"{stem}{suffix}").symlink_to((path.parent / cell["path"]).absolute())
        return
    if suffix not in AUDIO_SUFFIXES:
        begin = cell["bytes"][:4]
        suffix = next((ending for word, ending in BEGINNINGS.items() if begin.startswith(word)), ".wav")
    (folder / f"{stem}{suffix}").write_bytes(cell["bytes"])
