"""What a user may name as a source of recordings: a folder, a list, a file, the default corpus."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES
from sb_resizegan.dataio.finding import files_below
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.prepare.lhotse_cuts import CUTS, cut_files
from sb_resizegan.dataio.prepare.parquet_audio import PARQUET, audio_columns, unpack_parquet

__all__ = ["SourceFile", "find_recordings"]

PROMPTS = "prompts:"
# The column of audio that counts where a parquet file has several.
AUDIO_COLUMNS = ("audio", "wav")


class SourceFile(NamedTuple):
    """A file and the name by which reports and splits know it: its path within its source."""

    path: Path
    name: str


def find_recordings(
    sources: str | Path | Sequence[str | Path], except_folder: str | Path | None = None
) -> list[SourceFile]:
    """Lists the files of one or several sources; nothing is opened but the csv lists.

    Arguments
    ---------
    sources : str, Path or list of these
        Each a folder (searched with all that is below), a csv list (column ``path``, or SpeechBrain's
        ``wav``, relative to the list's folder; other columns don't matter), a Kaldi ``wav.scp`` of files, a
        manifest of Lhotse (cuts or recordings, ``.jsonl`` or ``.jsonl.gz``), a parquet file with a column of
        audio or a folder of these (Hugging Face ``datasets``), an audio file, or ``prompts:LANGUAGE`` for the
        project's default corpus in one of its languages: en, es, fr, it, ru.
    except_folder : str or Path, optional
        Not searched where it lies in a folder that is.

    Returns
    -------
    list of SourceFile
        In the order of their folders and names, so that what lies together stays together; a file that
        several sources name counts once.

    Raises
    ------
    FileNotFoundError
        If a source is none of these.
    ValueError
        If there is no source, a list isn't one or has no column for the recordings, or a language is unknown.
    MissingExtraError
        For a manifest of Lhotse or a parquet file, without the extra ``data``.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "list.csv").write_text("path,seconds\\nb/1.wav,2.0\\na/1.wav,3.0\\n")
    >>> [file.name for file in find_recordings(folder / "list.csv")]
    ['a/1.wav', 'b/1.wav']
    """
    if not sources:
        raise ValueError(f"sources: expected at least one, but got {sources!r}")
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    files: dict[str, SourceFile] = {}
    for source in sources:
        for file in sorted(_files_of(source, except_folder), key=lambda file: (file.path.parent, file.path)):
            files.setdefault(os.path.realpath(file.path), file)
    folders = dict.fromkeys(file.path.parent for file in files.values())
    order = {folder: number for number, folder in enumerate(folders)}
    return sorted(files.values(), key=lambda file: order[file.path.parent])


def _files_of(source: str | Path, except_folder: str | Path | None) -> list[SourceFile]:
    if str(source).startswith(PROMPTS):
        source = prepare_default_corpus(str(source)[len(PROMPTS) :])
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        names = list(files_below(path, except_folder, once=True))
        tables = [name for name in names if name.lower().endswith(PARQUET)]
        if tables and not any(Path(name).suffix.lower() in AUDIO_SUFFIXES for name in names):
            return _files_in_parquet([path / name for name in tables], path)
        return [SourceFile(path / name, name) for name in names]
    if path.is_file() and path.suffix.lower() == PARQUET:
        return _files_in_parquet([path], path)
    if path.is_file() and path.name.lower().endswith(CUTS):
        return [SourceFile(*found) for found in cut_files(path)]
    if path.is_file() and path.suffix.lower() == ".csv":
        return [SourceFile(path.parent / name, name) for name in _names_in_list(path)]
    if path.is_file() and path.suffix.lower() == ".scp":
        return [SourceFile(path.parent / name, name) for name in _names_in_scp(path)]
    if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES:
        return [SourceFile(path, path.name)]
    raise FileNotFoundError(
        f"sources: expected a folder, a csv list, a wav.scp, cuts.jsonl, a parquet file, an audio file or "
        f"{PROMPTS}LANGUAGE, "
        f"but got {str(source)!r}"
    )


def _files_in_parquet(paths: list[Path], source: Path) -> list[SourceFile]:
    columns = audio_columns(paths[0])
    column = next((name for name in AUDIO_COLUMNS if name in columns), None)
    if column is None and len(columns) != 1:
        raise ValueError(
            f"{source}: expected a column of audio, of several one that is called "
            f"{' or '.join(AUDIO_COLUMNS)}, but got {columns or 'none'}"
        )
    folder = unpack_parquet(paths, {column or columns[0]: "audio"})
    return [SourceFile(folder / name, name) for name in files_below(folder)]


def _names_in_list(path: Path) -> list[str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            columns = rows.fieldnames or []
            names = [row.get("path" if "path" in columns else "wav") for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a csv file in UTF-8: {error}") from error
    if not {"path", "wav"} & set(columns):
        raise ValueError(
            f"{path}: expected a column 'path' or 'wav', but its columns are {', '.join(columns)!r}"
        )
    return [name for name in names if name]


def _names_in_scp(path: Path) -> list[str]:
    """The paths of a Kaldi list, ``ID PATH`` a line; commands are not run."""
    names = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected a wav.scp in UTF-8: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name = line.split(maxsplit=1)[1].strip() if len(line.split(maxsplit=1)) == 2 else ""
        if not name or name.endswith("|"):
            raise ValueError(
                f"{path}, line {number}: expected an id and the path of a file, but got {line!r}"
            )
        names.append(name)
    return names
