"""Splitting of utterances inside which the delay changes (P.862, clause 10.1.7).

How an utterance is split depends on its own range and delay and on the signals alone, so all undecided ones
of all pairs are treated in the same round. Only the limit of 50 utterances of a pair depends on the order:
each utterance becomes a tree of halves, read at the end in the order in which the published model would have
gone through it.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from sb_resizegan.metrics.pesq.breakpoints import Breakpoints, SpeechBounds, accumulated, grouped_runs
from sb_resizegan.metrics.pesq.envelope import OVERWRITTEN_FROM, WINDOW, EnvelopeRanges, envelope_lags
from sb_resizegan.metrics.pesq.fine_delay import HOP, FrameRuns, delay_histograms, read_delay
from sb_resizegan.metrics.pesq.layout import GUARD_SLOTS, SLOT, Geometry, quotient, to_device, to_host
from sb_resizegan.metrics.pesq.sections import MOST_UTTERANCES, Utterance, not_after, not_before

# Halves of halves are looked at this often; each round costs two transfers from the device.
MOST_ROUNDS = 8


@dataclass
class Node:
    """An utterance of a pair and the two that it was split into, if it was."""

    item: int
    utterance: Utterance
    halves: list = field(default_factory=list)


class Splitter:
    """Splits utterances of a batch where the two parts agree on different delays.

    Arguments
    ---------
    reference, degraded : Tensor
        Alignment signals in buffers, (batch, time).
    envelope_reference, envelope_degraded : Tensor
        Logarithmic envelopes, (batch, slots).
    activity : numpy.ndarray
        Voice activity of the references, (batch, slots).
    geometry : Geometry
        Lengths of the pairs.
    window : Tensor
        Analysis window, (1024,).
    chunk : int
        Frames that one batch of transforms takes.
    """

    def __init__(
        self,
        reference: torch.Tensor,
        degraded: torch.Tensor,
        envelope_reference: torch.Tensor,
        envelope_degraded: torch.Tensor,
        activity: np.ndarray,
        geometry: Geometry,
        window: torch.Tensor,
        chunk: int = 256,
    ) -> None:
        self.signals = (reference, degraded)
        self.envelopes = (envelope_reference, envelope_degraded)
        self.bounds = SpeechBounds(activity)
        self.geometry = geometry
        self.window = window
        self.chunk = chunk

    def __call__(self, utterances: list[list[Utterance]]) -> list[list[Utterance]]:
        """Splits the utterances of each pair.

        Arguments
        ---------
        utterances : list of list of Utterance
            Of each pair, in order.

        Returns
        -------
        list of list of Utterance
        """
        trees = [[Node(item, u) for u in found] for item, found in enumerate(utterances)]
        undecided = [node for tree in trees for node in tree if len(tree) < MOST_UTTERANCES]
        for _ in range(MOST_ROUNDS):
            if not undecided:
                break
            undecided = self._round(undecided)
        return [_read(tree) for tree in trees]

    def _round(self, nodes: list[Node]) -> list[Node]:
        """Looks once at each node; returns the halves of those that were split."""
        item, start, end, coarse, confidence = (
            np.array(column)
            for column in zip(
                *(
                    (n.item, u.start, u.end, u.coarse_delay, u.confidence)
                    for n in nodes
                    for u in (n.utterance,)
                ),
                strict=True,
            )
        )
        points = Breakpoints.of(*self.bounds.inside(item, start, end))
        if len(points.node) == 0:
            return []
        of, x = points.node, points.place
        coarse_1, coarse_2, windows, window = self._coarse(item[of], start[of], x, end[of], coarse[of], of)
        padded = self.geometry.padded_degraded[item[of]]
        first = self._first_runs(item[of], start[of], x, coarse_1, padded)
        second = self._second_runs(item[of], end[of], x, coarse_2, padded)
        delay_1, sure_1, delay_2, sure_2 = self._fine(
            of, (coarse_1, coarse_2), (first, second), windows, window
        )
        good = (abs(delay_2 - delay_1) >= SLOT) & (sure_1 > confidence[of]) & (sure_2 > confidence[of])
        score = np.where(good, sure_1 + sure_2, -1.0)
        new = []
        for number, node in enumerate(nodes):
            low, high = np.searchsorted(of, [number, number + 1])
            if high > low and score[low:high].max() >= 0:
                j = low + int(score[low:high].argmax())
                halves = (
                    (int(coarse_1[j]), int(delay_1[j]), float(sure_1[j])),
                    (int(coarse_2[j]), int(delay_2[j]), float(sure_2[j])),
                )
                padded_degraded = int(self.geometry.padded_degraded[node.item])
                parts = split_range(node.utterance, int(x[j]), *halves, padded_degraded)
                node.halves = [Node(node.item, part) for part in parts]
                new += node.halves
        return new

    def _coarse(
        self,
        item: np.ndarray,
        start: np.ndarray,
        place: np.ndarray,
        end: np.ndarray,
        delay: np.ndarray,
        node: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, torch.Tensor, np.ndarray]:
        """Envelope delays before and after each place, and the windows they leave for the fine delays."""
        slots = self.geometry.slots_degraded
        sides = [EnvelopeRanges.around(item, *side, delay, slots) for side in ((start, place), (place, end))]
        # Interleaved: before and after the first place, before and after the second, ...
        ranges = EnvelopeRanges(
            *(np.stack(pair, 1).ravel() for pair in zip(*(vars(s).values() for s in sides), strict=True))
        )
        lags, overwriting = envelope_lags(*self.envelopes, ranges, chunk=self.chunk * 4096)
        windows, window = self._windows(np.repeat(node, 2), ranges.entries, overwriting)
        (lags,) = to_host(lags)
        return delay + SLOT * lags[0::2], delay + SLOT * lags[1::2], windows, window[0::2]

    def _windows(
        self, node: np.ndarray, entries: np.ndarray, overwriting: torch.Tensor
    ) -> tuple[torch.Tensor, np.ndarray]:
        """The plain window, and one for each utterance whose correlations overwrote it."""
        if len(overwriting) == 0:
            return self.window[None], np.zeros(len(node), dtype=np.int64)
        long = np.flatnonzero(entries > OVERWRITTEN_FROM)
        owners = np.unique(node[long])
        source = np.zeros((len(owners), WINDOW), dtype=np.int64)
        for number, job in enumerate(long):
            written = min(WINDOW, int(entries[job]) - OVERWRITTEN_FROM)
            source[np.searchsorted(owners, node[job]), :written] = number + 1
        candidates = torch.cat([self.window[None], overwriting])
        windows = candidates.gather(0, to_device(source, self.window.device))
        row = np.zeros(node.max() + 1, dtype=np.int64)
        row[owners] = 1 + np.arange(len(owners))
        return torch.cat([self.window[None], windows]), row[node]

    def _first_runs(
        self, item: np.ndarray, start: np.ndarray, place: np.ndarray, delay: np.ndarray, padded: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Frames from the start of the range up to each place: first samples and number."""
        begin = SLOT * start
        early = begin + delay < 0
        begin = np.where(early, -delay, begin)
        begin_degraded = np.where(early, 0, begin + delay)
        room = np.minimum(padded - begin_degraded, SLOT * place - begin) - WINDOW
        return item, begin, begin_degraded, np.maximum(room // HOP + 1, 0), np.full_like(item, HOP)

    def _second_runs(
        self, item: np.ndarray, end: np.ndarray, place: np.ndarray, delay: np.ndarray, padded: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Frames from the end of the range back to each place: first samples and number."""
        begin = SLOT * end - WINDOW
        begin_degraded = np.minimum(begin + delay, padded - WINDOW)
        begin = begin_degraded - delay
        room = np.minimum(begin_degraded, begin - SLOT * place)
        return item, begin, begin_degraded, np.maximum(room // HOP + 1, 0), np.full_like(item, -HOP)

    def _fine(
        self,
        node: np.ndarray,
        coarse: tuple[np.ndarray, np.ndarray],
        runs: tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]],
        windows: torch.Tensor,
        window: np.ndarray,
    ) -> list[np.ndarray]:
        """Fine delays and confidences before and after each place."""
        device = self.window.device
        columns, orders, ranks = [], [], []
        for half, (delay, run) in enumerate(zip(coarse, runs, strict=True)):
            item, begin, begin_degraded, count, step = run
            order, extra, shared, rank = grouped_runs(node, delay, count, ascending=half == 0)
            shift = step[order] * shared
            fields = (item[order], begin[order] + shift, begin_degraded[order] + shift, extra, step[order])
            columns.append((*fields, window[order]))
            orders.append(order)
            ranks.append(rank)
        frames = FrameRuns(*(np.concatenate(pair) for pair in zip(*columns, strict=True)))
        histograms = delay_histograms(*self.signals, windows, frames, self.chunk)
        histograms = accumulated(histograms, np.concatenate(ranks), device)
        shift, sure = to_host(*read_delay(histograms))
        results = []
        count = len(node)
        for half, (delay, order) in enumerate(zip(coarse, orders, strict=True)):
            fine, confidence = np.empty(count, dtype=np.int64), np.empty(count)
            fine[order] = shift[half * count : (half + 1) * count].astype(np.int64)
            confidence[order] = sure[half * count : (half + 1) * count]
            results += [delay + fine, confidence]
        return results


def split_range(
    utterance: Utterance,
    place: int,
    first: tuple[int, int, float],
    second: tuple[int, int, float],
    padded: int,
) -> tuple[Utterance, Utterance]:
    """The two halves of an utterance.

    Arguments
    ---------
    utterance : Utterance
        The utterance.
    place : int
        Slot where it is split.
    first, second : tuple
        Coarse delay, delay and confidence of the halves.
    padded : int
        Samples of the padded degraded signal.

    Returns
    -------
    tuple of Utterance
        They overlap if the delay grows.

    Example
    -------
    >>> halves = split_range(Utterance(75, 900, 0, 0, 0.5), 400, (0, 0, 0.9), (1024, 1000, 0.9), 80000)
    >>> [(half.start, half.end, half.delay) for half in halves]
    [(75, 407, 0), (393, 900, 1000)]
    """
    overlap = 0 if second[1] < first[1] else quotient(second[1] - first[1], 2 * SLOT)
    early = SLOT * (utterance.start - GUARD_SLOTS) + first[1] < 0
    start = not_before(utterance.start, first[1], early)
    end = not_after(utterance.end, second[1], padded)
    return Utterance(start, place + overlap, *first), Utterance(place - overlap, end, *second)


def _read(tree: list[Node]) -> list[Utterance]:
    """The utterances at the leaves, in order; beyond 50, nodes stay whole."""
    found, count, stack = [], len(tree), tree[::-1]
    while stack:
        node = stack.pop()
        if node.halves and count < MOST_UTTERANCES:
            count += 1
            stack += node.halves[::-1]
        else:
            found.append(node.utterance)
    return found
