"""What a user may name as a source of recordings: a folder, a list, a file, the default corpus."""

import csv
import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES
from sb_resizegan.dataio.finding import files_below
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.prepare.lhotse_cuts import CUTS, cut_files
from sb_resizegan.dataio.prepare.parquet_audio import PARQUET, audio_columns, unpack_parquet
from sb_resizegan.dataio.prepare.tars import is_tar, tar_urls
from sb_resizegan.utils.many_names import Names

__all__ = ["SourceFile", "SourceFiles", "find_recordings"]

PROMPTS = "prompts:"
# The column of audio that counts where a parquet file has several.
AUDIO_COLUMNS = ("audio", "wav")


class SourceFile(NamedTuple):
    """A file and the name by which reports and splits know it: its path within its source."""

    path: Path
    name: str


class SourceFiles(Sequence[SourceFile]):
    """Files of sources, each held as its name and 4 bytes; a `SourceFile` is made when it is asked for.

    Arguments
    ---------
    folders : sequence of str
        In which names lie.
    owners : numpy.ndarray
        For each file, the number of its folder.
    names : Names
        Of the files.
    paths : Names, optional
        Where they lie in their folders, if not under their names.

    Example
    -------
    >>> files = SourceFiles(["/speech"], np.zeros(2, dtype=np.uint32), Names.of(["a.wav", "b.wav"]))
    >>> files[1].path.as_posix(), len(files[:1])
    ('/speech/b.wav', 1)
    """

    def __init__(
        self, folders: Sequence[str], owners: np.ndarray, names: Names, paths: Names | None = None
    ) -> None:
        self.folders, self.owners, self.names = folders, owners, names
        self.paths = names if paths is None else paths

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: Any) -> Any:
        """A file by its number, or several by a slice."""
        if isinstance(number, slice):
            return self.take(np.arange(*number.indices(len(self))))
        folder = Path(self.folders[int(self.owners[number])])
        return SourceFile(folder / self.paths[number], self.names[number])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def take(self, numbers: np.ndarray) -> "SourceFiles":
        """Those with these numbers, in this order."""
        numbers = numbers.astype(np.uint32)
        paths = None if self.paths is self.names else self.paths.take(numbers)
        return SourceFiles(self.folders, self.owners[numbers], self.names.take(numbers), paths)


def find_recordings(
    sources: str | Path | Sequence[str | Path], except_folder: str | Path | None = None
) -> SourceFiles:
    """Lists the files of one or several sources; nothing is opened but the csv lists.

    Arguments
    ---------
    sources : str, Path or list of these
        Each a folder (searched with all that is below), a csv list (column ``path``, or SpeechBrain's
        ``wav``, relative to the list's folder; other columns don't matter), a Kaldi ``wav.scp`` of files, a
        manifest of Lhotse (cuts or recordings, ``.jsonl`` or ``.jsonl.gz``), a parquet file with a column of
        audio or a folder of these (Hugging Face ``datasets``), an audio file, tars of WebDataset
        (`sb_resizegan.dataio.prepare.tars`), or ``prompts:LANGUAGE`` for the
        project's default corpus in one of its languages: en, es, fr, it, ru.
    except_folder : str or Path, optional
        Not searched where it lies in a folder that is.

    Returns
    -------
    SourceFiles
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
    folders: list[str] = []
    owners = array("I")

    def take() -> Iterator[str]:
        for source in sources:
            folder, found = _names_of(source, except_folder)
            folders.append(folder)
            for entry in found:
                if not isinstance(entry, str):
                    elsewhere[len(owners)], entry = str(entry[0]), entry[1]
                owners.append(len(folders) - 1)
                yield entry

    elsewhere: dict[int, str] = {}
    names = Names.of(take())
    paths = None
    if elsewhere:
        paths = Names.of(elsewhere.get(number, name) for number, name in enumerate(names))
    files = SourceFiles(folders, np.array(owners, dtype=np.uint32), names, paths)
    # The names of one folder come in order, and once each.
    if len(sources) == 1 and _is_folder(sources[0]):
        return files.take(_folders_together(files, in_order=True))
    files = _first_of_each(_in_order(files))
    return files.take(_folders_together(files, in_order=False))


def _in_order(files: SourceFiles) -> SourceFiles:
    """Those of each source in the order of their folders and names."""
    keys = [(owner, file.path.parent, file.path) for owner, file in zip(files.owners, files, strict=True)]
    return files.take(np.array(sorted(range(len(files)), key=keys.__getitem__), dtype=np.int64))


def _first_of_each(files: SourceFiles) -> SourceFiles:
    """Each file once, under the first of its names."""
    first: dict[bytes, int] = {}
    for number, file in enumerate(files):
        real = os.path.realpath(file.path).encode("utf-8", "surrogateescape")
        first.setdefault(hashlib.blake2b(real, digest_size=16).digest(), number)
    return files.take(np.fromiter(first.values(), dtype=np.int64, count=len(first)))


def _folders_together(files: SourceFiles, in_order: bool) -> np.ndarray:
    """Numbers of the files so that those of a folder follow each other; folders as they come, or in order."""
    seen: dict[tuple[int, str], int] = {}
    places: dict[Path, int] = {}
    order = np.empty(len(files), dtype=np.int32)
    for number, (owner, name) in enumerate(zip(files.owners, files.paths, strict=True)):
        key = int(owner), os.path.dirname(name)
        if key not in seen:
            seen[key] = places.setdefault(Path(files.folders[key[0]]) / key[1], len(places))
        order[number] = seen[key]
    if in_order:
        ranks = np.empty(len(places), dtype=np.int32)
        ranks[[places[folder] for folder in sorted(places)]] = np.arange(len(places))
        order = ranks[order]
    return np.argsort(order, kind="stable")


def _is_folder(source: str | Path) -> bool:
    return str(source).startswith(PROMPTS) or Path(source).expanduser().is_dir()


def _names_of(
    source: str | Path, except_folder: str | Path | None
) -> tuple[str, Iterable[str | tuple[Path, str]]]:
    """A folder, and the names of the files in it, or paths with the names that they go by; of tars, these."""
    if is_tar(source):
        return "", tar_urls(source)
    if str(source).startswith(PROMPTS):
        source = prepare_default_corpus(str(source)[len(PROMPTS) :])
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        tables = _tables_alone(path, except_folder)
        if tables:
            return _files_in_parquet([path / name for name in tables], path)
        return str(path), files_below(path, except_folder, once=True)
    if path.is_file() and path.suffix.lower() == PARQUET:
        return _files_in_parquet([path], path)
    if path.is_file() and path.name.lower().endswith(CUTS):
        return "", cut_files(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        return str(path.parent), _names_in_list(path)
    if path.is_file() and path.suffix.lower() == ".scp":
        return str(path.parent), _names_in_scp(path)
    if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES:
        return str(path.parent), [path.name]
    raise FileNotFoundError(
        f"sources: expected a folder, a csv list, a wav.scp, cuts.jsonl, a parquet file, an audio file, tars "
        f"or {PROMPTS}LANGUAGE, "
        f"but got {str(source)!r}"
    )


def _tables_alone(folder: Path, except_folder: str | Path | None) -> list[str]:
    """The parquet files of a folder that has no audio files."""
    tables = []
    for name in files_below(folder, except_folder, once=True):
        suffix = Path(name).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            return []
        if suffix == PARQUET:
            tables.append(name)
    return tables


def _files_in_parquet(paths: list[Path], source: Path) -> tuple[str, Iterable[str]]:
    columns = audio_columns(paths[0])
    column = next((name for name in AUDIO_COLUMNS if name in columns), None)
    if column is None and len(columns) != 1:
        raise ValueError(
            f"{source}: expected a column of audio, of several one that is called "
            f"{' or '.join(AUDIO_COLUMNS)}, but got {columns or 'none'}"
        )
    folder = unpack_parquet(paths, {column or columns[0]: "audio"})
    return str(folder), files_below(folder)


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
