"""Where corpora of paired clean and noisy speech keep their files."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.prepare.pair_lists import (
    LIST_SUFFIXES,
    SIDES,
    is_pair_list,
    list_columns,
    read_pair_list,
)
from sb_resizegan.dataio.prepare.pair_matching import (
    SPLIT_WORDS,
    FoundPairs,
    NoPairsError,
    PairFiles,
    files_by_key,
    joined,
    split_of,
)
from sb_resizegan.dataio.prepare.parquet_audio import PARQUET, audio_columns
from sb_resizegan.dataio.prepare.parquet_pairs import find_parquet_pairs
from sb_resizegan.dataio.prepare.voicebank import VOICEBANK_FOLDER, find_voicebank

__all__ = ["LAYOUTS", "find_pair_files"]

logger = get_logger(__name__)

# In the order in which they are looked for.
LAYOUTS = {
    "voicebank": "VoiceBank-DEMAND: clean_trainset_28spk_wav/ and noisy_trainset_28spk_wav/, the same with "
    "56spk, clean_testset_wav/ and noisy_testset_wav/, each also with _16k behind",
    "voicebank_28spk": "VoiceBank-DEMAND without the 56 speakers",
    "voicebank_56spk": "VoiceBank-DEMAND without the 28 speakers",
    "list": "NAME.csv or .json with the columns clean and noisy (paths), or with the column id "
    "beside NAME/clean/ID.flac and NAME/noisy/ID.flac",
    "dns": "DNS-Challenge: clean/clean_fileid_N.wav and noisy/…_fileid_N.wav",
    "folders": "clean/ and noisy/ with equal names inside, also below train/, valid/ and test/",
    "parquet": "NAME.parquet of Hugging Face datasets with the columns clean and noisy of audio",
}
FILE_ID = re.compile(r"fileid_(\d+)", re.I)
DNS_SNR = re.compile(r"_snr(-?\d+(?:\.\d+)?)_", re.I)
DEEPEST = 4


def find_pair_files(
    data_folder: str | Path,
    layout: str | None = None,
    split: str | None = None,
    sample_rate: int = 16000,
    ignored_folder: str | Path | None = None,
) -> FoundPairs:
    """Finds the pairs of a corpus by the names of its files and folders.

    Folders are searched down to four levels below ``data_folder``. VoiceBank's files are matched by name,
    DNS-Challenge's by ``fileid``, all others by their path without suffix. Which split a pair belongs to is
    read off the names of the folders (or the list) that lead to it; without a word for it, it is "train".

    Arguments
    ---------
    data_folder : str or Path
        A folder, a list with the ending ``.csv`` or ``.json``, or a parquet file.
    layout : str, optional
        Key of ``LAYOUTS``; by default the first of them that is there.
    split : str, optional
        "train", "valid" or "test" for all pairs, whatever the names say.
    sample_rate : int
        Of the training to come, in Hz: up to 16000, VoiceBank's 16 kHz copies are preferred.
    ignored_folder : str or Path, optional
        Isn't searched.

    Returns
    -------
    FoundPairs

    Raises
    ------
    FileNotFoundError
        If ``data_folder`` doesn't exist.
    NoPairsError
        If nothing there has the layout; what was looked for and what is there are in the message.
    ValueError
        If there is no such layout or split, or a list has a wrong line.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("clean/a.wav", "noisy/a.flac", "noisy/b.wav"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     (folder / name).touch()
    >>> found = find_pair_files(folder)
    >>> found.layout, [(pair.name, pair.clean is None) for pair in found.pairs]
    ('folders', [('a', False), ('b', True)])
    """
    data_folder = Path(data_folder)
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"layout: expected null or one of {', '.join(LAYOUTS)}, but got {layout!r}")
    if split is not None and split not in SPLIT_WORDS:
        raise ValueError(f"split: expected null or one of {', '.join(SPLIT_WORDS)}, but got {split!r}")
    if data_folder.is_file() and data_folder.suffix.lower() == PARQUET and layout in (None, "parquet"):
        found = FoundPairs("parquet")
        pairs = find_parquet_pairs(found, data_folder.parent, [data_folder])
        if pairs is None:
            raise NoPairsError(
                f"{data_folder}: expected {LAYOUTS['parquet']}; it has {audio_columns(data_folder)}"
            )
        return _with_unique_names(found, pairs, split)
    if data_folder.is_file():
        _check_list(data_folder, layout)
        found = FoundPairs("list")
        return _with_unique_names(found, _find_in_lists(found, [data_folder]), split)
    if not data_folder.is_dir():
        raise FileNotFoundError(
            f"data_folder: expected a folder or a csv list, but there is no {data_folder}"
        )
    folders = list(_walk(data_folder, ignored_folder))
    for name in LAYOUTS if layout is None else [layout]:
        found = FoundPairs(name)
        pairs = _find(found, data_folder, folders, sample_rate)
        if pairs is not None:
            return _with_unique_names(found, pairs, split)
    raise NoPairsError(_nothing_message(data_folder, layout, folders))


def _check_list(path: Path, layout: str | None) -> None:
    if layout not in (None, "list") or path.suffix.lower() not in LIST_SUFFIXES:
        expected = (
            "a folder or a csv or json list of pairs"
            if layout in (None, "list")
            else f"a folder for {layout}"
        )
        raise ValueError(f"data_folder: expected {expected}, but {path} is a file")
    if not is_pair_list(path):
        columns = ", ".join(list_columns(path)) or "none"
        raise NoPairsError(f"{path}: expected {LAYOUTS['list']}; its columns are: {columns}")


def _find(
    found: FoundPairs, data_folder: Path, folders: list[Any], sample_rate: int
) -> list[tuple[str, PairFiles]] | None:
    """Tuples of a source's name and a pair in one layout, or None if it isn't that."""
    if found.layout.startswith("voicebank"):
        speakers = found.layout[len("voicebank_") :][:2]
        return find_voicebank(found, folders, sample_rate, {speakers} if speakers else {"28", "56"})
    if found.layout == "list":
        lists = [path for path in sorted(data_folder.glob("*.csv")) if path.is_file() and is_pair_list(path)]
        return _find_in_lists(found, lists) if lists else None
    if found.layout == "parquet":
        tables = [folder / name for folder, _, names in folders for name in names if _is_parquet(name)]
        return find_parquet_pairs(found, data_folder, tables)
    sources = [folder for folder, subfolders, _ in folders if _sides(folder, subfolders)]
    if found.layout == "dns":
        sources = [folder for folder in sources if _has_file_ids(folder)]
    return _find_in_folders(found, data_folder, sources) if sources else None


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(PARQUET)


def _walk(
    data_folder: Path, ignored_folder: str | Path | None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields folder, names of its folders, names of its files, level by level, each folder once."""
    visited = {os.path.realpath(ignored_folder)} if ignored_folder is not None else set()
    level = [data_folder]
    for depth in range(DEEPEST + 1):
        below = []
        for folder in level:
            real = os.path.realpath(folder)
            if real in visited:
                continue
            visited.add(real)
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                if depth == 0:
                    raise
                logger.warning("Not searched: %s: %s", ascii(str(folder)), error.strerror)
                continue
            subfolders = [
                entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
            ]
            yield folder, subfolders, [entry.name for entry in entries if not entry.is_dir()]
            # What lies in these are recordings.
            below += [
                folder / name
                for name in subfolders
                if name.lower() not in (*SIDES, "noise") and not VOICEBANK_FOLDER.fullmatch(name)
            ]
        level = below


def _sides(folder: Path, subfolders: Sequence[str]) -> list[Path] | None:
    """The folders with the clean and the noisy files, or None."""
    names = {name.lower(): name for name in reversed(subfolders)}
    return [folder / names[side] for side in SIDES] if all(side in names for side in SIDES) else None


def _sides_of(folder: Path) -> list[Path]:
    return _sides(folder, sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())) or []


def _has_file_ids(folder: Path) -> bool:
    return all(any(FILE_ID.search(name) for name in os.listdir(side)) for side in _sides_of(folder))


def _find_in_folders(
    found: FoundPairs, data_folder: Path, sources: Sequence[Path]
) -> list[tuple[str, PairFiles]]:
    is_dns = found.layout == "dns"
    pairs = []
    for folder in sources:
        parts = folder.relative_to(data_folder).parts
        split = next((split for split in map(split_of, parts) if split), "train")
        key_of = _file_id_key if is_dns else _path_key
        sides = [files_by_key(found, side, key_of) for side in _sides_of(folder)]
        for name, clean, noisy in joined(*sides):
            snr = DNS_SNR.search(noisy.name) if is_dns and noisy is not None else None
            snr_db = None if snr is None else float(snr[1])
            pairs.append(("/".join(parts), PairFiles(name, split, clean, noisy, snr_db)))
    return pairs


def _path_key(name: PurePath) -> str:
    return name.with_suffix("").as_posix()


def _file_id_key(name: PurePath) -> str:
    match = FILE_ID.search(name.stem)
    return _path_key(name) if match is None else (name.parent / f"fileid_{int(match[1])}").as_posix()


def _find_in_lists(found: FoundPairs, paths: list[Path]) -> list[tuple[str, PairFiles]]:
    found.texts = paths
    pairs = []
    for path in paths:
        split = split_of(path.stem) or "train"
        for row in read_pair_list(path):
            if row.clean is None and row.noisy is None:
                found.leave_out("missing", path.parent / path.stem / row.name)
            else:
                pairs.append((path.stem, PairFiles(row.name, split, row.clean, row.noisy, row.snr_db)))
    return pairs


def _with_unique_names(
    found: FoundPairs, sources: list[tuple[str, PairFiles]], split: str | None
) -> FoundPairs:
    """Fills in the pairs; where sources share a name in a split, their own names go before it."""
    if split is not None:
        sources = [(source, pair._replace(split=split)) for source, pair in sources]
    counts = Counter((pair.split, pair.name) for _, pair in sources)
    taken = set()
    for source, pair in sources:
        if source and counts[pair.split, pair.name] > 1:
            pair = pair._replace(name=f"{source}/{pair.name}")
        if (pair.split, pair.name) in taken:
            found.leave_out("same name twice", pair.noisy or pair.clean)
            continue
        taken.add((pair.split, pair.name))
        found.pairs.append(pair)
    found.pairs.sort(key=lambda pair: (pair.split, pair.name))
    return found


def _nothing_message(data_folder: Path, layout: str | None, folders: Sequence[Any]) -> str:
    wanted = [f"{name} ({text})" for name, text in LAYOUTS.items() if layout in (None, name)]
    _, subfolders, files = folders[0]
    there = [f"{name}/" for name in subfolders[:8]] + (["…"] if len(subfolders) > 8 else [])
    there = ", ".join(there) if there else "no folders"
    return (
        f"data_folder: expected pairs of clean and noisy recordings in {data_folder}, laid out as one of: "
        f"{'; '.join(wanted)}. Found there: {there}; {len(files)} files"
    )
