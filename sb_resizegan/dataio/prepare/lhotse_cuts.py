"""Recordings that a manifest of Lhotse lists: whole files as they are, others as Lhotse reads them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import soundfile
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.prepare.unpacking import plain_name, unpacked
from sb_resizegan.utils.extras import require

__all__ = ["CUTS", "cut_files"]

logger = get_logger(__name__)

# Endings of Lhotse's manifests.
CUTS = (".jsonl", ".jsonl.gz")
FORMAT = 1


def cut_files(path: str | os.PathLike) -> list[tuple[Path, str]]:
    """Files of the cuts or recordings of a manifest.

    Arguments
    ---------
    path : str or Path
        ``cuts.jsonl``, ``recordings.jsonl``, either also with ``.gz``. Paths in it are Lhotse's: relative to
        the working directory, or absolute.

    Returns
    -------
    list of tuple
        Path and name of each. A cut that is a whole file is that file; others, parts of a file, mixtures,
        resampled or changed in speed, are written as float wav files; see `unpacked()`. What cannot be read
        is left out, and named in a warning.

    Raises
    ------
    MissingExtraError
        Without Lhotse.
    ValueError
        If it is no such manifest, or nothing in it can be read.
    """
    require(["lhotse"], "data", "a manifest of Lhotse")
    from lhotse import CutSet, RecordingSet, load_manifest

    try:
        manifest = load_manifest(path)
        if isinstance(manifest, RecordingSet):
            manifest = CutSet.from_manifests(recordings=manifest)
        cuts = list(manifest) if isinstance(manifest, CutSet) else None
    except Exception as error:  # Lhotse has no class of its own for a manifest that is none
        raise ValueError(
            f"{path}: expected cuts or recordings of Lhotse, but {' '.join(str(error).split())}"
        ) from error
    if not cuts:
        found = "none" if cuts is not None else f"a {type(manifest).__name__}"
        raise ValueError(f"{path}: expected cuts or recordings of Lhotse, but got {found}")
    files = [(_whole_file(cut), cut, plain_name(number, cut.id)) for number, cut in enumerate(cuts)]
    parts = [(cut, name) for file, cut, name in files if file is None]
    written = {}
    if parts:
        sources = [path, *sorted(_sources(cut for cut, _ in parts))]
        folder = unpacked(sources, ["lhotse", FORMAT], lambda folder: _write(folder, parts, path))
        written = {file.stem: file for file in folder.iterdir()}
    found = [(file or written.get(name), name) for file, _, name in files]
    return [(file, f"{name}{file.suffix}") for file, name in found if file is not None]


def _whole_file(cut: Any) -> Path | None:
    """The file that a cut is, or None if it is anything else."""
    recording = getattr(cut, "recording", None)
    if recording is None or recording.transforms or len(recording.sources) != 1:
        return None
    (source,) = recording.sources
    channels = cut.channel if isinstance(cut.channel, list) else [cut.channel]
    whole = cut.start == 0 and cut.num_samples == recording.num_samples
    if source.type != "file" or not whole or sorted(channels) != sorted(recording.channel_ids):
        return None
    return Path(source.source).absolute()


def _sources(cuts: Iterable[Any]) -> set[str]:
    """The files that cuts are read from."""
    recordings = []
    for cut in cuts:
        tracks = [track.cut for track in cut.tracks] if hasattr(cut, "tracks") else [cut]
        recordings += [track.recording for track in tracks if getattr(track, "recording", None) is not None]
    return {
        os.path.abspath(source.source)
        for recording in recordings
        for source in recording.sources
        if source.type == "file"
    }


def _write(folder: Path, parts: list[tuple[Any, str]], path: str | os.PathLike) -> None:
    left_out = []
    for cut, name in parts:
        try:
            audio = cut.load_audio()
        except Exception as error:  # one class for each of Lhotse's ways to read a file
            left_out.append(f"{cut.id} ({' '.join(str(error).split())[:100]})")
            continue
        if audio is None:  # a cut of features alone, or of silence
            left_out.append(f"{cut.id} (no recording)")
            continue
        soundfile.write(folder / f"{name}.wav", audio.T, cut.sampling_rate, subtype="FLOAT")
    if left_out:
        logger.warning(
            "%s: left out %d cuts that cannot be read: %s", path, len(left_out), "; ".join(left_out[:10])
        )
    if len(left_out) == len(parts):
        raise ValueError(f"{path}: expected cuts that can be read, but got none; the first: {left_out[0]}")
