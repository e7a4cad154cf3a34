"""Utterances by their signal-to-noise ratio: groups of them, and some that are spread over it."""

import math
from collections.abc import Sequence

from sb_resizegan.dataio.utterances import Utterance, measured_snr_db

__all__ = ["choose_shown", "snr_buckets", "snr_of"]

MOST_NOMINAL = 8
BIN_DB = 5


def snr_buckets(snr_db: Sequence[float]) -> list[tuple[str, list[int]]]:
    """Groups utterances by their signal-to-noise ratio.

    A corpus that was mixed at a few nominal ratios gets a bucket for each, any other buckets of 5 dB, whose
    edges keep away from the ratios as well as they can: measured ones scatter around nominal ones.

    Arguments
    ---------
    snr_db : sequence of float
        Of each utterance, in dB; NaN or infinite where there is none.

    Returns
    -------
    list of tuple
        ``(label, numbers of the utterances)`` by ascending ratio, those without one last. None at all where
        all utterances would be in one bucket.

    Example
    -------
    >>> snr_buckets([2.5, 17.5, 2.5])
    [('2.5 dB', [0, 2]), ('17.5 dB', [1])]
    >>> snr_buckets([-0.1, 4.99, 5.01, 12.0, float("nan")])
    [('-2.5 to 2.5 dB', [0]), ('2.5 to 7.5 dB', [1, 2]), ('7.5 to 12.5 dB', [3]), ('unknown', [4])]
    """
    known = [value for value in snr_db if math.isfinite(value)]
    nominal = len(set(known)) <= MOST_NOMINAL and all((2 * value).is_integer() for value in known)
    edge = max((0, BIN_DB / 2), key=lambda edge: sum(_distance(value, edge) for value in known))
    groups: dict[float, list[int]] = {}
    for index, value in enumerate(snr_db):
        if not math.isfinite(value):
            key = math.inf
        else:
            key = value if nominal else edge + BIN_DB * ((value - edge) // BIN_DB)
        groups.setdefault(key, []).append(index)
    if len(groups) < 2:
        return []

    def label(key: float) -> str:
        if key == math.inf:
            return "unknown"
        return f"{key:g} dB" if nominal else f"{key:g} to {key + BIN_DB:g} dB"

    return [(label(key), groups[key]) for key in sorted(groups)]


def choose_shown(utterances: Sequence[Utterance], count: int) -> list[int]:
    """Chooses utterances to listen to, spread evenly over the signal-to-noise ratios.

    Arguments
    ---------
    utterances : sequence of Utterance
    count : int

    Returns
    -------
    list of int
        Numbers of at most ``count`` utterances, noisiest first; the same ones whatever their order.

    Example
    -------
    >>> import numpy as np
    >>> from sb_resizegan.dataio.utterances import Utterance
    >>> ones = np.ones(9)
    >>> choose_shown([Utterance(str(snr), ones, ones, snr) for snr in (9, 0, 3, 6)], 2)
    [1, 0]
    """

    def rank(index: int) -> tuple[float, str]:
        snr_db = snr_of(utterances[index])
        return (math.inf if math.isnan(snr_db) else snr_db, utterances[index].name)

    ranked = sorted(range(len(utterances)), key=rank)
    count = min(count, len(ranked))
    steps = [round(k * (len(ranked) - 1) / max(1, count - 1)) for k in range(count)]
    return [ranked[step] for step in steps]


def snr_of(utterance: Utterance) -> float:
    """Signal-to-noise ratio of an utterance.

    Arguments
    ---------
    utterance : Utterance

    Returns
    -------
    float
        In dB, as the corpus states it, or else measured; NaN where there is none.
    """
    stated = utterance.snr_db
    return measured_snr_db(utterance.noisy, utterance.clean) if stated is None else float(stated)


def _distance(value: float, edge: float) -> float:
    """From a ratio to the nearest edge of a bucket."""
    above = (value - edge) % BIN_DB
    return min(above, BIN_DB - above)
