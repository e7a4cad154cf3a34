"""What the indices of all shards of a corpus say, in arrays that can be mapped from one file."""

import itertools
import json
from collections.abc import Mapping, Sequence

import numpy as np

from sb_resizegan.utils.many_names import Names

__all__ = ["NoRecordingsError", "joined_index"]


class NoRecordingsError(ValueError):
    """Sources that hold no usable recording."""


def joined_index(shards: Sequence[Mapping[str, np.ndarray]], sources: str) -> dict[str, np.ndarray]:
    """Joins the indices of shards.

    Arguments
    ---------
    shards : sequence of mapping
        Of each shard the arrays ``lengths``, ``scales``, ``rates``, ``levels``, ``groups``, ``regions``,
        ``region_owners``, and json in ``folders``, ``names``, ``skipped``.
    sources : str
        What the user calls the files, for messages.

    Returns
    -------
    dict of str to numpy.ndarray
        One entry per recording, in order: ``lengths`` in samples, ``starts`` (where its samples begin),
        ``scales`` (what to multiply samples with), ``rates`` in Hz of the file, ``levels`` (RMS of active
        parts), ``groups`` (number of the folder), ``name_ends`` (where its name ends in ``letters``); one per
        stretch of activity: ``regions`` ``(regions, 2)``, ``region_owners``; ``shard_samples``; and
        ``skipped``, json.

    Raises
    ------
    NoRecordingsError
        If there is none.
    """
    skipped: dict[str, list[str]] = {}
    for shard in shards:
        for reason, left in json.loads(str(shard["skipped"])).items():
            skipped.setdefault(reason, []).extend(left)
    skipped = {reason: skipped[reason] for reason in sorted(skipped)}
    names = Names.of(name for shard in shards for name in json.loads(str(shard["names"])))
    if not len(names):
        counts = ", ".join(f"{len(left)} {reason}" for reason, left in skipped.items())
        raise NoRecordingsError(
            f"{sources}: expected at least one usable recording, but found none; "
            f"left out: {counts or 'no files at all'}"
        )
    joined = {
        key: np.concatenate([shard[key] for shard in shards])
        for key in ("lengths", "scales", "rates", "levels", "regions")
    }
    counts = [len(shard["lengths"]) for shard in shards]
    before = np.cumsum([0, *counts])
    joined["region_owners"] = np.concatenate(
        [shard["region_owners"] + first for shard, first in zip(shards, before, strict=False)]
    ).astype(np.int32)
    folders = [json.loads(str(shard["folders"])) for shard in shards]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(itertools.chain(*folders)))}
    joined["groups"] = np.concatenate(
        [
            np.array([numbers[name] for name in own], dtype=np.int32)[shard["groups"]]
            for own, shard in zip(folders, shards, strict=True)
        ]
    )
    joined["starts"] = np.cumsum(joined["lengths"]) - joined["lengths"]
    joined["shard_samples"] = np.array([shard["lengths"].sum() for shard in shards], dtype=np.int64)
    joined["letters"], joined["name_ends"] = names.letters, names.ends
    joined["skipped"] = np.frombuffer(json.dumps(skipped).encode(), dtype=np.uint8)
    return joined
