"""Bad intervals: stretches of high disturbance are aligned once more (P.862, clause 10.2.11)."""

from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.disturbance import frame_disturbance
from sb_resizegan.metrics.pesq.layout import FRAME, GUARD, HOP, SLOT, TAIL, to_device, to_host
from sb_resizegan.metrics.pesq.perceptual import band_powers, gain_ratio, smoothed_gain
from sb_resizegan.metrics.pesq.voice_activity import runs

BAD = 30.0
SMEAR = 2
SHORTEST_INTERVAL = 5
MOST_INTERVALS = 1000
SEARCH = 2048  # samples either way


@dataclass
class BadIntervals:
    """Bad intervals of a batch.

    Arguments
    ---------
    item : numpy.ndarray of int
        Pair of each interval, (intervals,).
    start, end : numpy.ndarray of int
        First frame and first frame after it, (intervals,).
    delay : Tensor
        Delay in samples that the second alignment adds, (intervals,).
    """

    item: np.ndarray
    start: np.ndarray
    end: np.ndarray
    delay: torch.Tensor


def find_bad_intervals(
    disturbance: torch.Tensor, last: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of at least five bad frames, where gaps of up to three frames do not count.

    Arguments
    ---------
    disturbance : Tensor
        Symmetric disturbance, (batch, frames).
    last : Tensor
        Last frame of each pair, (batch,).

    Returns
    -------
    item, start, end : numpy.ndarray of int
        One entry an interval, at most 1000 of each pair.

    Example
    -------
    >>> disturbance = torch.zeros(1, 40)
    >>> disturbance[0, 10:20] = 40.0
    >>> find_bad_intervals(disturbance, torch.tensor([39]))
    (array([0]), array([10]), array([20]))
    """
    frame = torch.arange(disturbance.shape[1], device=disturbance.device)
    bad = (disturbance > BAD) & (frame > 0) & (frame <= last[:, None])
    padded = torch.nn.functional.pad(bad, (SMEAR, SMEAR))
    width = bad.shape[1]
    before = padded[:, 0:width] | padded[:, 1 : width + 1] | bad
    after = padded[:, SMEAR + 1 : width + SMEAR + 1] | padded[:, 2 * SMEAR :] | bad
    smeared = before & after & (frame >= SMEAR) & (frame < last[:, None] - SMEAR)
    item, start, end = runs(to_host(smeared)[0])
    long = end - start >= SHORTEST_INTERVAL
    item, start, end = item[long], start[long], end[long]
    few = np.arange(len(item)) - np.searchsorted(item, item) < MOST_INTERVALS
    return item[few], start[few], end[few]


class Retimed:
    """The degraded signals, each sample moved by the delay of its utterance (clause 10.2.11).

    Arguments
    ---------
    buffer : Tensor
        Degraded signals with the guard before them, (batch, time).
    slot_delay : Tensor
        Delay of each slot in samples, (batch, slots).
    longest : Tensor
        Samples of the longer signal of each pair, (batch,).
    """

    def __init__(self, buffer: torch.Tensor, slot_delay: torch.Tensor, longest: torch.Tensor) -> None:
        self.buffer = buffer
        self.slot_delay = slot_delay
        self.longest = longest

    def __call__(self, item: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Samples ``index`` (rows, samples) of the pairs ``item`` (rows,)."""
        longest = self.longest[item][:, None]
        slots = self.slot_delay.shape[1]
        row = item[:, None] * slots
        slot = torch.div(index, SLOT, rounding_mode="floor").clamp(0, slots - 1)
        delay = self.slot_delay.flatten().index_select(0, (row + slot).flatten()).view_as(index)
        top = longest + GUARD + TAIL - 1
        source = torch.minimum((index + delay).clamp(min=GUARD), top)
        flat = item[:, None] * self.buffer.shape[1] + source
        samples = self.buffer.flatten().index_select(0, flat.flatten()).view_as(index)
        return torch.where((index >= GUARD) & (index <= top), samples, 0.0)


def _size_groups(lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Groups intervals of similar length, with a transform that holds each one and the search."""
    need = lengths + 2 * SEARCH
    power = 1 << np.ceil(np.log2(need)).astype(np.int64)
    size = np.where(need <= 3 * power // 4, 3 * power // 4, power)
    return [(int(s), np.flatnonzero(size == s)) for s in np.unique(size)]


@torch.no_grad()
def realign(
    reference: torch.Tensor,
    retimed: Retimed,
    item: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    chunk: int = 1 << 21,
) -> torch.Tensor:
    """Delay of each bad interval by correlation of the rectified signals.

    Arguments
    ---------
    reference : Tensor
        Reference with the guard before it, (batch, time).
    retimed : Retimed
        The degraded signals.
    item, start, end : numpy.ndarray of int
        The intervals in frames, (intervals,).
    chunk : int
        Samples that one batch of transforms takes.

    Returns
    -------
    Tensor
        Delays in samples, (intervals,), int64.
    """
    device = reference.device
    delays = torch.zeros(len(item), dtype=torch.int64, device=device)
    lengths = HOP * (end - start) + FRAME
    for size, group in _size_groups(lengths):
        step = max(1, chunk // size)
        for rows in np.split(group, range(step, len(group), step)):
            table = np.stack([rows, item[rows], GUARD + HOP * start[rows], lengths[rows]])
            index, pair, first, length = to_device(table, device)
            offset = torch.arange(size, device=device)
            inner = offset < length[:, None]
            place = (first[:, None] + offset).clamp(max=reference.shape[1] - 1)
            a = reference.flatten().index_select(0, (pair[:, None] * reference.shape[1] + place).flatten())
            a = torch.where(inner, a.view_as(place).abs(), 0.0)
            top = (retimed.longest[pair] + GUARD + TAIL - 1)[:, None]
            place = torch.minimum((first[:, None] - SEARCH + offset).clamp(min=GUARD), top)
            c = retimed(pair, place).abs()
            c = torch.where(offset < length[:, None] + 2 * SEARCH, c, 0.0)
            # No lag wraps around: the reference part moves only within the longer degraded part.
            cross = torch.fft.irfft(torch.fft.rfft(a).conj() * torch.fft.rfft(c), n=size)[:, : 2 * SEARCH]
            energy_a, energy_c = a.square().sum(1), c.square().sum(1)
            height, where = cross.abs().max(1)
            exponent = torch.ceil(torch.log2(2.0 * (length + 2 * SEARCH)))
            silent = torch.minimum(energy_a, energy_c) / 2.0**exponent <= 1e-6
            related = height >= 0.5 * torch.sqrt(energy_a) * torch.sqrt(energy_c)
            delays.index_copy_(0, index, torch.where(related & ~silent, where - SEARCH, 0))
    return delays


def second_pass(
    symmetric: torch.Tensor,
    asymmetric: torch.Tensor,
    reference_powers: torch.Tensor,
    audible: torch.Tensor,
    retimed: Retimed,
    intervals: BadIntervals,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Disturbances of the bad intervals after the second alignment; the smaller ones are kept.

    Arguments
    ---------
    symmetric, asymmetric : Tensor
        Disturbances of the first pass, (batch, frames).
    reference_powers : Tensor
        Compensated band powers of the reference, (batch, frames, 48).
    audible : Tensor
        Their audible powers, (batch, frames).
    retimed : Retimed
        The degraded signals.
    intervals : BadIntervals
        At least one.

    Returns
    -------
    symmetric, asymmetric : Tensor
        (batch, frames).
    """
    device = symmetric.device
    count = intervals.end - intervals.start
    number = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    frame = intervals.start[number] + within
    item = intervals.item[number]
    item, frame, number, within = to_device(np.stack([item, frame, number, within]), device)
    flat = item * symmetric.shape[1] + frame

    index = (
        GUARD + HOP * frame[:, None] + torch.arange(FRAME, device=device) + intervals.delay[number][:, None]
    )
    last = (retimed.longest[item] + 2 * GUARD - 1)[:, None]
    degraded = band_powers(retimed(item, torch.minimum(index.clamp(min=0), last)))
    reference = reference_powers.flatten(0, 1).index_select(0, flat)
    ratio = gain_ratio(audible.flatten().index_select(0, flat), degraded)
    # The gain starts afresh from 1 in each interval: its own row of a table, long enough for any.
    longest = int(count.max())
    table = ratio.new_ones(len(count), longest).index_put((number, within), ratio)
    gain = smoothed_gain(table, table.new_ones(len(count), 1))[number, within]
    new = frame_disturbance(reference, degraded * gain[:, None])
    symmetric, asymmetric = (
        old.flatten()
        .index_copy(0, flat, torch.minimum(old.flatten().index_select(0, flat), value))
        .view_as(old)
        for old, value in zip((symmetric, asymmetric), new, strict=True)
    )
    return symmetric, asymmetric
