"""Wide-band PESQ of a batch, stage by stage (ITU-T P.862 with P.862.2, without Corrigendum 2)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.aggregation import aggregate, mos_lqo, raw_score, weigh_by_level
from sb_resizegan.metrics.pesq.alignment import Alignment, align
from sb_resizegan.metrics.pesq.bad_intervals import (
    BadIntervals,
    Retimed,
    find_bad_intervals,
    realign,
    second_pass,
)
from sb_resizegan.metrics.pesq.disturbance import dropped_frames, frame_disturbance
from sb_resizegan.metrics.pesq.filters import wideband_filter
from sb_resizegan.metrics.pesq.inputs import Pairs, PesqStatus
from sb_resizegan.metrics.pesq.layout import (
    GUARD,
    GUARD_SLOTS,
    HOP,
    SLOT,
    TAIL,
    Lengths,
    row_chunks,
    to_device,
)
from sb_resizegan.metrics.pesq.level import level_align
from sb_resizegan.metrics.pesq.perceptual import (
    Region,
    active_region,
    audible_power,
    band_powers,
    compensate_filtering,
    delayed_frames,
    gain_ratio,
    plain_frames,
    smoothed_gain,
)
from sb_resizegan.metrics.pesq.sections import Utterance


@dataclass
class PesqDetails:
    """All that PESQ finds out about a batch.

    Arguments
    ---------
    mos_lqo : Tensor
        Score on the P.862.2 scale; NaN where the pair was refused. (batch,).
    raw : Tensor
        Score before the mapping, at most 4.5, (batch,).
    status : numpy.ndarray of int
        A `PesqStatus` for each pair, (batch,).
    alignment : Alignment
        Delays and utterances.
    region : Region
        First and last frame that count.
    first_symmetric, first_asymmetric : Tensor
        Disturbances of each frame before the second alignment, (batch, frames).
    symmetric, asymmetric : Tensor
        The same after it, weighed by level and limited.
    total_symmetric, total_asymmetric : Tensor
        The totals that the raw score is made of, (batch,).
    bad_intervals : BadIntervals
        The intervals that were aligned again, and their delays.
    """

    mos_lqo: torch.Tensor
    raw: torch.Tensor
    status: np.ndarray
    alignment: Alignment
    region: Region
    first_symmetric: torch.Tensor
    first_asymmetric: torch.Tensor
    symmetric: torch.Tensor
    asymmetric: torch.Tensor
    total_symmetric: torch.Tensor
    total_asymmetric: torch.Tensor
    bad_intervals: BadIntervals


def first_pass(
    frames_reference: torch.Tensor,
    frames_degraded: torch.Tensor,
    inside: torch.Tensor,
    last: torch.Tensor,
    longest: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The perceptual model over all frames (P.862, clauses 10.2.2 to 10.2.10).

    It has no decision on the host and can be compiled with ``torch.compile``.

    Arguments
    ---------
    frames_reference, frames_degraded : Tensor
        (batch, frames, 512).
    inside : Tensor
        Frames of the degraded signal that count as sound, (batch, frames).
    last : Tensor
        Last frame of each pair, (batch,).
    longest : Tensor
        Samples of the longer signal of each pair, (batch,).

    Returns
    -------
    symmetric, asymmetric : Tensor
        (batch, frames).
    reference : Tensor
        Compensated band powers of the reference, (batch, frames, 48).
    audible : Tensor
        Their audible power, (batch, frames).

    Example
    -------
    >>> frames = torch.randn(2, 7, 512)
    >>> inside, last = torch.ones(2, 7, dtype=torch.bool), torch.tensor([6, 6])
    >>> first_pass(frames, frames, inside, last, torch.tensor([8000, 8000]))[0].shape
    torch.Size([2, 7])
    """
    reference, degraded = band_powers(frames_reference), band_powers(frames_degraded) * inside[..., None]
    present = torch.arange(reference.shape[1], device=reference.device) <= last[:, None]
    reference = compensate_filtering(reference, degraded, present, longest)
    audible = audible_power(reference, 1.0)
    ratio = gain_ratio(audible, degraded)
    degraded = degraded * smoothed_gain(ratio, ratio[:, :1])[..., None]
    return (*frame_disturbance(reference, degraded), reference, audible)


def _slot_delays(utterances: list[list[Utterance]], slots: int) -> np.ndarray:
    """Delay of each slot: that of the last utterance in the list that begins at or before it."""
    table = np.zeros((len(utterances), slots), dtype=np.int64)
    for row, found in zip(table, utterances, strict=True):
        for number, utterance in enumerate(found):
            row[max(utterance.start, 0) if number else 0 :] = utterance.delay
    return table


def _condition(signals: torch.Tensor, samples: Lengths, longest: Lengths) -> torch.Tensor:
    """Level alignment and wide-band filter, some signals at a time; the results in buffers."""
    buffers = []
    for rows in row_chunks(signals):
        width = int(samples.host[rows].max())
        level = level_align(signals[rows, :width], samples[rows], longest[rows])
        beyond = signals.shape[1] - width + GUARD + TAIL
        buffers.append(torch.nn.functional.pad(wideband_filter(level, samples[rows]), (GUARD, beyond)))
    return torch.cat(buffers)


def evaluate(
    pairs: Pairs,
    time_alignment: bool = True,
    perceptual: Callable[..., tuple[torch.Tensor, ...]] = first_pass,
) -> PesqDetails:
    """All stages, from prepared pairs to the details.

    Arguments
    ---------
    pairs : Pairs
        From `prepare`.
    time_alignment : bool
        Whether to look for delays; without, all are zero and no reference is refused for lack of speech.
    perceptual : callable
        `first_pass`, or a compiled one.

    Returns
    -------
    PesqDetails
        Refused pairs have some finite score.

    Example
    -------
    >>> from sb_resizegan.metrics.pesq.inputs import prepare
    >>> evaluate(prepare(torch.randn(2, 8000), torch.randn(2, 8000)), time_alignment=False).raw.shape
    torch.Size([2])
    """
    geometry, status = pairs.geometry, pairs.status
    longest = torch.maximum(*pairs.samples.device.chunk(2))
    longer = Lengths(np.tile(geometry.longest, 2), longest.repeat(2))
    buffers = _condition(pairs.signals, pairs.samples, longer)
    signals = buffers[:, GUARD : GUARD + pairs.signals.shape[1]]
    batch, device = len(status), buffers.device
    if time_alignment:
        found = align(signals.detach(), geometry, status == PesqStatus.OK)
        refused = np.array([not utterances for utterances in found.utterances])
        status = np.where((status == PesqStatus.OK) & refused, PesqStatus.NO_UTTERANCES, status)
    else:
        found = Alignment(np.zeros(batch, dtype=np.int64), [[] for _ in status], [[] for _ in status])
    delays = _slot_delays(found.utterances, buffers.shape[1] // SLOT + 1)
    slot_delay = (
        to_device(delays, device)
        if delays.any()
        else torch.zeros(delays.shape, dtype=torch.int64, device=device)
    )

    reference, degraded = buffers.chunk(2)
    region = active_region(signals[:batch].detach(), longest)
    frames = int(geometry.frames.max())
    frames_reference = plain_frames(reference, frames)
    if delays.any():
        slots = GUARD_SLOTS + HOP // SLOT * torch.arange(frames, device=device)
        limit = longest + 2 * GUARD + TAIL
        frames_degraded, inside = delayed_frames(degraded, slot_delay.index_select(1, slots), limit)
    else:
        frames_degraded = plain_frames(degraded, frames)
        inside = torch.ones(batch, frames, dtype=torch.bool, device=device)
    symmetric, asymmetric, powers, audible = perceptual(
        frames_reference, frames_degraded, inside, region.last, longest
    )
    first_symmetric, first_asymmetric = symmetric, asymmetric

    dropped = np.array([dropped_frames(utterances, frames) for utterances in found.utterances])
    if dropped.any():
        frame = torch.arange(frames, device=device)
        kept = ~to_device(dropped, device) | (frame >= region.last[:, None])
        symmetric, asymmetric = symmetric * kept, asymmetric * kept
    item, start, end = find_bad_intervals(symmetric, region.last)
    intervals = BadIntervals(item, start, end, slot_delay.new_zeros(len(item)))
    if len(item):
        retimed = Retimed(degraded, slot_delay, longest)
        intervals.delay = realign(reference, retimed, item, start, end)
        symmetric, asymmetric = second_pass(symmetric, asymmetric, powers, audible, retimed, intervals)

    symmetric, asymmetric = weigh_by_level(symmetric, audible), weigh_by_level(asymmetric, audible)
    total_symmetric = aggregate(symmetric, region, longest)
    total_asymmetric = aggregate(asymmetric, region, longest)
    raw = raw_score(total_symmetric, total_asymmetric)
    return PesqDetails(
        mos_lqo(raw),
        raw,
        status,
        found,
        region,
        first_symmetric,
        first_asymmetric,
        symmetric,
        asymmetric,
        total_symmetric,
        total_asymmetric,
        intervals,
    )
