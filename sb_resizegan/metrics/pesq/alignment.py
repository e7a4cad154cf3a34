"""Time alignment: the delay of every part of the degraded signal (P.862, clause 10.1)."""

from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.constants import tables
from sb_resizegan.metrics.pesq.envelope import EnvelopeRanges, envelope_lags
from sb_resizegan.metrics.pesq.filters import alignment_filter
from sb_resizegan.metrics.pesq.fine_delay import HOP, WINDOW, FrameRuns, delay_histograms, read_delay
from sb_resizegan.metrics.pesq.layout import GUARD, GUARD_SLOTS, SLOT, Geometry, Lengths, row_chunks, to_host
from sb_resizegan.metrics.pesq.sections import Utterance, find_sections, utterance_ranges
from sb_resizegan.metrics.pesq.splitting import Splitter
from sb_resizegan.metrics.pesq.voice_activity import slot_energies, voice_activity


@dataclass
class Alignment:
    """What time alignment found, on the host.

    Arguments
    ---------
    file_delay : numpy.ndarray of int
        Delay of each whole file in samples, a multiple of 64, (batch,).
    before_splitting : list of list of Utterance
        The utterances that voice activity gave.
    utterances : list of list of Utterance
        Those that remain after splitting; none where the reference has no utterance.
    """

    file_delay: np.ndarray
    before_splitting: list
    utterances: list


def _chunk(device: torch.device) -> int:
    """Frames in one batch of transforms: what the cache holds on a CPU, what keeps a GPU busy."""
    return 256 if device.type == "cpu" else 16384


def _alignment_signals(
    signals: torch.Tensor, samples: Lengths, slots: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Filtered signals in buffers, and the energies of their slots."""
    buffers, energies = [], []
    for rows in row_chunks(signals):
        width = int(samples.host[rows].max())
        filtered = alignment_filter(signals[rows, :width], samples[rows], samples[rows] + 2 * GUARD)
        energies.append(slot_energies(filtered, slots))
        beyond = signals.shape[1] - width + GUARD + WINDOW
        buffers.append(torch.nn.functional.pad(filtered, (GUARD, beyond)))
    return torch.cat(buffers), torch.cat(energies)


def _fine_delays(
    buffers: tuple[torch.Tensor, torch.Tensor],
    item: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    coarse: np.ndarray,
    geometry: Geometry,
    window: torch.Tensor,
) -> tuple[np.ndarray, np.ndarray]:
    """Fine delay and confidence of ranges of slots (P.862, clause 10.1.5)."""
    begin = SLOT * start
    early = begin + coarse < 0
    begin = np.where(early, -coarse, begin)
    begin_degraded = np.where(early, 0, begin + coarse)
    room = np.minimum(geometry.padded_degraded[item] - begin_degraded, SLOT * end - begin) - WINDOW
    count = np.maximum(room // HOP + 1, 0)
    frames = FrameRuns(item, begin, begin_degraded, count, np.full_like(item, HOP), np.zeros_like(item))
    histograms = delay_histograms(*buffers, window[None], frames, _chunk(window.device))
    shift, confidence = to_host(*read_delay(histograms))
    return coarse + shift.astype(np.int64), confidence


@torch.no_grad()
def align(signals: torch.Tensor, geometry: Geometry, valid: np.ndarray) -> Alignment:
    """Finds the utterances of each reference and their delays.

    Arguments
    ---------
    signals : Tensor
        Level-aligned, wide-band filtered references, then degraded signals, (2 batch, time).
    geometry : Geometry
        Lengths of the pairs.
    valid : numpy.ndarray of bool
        Pairs to look at, (batch,).

    Returns
    -------
    Alignment

    Example
    -------
    >>> from sb_resizegan.metrics.pesq.layout import Geometry
    >>> burst = torch.zeros(1, 24000)
    >>> burst[:, 4000:20000] = 1e3 * torch.randn(1, 16000)
    >>> pair = Geometry(np.array([24000]), np.array([24000]))
    >>> found = align(torch.cat([burst, burst.roll(100, 1)]), pair, np.array([True]))
    >>> [utterance.delay for utterance in found.utterances[0]]
    [100]
    """
    batch = len(signals) // 2
    slots = np.concatenate([geometry.slots_reference, geometry.slots_degraded])
    samples = Lengths.of(np.concatenate([geometry.reference, geometry.degraded]), signals.device)
    buffers, energy = _alignment_signals(signals, samples, int(slots.max()))
    reference, degraded = buffers.chunk(2)
    (energy,) = to_host(energy)
    activity, envelope = voice_activity(energy, slots)
    envelopes = torch.from_numpy(envelope).to(signals.device, signals.dtype)
    envelopes = (envelopes[:batch].contiguous(), envelopes[batch:].contiguous())
    speech = np.where(valid[:, None], activity[:batch], 0.0)

    items, zeros = np.arange(batch), np.zeros(batch, dtype=np.int64)
    whole = EnvelopeRanges(items, zeros, geometry.slots_reference, zeros, geometry.slots_degraded)
    file_delay = SLOT * to_host(envelope_lags(*envelopes, whole)[0])[0]

    item, start, end = find_sections(speech, geometry, file_delay)
    found = Alignment(file_delay, [[] for _ in items], [[] for _ in items])
    if len(item) == 0:
        return found
    search_start = np.maximum(start - GUARD_SLOTS, 0)
    search_end = np.minimum(end + GUARD_SLOTS, geometry.slots_reference[item] - 1)
    ranges = EnvelopeRanges.around(item, search_start, search_end, file_delay[item], geometry.slots_degraded)
    coarse = file_delay[item] + SLOT * to_host(envelope_lags(*envelopes, ranges)[0])[0]

    window = tables(signals.device, signals.dtype).hann1024
    delay, confidence = _fine_delays(
        (reference, degraded), item, search_start, search_end, coarse, geometry, window
    )
    for pair in np.unique(item):
        own = np.flatnonzero(item == pair)
        starts, ends = utterance_ranges(
            start[own],
            end[own],
            delay[own],
            int(geometry.slots_reference[pair]),
            int(geometry.padded_degraded[pair]),
        )
        found.before_splitting[pair] = [
            Utterance(b, e, int(coarse[u]), int(delay[u]), float(confidence[u]))
            for b, e, u in zip(starts, ends, own, strict=True)
        ]
    splitter = Splitter(reference, degraded, *envelopes, speech, geometry, window, _chunk(window.device))
    found.utterances = splitter(found.before_splitting)
    return found
