"""Utterances: sections of speech and the ranges they stand for (P.862, clause 10.1.6). Host bookkeeping."""

from dataclasses import dataclass

import numpy as np

from sb_resizegan.metrics.pesq.layout import GUARD, GUARD_SLOTS, SLOT, Geometry, quotient
from sb_resizegan.metrics.pesq.voice_activity import runs

SHORTEST_UTTERANCE = 50
MOST_UTTERANCES = 50  # the published model has room for no more


@dataclass(frozen=True)
class Utterance:
    """A stretch of the reference with one delay.

    Arguments
    ---------
    start, end : int
        Range in slots of 64 samples, counted with the 75 slots of silence before the signal.
    coarse_delay : int
        Delay from the envelopes, in samples.
    delay : int
        Delay in samples; positive if the degraded signal is late.
    confidence : float
        Share of the frames that agree on the delay, 0 to 1.
    """

    start: int
    end: int
    coarse_delay: int
    delay: int
    confidence: float


def find_sections(
    activity: np.ndarray, geometry: Geometry, delay: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sections of speech that are long enough and lie inside the degraded signal.

    Arguments
    ---------
    activity : numpy.ndarray
        Voice activity of the references, (batch, slots).
    geometry : Geometry
        Lengths of the pairs.
    delay : numpy.ndarray of int
        Delay of each whole file in samples, (batch,).

    Returns
    -------
    item, start, end : numpy.ndarray of int
        One entry a section, at most 50 of each pair.

    Example
    -------
    >>> from sb_resizegan.metrics.pesq.layout import Geometry
    >>> activity = np.zeros((1, 400))
    >>> activity[0, 100:200] = 1.0
    >>> find_sections(activity, Geometry(np.array([16000]), np.array([16000])), np.array([0]))
    (array([0]), array([100]), array([200]))
    """
    slots = geometry.slots_reference
    item, start, end = runs(activity > 0)
    end = np.where(end >= slots[item], slots[item] - 1, end)
    kept = (
        (end - start >= SHORTEST_UTTERANCE)
        & (start < quotient(geometry.padded_degraded - delay, SLOT)[item] - SHORTEST_UTTERANCE)
        & (end > SHORTEST_UTTERANCE - quotient(delay, SLOT)[item])
    )
    item, start, end = item[kept], start[kept], end[kept]
    rank = np.arange(len(item)) - np.searchsorted(item, item)
    few = rank < MOST_UTTERANCES
    return item[few], start[few], end[few]


def utterance_ranges(
    start: np.ndarray, end: np.ndarray, delay: np.ndarray, slots: int, padded: int
) -> tuple[list[int], list[int]]:
    """Extends the sections of one pair until they cover it, and settles where they meet.

    Arguments
    ---------
    start, end : numpy.ndarray of int
        Sections in slots, (utterances,).
    delay : numpy.ndarray of int
        Their delays in samples, (utterances,).
    slots : int
        Slots of the padded reference.
    padded : int
        Samples of the padded degraded signal.

    Returns
    -------
    start, end : list of int

    Example
    -------
    >>> utterance_ranges(np.array([80, 300]), np.array([200, 380]), np.array([0, 0]), 500, 32000)
    ([75, 250], [250, 425])
    """
    delay = [int(d) for d in delay]
    begins, stops = [int(b) for b in start], [int(e) for e in end]
    begins[0], stops[-1] = GUARD_SLOTS, slots - GUARD_SLOTS
    for u in range(1, len(delay)):
        middle = quotient(int(start[u]) + int(end[u - 1]), 2)
        begins[u] = stops[u - 1] = middle
    begins[0] = not_before(begins[0], delay[0], SLOT * begins[0] + delay[0] < GUARD)
    stops[-1] = not_after(stops[-1], delay[-1], padded)
    for u in range(1, len(delay)):
        s, t = SLOT * begins[u] + delay[u], SLOT * stops[u - 1] + delay[u - 1]
        if s < t:
            middle = quotient(s + t, 2)
            begins[u] = quotient(SLOT - 1 + middle - delay[u], SLOT)
            stops[u - 1] = quotient(middle - delay[u - 1], SLOT)
    return begins, stops


def not_before(start: int, delay: int, early: bool) -> int:
    """The start of a range, moved if it would begin before the degraded signal.

    Arguments
    ---------
    start : int
        In slots.
    delay : int
        In samples.
    early : bool
        Whether it does.

    Returns
    -------
    int

    Example
    -------
    >>> not_before(75, -130, True), not_before(75, 130, False)
    (78, 75)
    """
    return GUARD_SLOTS + quotient(SLOT - 1 - delay, SLOT) if early else start


def not_after(end: int, delay: int, padded: int) -> int:
    """The end of a range, moved if it would lie behind the degraded signal.

    Arguments
    ---------
    end : int
        In slots.
    delay : int
        In samples.
    padded : int
        Samples of the padded degraded signal.

    Returns
    -------
    int

    Example
    -------
    >>> not_after(430, 0, 32000), not_after(400, 0, 32000)
    (425, 400)
    """
    return quotient(padded - delay, SLOT) - GUARD_SLOTS if SLOT * end + delay > padded - GUARD else end
