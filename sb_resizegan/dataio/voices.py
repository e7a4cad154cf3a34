"""Whose voice a recording is, and sampling in which no voice and no source outweighs the others."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sb_resizegan.dataio.recordings import Recordings

__all__ = ["MissingSpeakersError", "balanced", "voices_of_list"]

MOST_SECONDS = 600.0


class MissingSpeakersError(ValueError):
    """A list of recordings that does not say who speaks."""


def voices_of_list(path: str | Path) -> dict[str, tuple[str, str]]:
    """Reads sources and speakers from a csv list.

    Arguments
    ---------
    path : str or Path
        A list with the columns ``path`` and ``speaker``, and ``source`` where there are several.

    Returns
    -------
    dict of str to tuple of str
        By ``path`` as it stands in the list, the source (empty without the column) and the speaker.

    Raises
    ------
    MissingSpeakersError
        If the column ``speaker`` is missing or empty somewhere.

    Example
    -------
    >>> path = getfixture("tmp_path") / "list.csv"
    >>> _ = path.write_text("path,speaker,source\\na.wav,ann,studio\\n")
    >>> voices_of_list(path)
    {'a.wav': ('studio', 'ann')}
    """
    with open(path, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns, rows = reader.fieldnames or [], list(reader)
    if not {"path", "speaker"} <= set(columns):
        raise MissingSpeakersError(
            f"{path}: balanced sampling expects the columns 'path' and 'speaker', "
            f"but the list has {', '.join(columns)!r}; balance_minutes null does without"
        )
    silent = [row["path"] for row in rows if row["path"] and not row["speaker"]]
    if silent:
        raise MissingSpeakersError(
            f"{path}: expected a speaker for each recording, but {silent[0]!r} has none"
        )
    return {row["path"]: (row.get("source") or "", row["speaker"]) for row in rows if row["path"]}


def balanced(
    recordings: Recordings,
    lists: Sequence[str | Path],
    most_seconds: float = MOST_SECONDS,
    source_weights: Mapping[str, float] | None = None,
) -> Recordings:
    """Makes sure that no voice counts for more than some minutes, however much of it there is.

    Moments of a voice with more than ``most_seconds`` of speech become rarer, so that as much is drawn of it
    as of a voice with just that much. What no list names, such as prompts, counts as one voice for each
    folder that it lies in.

    Arguments
    ---------
    recordings : Recordings
        What is drawn from.
    lists : sequence of str or Path
        The csv lists among its sources, each with a column ``speaker``.
    most_seconds : float
        What a voice counts for at most, in seconds of speech.
    source_weights : mapping of str to float, optional
        What a source counts for besides, by its name in the column ``source``; 1 for those not named, 0
        leaves a source out.

    Returns
    -------
    Recordings

    Raises
    ------
    MissingSpeakersError
        If a list does not say who speaks.
    ValueError
        If a weight names no source, is negative, or all that is left has the weight 0.
    """
    if not most_seconds > 0:
        raise ValueError(f"most_seconds: expected a number above 0, but got {most_seconds!r}")
    named = {name: voice for path in lists for name, voice in voices_of_list(path).items()}
    source_weights = dict(source_weights or {})
    unknown = set(source_weights) - {source for source, _ in named.values()}
    if unknown:
        known = sorted({source for source, _ in named.values()})
        raise ValueError(f"source_weights: expected sources among {known}, but got {min(unknown)!r}")
    keys = [
        named.get(name, ("", f"folder {group}"))
        for name, group in zip(recordings.names, recordings.folders, strict=True)
    ]
    voices, owners = np.unique(["\0".join(key) for key in keys], return_inverse=True)
    seconds = np.bincount(owners, recordings.active_seconds, minlength=len(voices))
    share = np.minimum(1.0, most_seconds / np.maximum(seconds, 1e-9))
    weights = share[owners] * [source_weights.get(source, 1.0) for source, _ in keys]
    return recordings.weighted(weights, voices[owners])
