"""Places where an utterance could be split, and the frames on either side of each (P.862, clause 10.1.7)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import to_device

SHORTEST_SPLIT = 200  # slots
MOST_BREAKPOINTS = 40


@dataclass
class Breakpoints:
    """Places where the utterances of a round could be split; one entry a place, by utterance and time."""

    node: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, start: np.ndarray, end: np.ndarray) -> "Breakpoints":
        """Places for stretches of speech, in slots; none in those under 0.8 s."""
        length = end - start
        step = 4 * np.floor((0.801 * length + 159) / 160).astype(np.int64)
        pad = np.maximum(75, length // 10)
        places = (start + pad)[:, None] + step[:, None] * np.arange(MOST_BREAKPOINTS)
        kept = (places <= (end - pad)[:, None]) & (length >= SHORTEST_SPLIT)[:, None]
        node, column = np.nonzero(kept)
        return cls(node, places[node, column])


class SpeechBounds:
    """First and last slot of speech from any slot on.

    Arguments
    ---------
    activity : numpy.ndarray
        Voice activity of the references, (batch, slots).

    Example
    -------
    >>> SpeechBounds(np.array([[0, 1, 1, 0, 0]])).inside(np.array([0]), np.array([0]), np.array([4]))
    (array([1]), array([3]))
    """

    def __init__(self, activity: np.ndarray) -> None:
        slots = activity.shape[1]
        index = np.arange(slots)
        self.next = np.minimum.accumulate(np.where(activity > 0, index, slots)[:, ::-1], axis=1)[:, ::-1]
        self.last = np.maximum.accumulate(np.where(activity > 0, index, -1), axis=1)

    def inside(self, item: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stretch from the first to the last speech of ranges of slots."""
        top = self.next.shape[1] - 1
        first = np.minimum(self.next[item, np.clip(start, 0, top)], end)
        last = np.maximum(self.last[item, np.clip(end, 0, top)], start)
        return first, last + 1


def grouped_runs(
    node: np.ndarray, lag: np.ndarray, count: np.ndarray, ascending: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Orders the breakpoints so that each one's frames go on from those of the breakpoint before it.

    Breakpoints of one utterance with the same envelope delay look at the same frames, only more or fewer of
    them.

    Returns their order, the frames each one has beyond its predecessor's, those it shares, and its rank.
    """
    order = np.lexsort((np.arange(len(node)) * (1 if ascending else -1), lag, node))
    same = (np.diff(node[order]) == 0) & (np.diff(lag[order]) == 0)
    same = np.concatenate([[False], same])
    before = np.where(same, np.concatenate([[0], count[order][:-1]]), 0)
    heads = np.flatnonzero(~same)
    rank = np.arange(len(order)) - heads[np.cumsum(~same) - 1]
    return order, count[order] - before, before, rank


def accumulated(histograms: torch.Tensor, rank: np.ndarray, device: torch.device) -> torch.Tensor:
    """Adds to each histogram those of its predecessors in the group."""
    by_rank = np.argsort(rank, kind="stable")
    starts = np.searchsorted(rank[by_rank], np.arange(rank.max() + 2))
    index = to_device(by_rank, device)
    for first, last in pairwise(starts[1:]):
        rows = index[first:last]
        histograms.index_add_(0, rows, histograms.index_select(0, rows - 1))
    return histograms
