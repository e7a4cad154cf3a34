"""Delay to the sample from a histogram of the frames' cross-correlation peaks (P.862, clause 10.1.5)."""

from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import frame_rows, to_device

WINDOW = 1024
HOP = 256


@dataclass
class FrameRuns:
    """Runs of frames whose peaks go to one histogram each, on the host; one entry a run.

    Arguments
    ---------
    item : numpy.ndarray of int
        Pair of the batch.
    start_reference, start_degraded : numpy.ndarray of int
        Buffer sample where the first frame starts.
    count : numpy.ndarray of int
        Number of frames.
    step : numpy.ndarray of int
        256 or -256 samples from frame to frame.
    window : numpy.ndarray of int
        Row of the windows.
    """

    item: np.ndarray
    start_reference: np.ndarray
    start_degraded: np.ndarray
    count: np.ndarray
    step: np.ndarray
    window: np.ndarray


def _histograms(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    start_reference: torch.Tensor,
    start_degraded: torch.Tensor,
    offsets: torch.Tensor,
    window: torch.Tensor,
) -> torch.Tensor:
    """Sums of the marked bins over consecutive frames."""
    frames_r = reference.index_select(0, start_reference).mul_(window)
    frames_d = degraded.index_select(0, start_degraded).mul_(window)
    spectrum = torch.fft.rfft(frames_r).conj_physical_().mul_(torch.fft.rfft(frames_d))
    correlation = torch.fft.irfft(spectrum, n=WINDOW).abs_()
    limit = 0.99 * correlation.amax(-1, keepdim=True)
    marks = correlation.gt_(limit)
    order = torch.arange(len(marks), device=marks.device)
    return torch.nn.functional.embedding_bag(
        order, marks, offsets, mode="sum", per_sample_weights=limit[:, 0] ** 0.125, include_last_offset=True
    )


def delay_histograms(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    windows: torch.Tensor,
    frames: FrameRuns,
    chunk: int = 256,
) -> torch.Tensor:
    """Histogram over the delay of the cross-correlation peaks of each run of frames.

    Each frame marks the bins above 99 % of its highest, each with weight (0.99 peak)^(1/8).

    Arguments
    ---------
    reference, degraded : Tensor
        Alignment signals in buffers, (batch, time), contiguous.
    windows : Tensor
        Analysis windows, (windows, 1024).
    frames : FrameRuns
        Which frames.
    chunk : int
        Number of frames after which a new batch of transforms is begun.

    Returns
    -------
    Tensor
        (runs, 1024); bin ``u`` is a delay of ``u`` samples modulo 1024.

    Example
    -------
    >>> signal = torch.randn(1, 4096)
    >>> run = FrameRuns(*(np.array([v]) for v in (0, 0, 10, 4, 256, 0)))
    >>> delay_histograms(signal, signal.roll(13, 1), torch.hann_window(1024)[None], run).argmax(-1)
    tensor([3])
    """
    device = reference.device
    histograms = reference.new_zeros(len(frames.item), WINDOW)
    rows_r, rows_d = frame_rows(reference, WINDOW), frame_rows(degraded, WINDOW)
    # Runs with the plain window first: they need no copy of it for each frame.
    order = np.argsort(frames.window != 0, kind="stable")
    plain = int((frames.window == 0).sum())
    counts = frames.count[order]
    ends = np.cumsum(counts)
    total = int(counts.sum())
    run = np.repeat(np.arange(len(order)), counts)
    within = np.arange(total) - np.repeat(ends - counts, counts)
    picked = order[run]
    shift = frames.step[picked] * within
    start_r = frames.item[picked] * reference.shape[1] + frames.start_reference[picked] + shift
    start_d = frames.item[picked] * degraded.shape[1] + frames.start_degraded[picked] + shift
    table = to_device(np.stack([start_r, start_d, frames.window[picked]]), device)
    table[0].clamp_(0, len(rows_r) - 1)
    table[1].clamp_(0, len(rows_d) - 1)
    all_ends = to_device(ends, device)
    target = to_device(order, device)

    first = 0
    while first < len(order):
        begin = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, begin + chunk)) + 1
        last = min(last, plain if first < plain else len(order))
        stop = int(ends[last - 1])
        if stop > begin:
            start_reference, start_degraded, window = table[:, begin:stop]
            window = windows[0] if first < plain else windows.index_select(0, window)
            offsets = torch.cat([table.new_zeros(1), all_ends[first:last] - begin])
            sums = _histograms(rows_r, rows_d, start_reference, start_degraded, offsets, window)
            histograms.index_copy_(0, target[first:last], sums)
        first = last
    return histograms


def _box(values: torch.Tensor) -> torch.Tensor:
    """Sums of 16 neighbours."""
    for step in (1, 2, 4, 8):
        values = values[:, :-step] + values[:, step:]
    return values


def read_delay(histograms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Delay and confidence from histograms, smoothed by a triangle of 31 bins.

    Arguments
    ---------
    histograms : Tensor
        (runs, 1024).

    Returns
    -------
    delay : Tensor
        -512 to 511 samples, (runs,), int64.
    confidence : Tensor
        Share of the marks near that delay, 0 to 1, (runs,).

    Example
    -------
    >>> histogram = torch.zeros(1, 1024)
    >>> histogram[0, 1020] = 5.0
    >>> read_delay(histogram)
    (tensor([-4]), tensor([1.]))
    """
    around = torch.cat([histograms[:, -15:], histograms, histograms[:, :15]], 1)
    height, where = (_box(_box(around)) / 16).max(-1)
    total = histograms.sum(-1)
    confidence = torch.where(total > 0, height / torch.where(total > 0, total, 1.0), 0.0)
    return torch.where(where >= WINDOW // 2, where - WINDOW, where), confidence
