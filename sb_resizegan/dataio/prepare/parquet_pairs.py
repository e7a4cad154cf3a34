"""Pairs of clean and noisy recordings in parquet files: two columns of audio, a row for each pair."""

from pathlib import Path

from sb_resizegan.dataio.prepare.pair_lists import COLUMNS, SIDES
from sb_resizegan.dataio.prepare.pair_matching import FoundPairs, PairFiles, files_by_key, joined, split_of
from sb_resizegan.dataio.prepare.parquet_audio import audio_columns, unpack_parquet

__all__ = ["find_parquet_pairs"]


def find_parquet_pairs(
    found: FoundPairs, data_folder: Path, paths: list[Path]
) -> list[tuple[str, PairFiles]] | None:
    """The pairs of parquet files, copied out of them.

    Arguments
    ---------
    found : FoundPairs
        Takes the files that were read.
    data_folder : Path
        The names of the files and folders from here on say which split a pair belongs to.
    paths : list of Path
        Parquet files.

    Returns
    -------
    list of tuple or None
        Name of the file and `PairFiles`; None if none of them has columns of audio that are called clean and
        noisy, or as SpeechBrain has it ``clean_wav`` and ``noisy_wav``.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    sources = []
    for path in sorted(paths):
        columns = {name: COLUMNS.get(name.lower(), name.lower()) for name in audio_columns(path)}
        # Unpacking names a pair after its last column.
        columns = {name: side for side in SIDES for name, called in columns.items() if called == side}
        if len(columns) != len(SIDES):
            continue
        found.texts.append(path)
        folder = unpack_parquet([path], columns) / "0"
        parts = path.relative_to(data_folder).with_suffix("").parts
        split = next((split for split in map(split_of, parts) if split), "train")
        sides = [files_by_key(found, folder / side, lambda name: name.stem) for side in SIDES]
        for name, clean, noisy in joined(*sides):
            sources.append(("/".join(parts), PairFiles(name, split, clean, noisy)))
    return sources or None
