"""Where in a recording somebody speaks, by energy."""

import numpy as np

from sb_resizegan.dataio.long_signal import BLOCK, LongSignal, blocks_of

__all__ = ["SILENCE_DB", "active_level", "active_regions", "frame_levels", "level_gain"]

FRAME_SECONDS = 0.02
SILENCE_DB = -60.0
BELOW_LOUD_DB = 35.0
BELOW_LOUDEST_DB = 60.0
LOUD_SECONDS = 0.1
# Less than a window of 0.128 s: none of them is all pause.
BRIDGED_SECONDS = 0.1


def frame_levels(waveform: np.ndarray | LongSignal, sample_rate: int) -> np.ndarray:
    """Level of consecutive frames of 20 ms, each frame's mean removed.

    Arguments
    ---------
    waveform : numpy.ndarray or LongSignal
        ``(time,)``.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(ceil(time / frame),)``, RMS in dB relative to 1.0; digital silence gives −200.

    Example
    -------
    >>> frame_levels(np.tile([0.1, -0.1], 8000), 16000).round(3)[:2]
    array([-20., -20.])
    """
    frame = _frame_samples(sample_rate)
    # Whole frames at a time: of a recording of hours, no copy is made.
    size = max(1, BLOCK // frame) * frame
    blocks = [_block_levels(block, frame) for block in blocks_of(waveform, size)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def _block_levels(waveform: np.ndarray, frame: int) -> np.ndarray:
    waveform = np.asarray(waveform, dtype=np.float64)
    starts = np.arange(0, len(waveform), frame)
    counts = np.diff(np.append(starts, len(waveform)))
    means = np.add.reduceat(waveform, starts) / counts
    powers = np.add.reduceat((waveform - np.repeat(means, counts)) ** 2, starts) / counts
    return 10 * np.log10(np.maximum(powers, 1e-20))


def active_regions(
    waveform: np.ndarray | LongSignal, sample_rate: int, minimum_samples: int = 1
) -> np.ndarray:
    """Finds the stretches of a recording in which somebody speaks.

    A frame is active when it is within 35 dB of the recording's loud frames (the level that 0.1 s of it
    reach, so that a click does not count) and within 60 dB of the loudest. Pauses up to 0.1 s belong to the
    speech around them. A stretch shorter than ``minimum_samples`` grows to both sides as far as the recording
    goes. The recording's gain changes nothing, unless it is silent: no frame above −60 dB.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, full scale is 1.0.
    sample_rate : int
        In Hz.
    minimum_samples : int
        Length that every stretch has at least.

    Returns
    -------
    numpy.ndarray
        ``(regions, 2)``, int64: first sample and the one after the last, in order, without overlaps.
        No rows where nobody speaks or where the recording is shorter than ``minimum_samples``.

    Example
    -------
    >>> burst = np.concatenate([np.zeros(8000), np.tile([0.1, -0.1], 4000), np.zeros(8000)])
    >>> active_regions(burst, 16000)
    array([[ 8000, 16000]])
    >>> active_regions(burst, 16000, minimum_samples=10000)
    array([[ 7000, 17000]])
    """
    length = len(waveform)
    none = np.empty((0, 2), dtype=np.int64)
    if length < max(minimum_samples, 1):
        return none
    frame = _frame_samples(sample_rate)
    levels = frame_levels(waveform, sample_rate)
    loud_frames = min(round(LOUD_SECONDS / FRAME_SECONDS), len(levels))
    loud = np.partition(levels, -loud_frames)[-loud_frames]
    if levels.max() < SILENCE_DB:
        return none
    active = np.flatnonzero(levels > max(loud - BELOW_LOUD_DB, levels.max() - BELOW_LOUDEST_DB))
    bridged = round(BRIDGED_SECONDS / FRAME_SECONDS)
    breaks = np.flatnonzero(np.diff(active) > bridged + 1)
    starts = active[np.append(0, breaks + 1)] * frame
    ends = np.minimum((active[np.append(breaks, len(active) - 1)] + 1) * frame, length)
    short = np.maximum(minimum_samples - (ends - starts), 0)
    starts = np.clip(starts - short // 2, 0, length - minimum_samples * (short > 0))
    ends = np.maximum(ends, starts + minimum_samples * (short > 0))
    return _merge(starts, ends)


def level_gain(waveform: np.ndarray | LongSignal, regions: np.ndarray, level_db: float, peak: float) -> float:
    """Gain that brings active speech to a level, less where the peak would otherwise be exceeded.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``.
    regions : numpy.ndarray
        ``(regions, 2)``, from ``active_regions``; at least one row.
    level_db : float
        RMS over all active regions, in dB relative to 1.0.
    peak : float
        Largest magnitude that a sample of them may get.

    Returns
    -------
    float

    Example
    -------
    >>> round(level_gain(np.tile([0.05, -0.05], 400), np.array([[0, 800]]), -20.0, 0.95), 6)
    2.0
    >>> round(level_gain(np.tile([0.05, -0.05], 400), np.array([[0, 800]]), 0.0, 0.95), 6)
    19.0
    """
    rms, loudest = active_level(waveform, regions)
    return float(min(10 ** (level_db / 20) / rms, peak / loudest))


def active_level(waveform: np.ndarray | LongSignal, regions: np.ndarray) -> tuple[float, float]:
    """Level and peak of active speech.

    Arguments
    ---------
    waveform : numpy.ndarray or LongSignal
        ``(time,)``.
    regions : numpy.ndarray
        ``(regions, 2)``, from ``active_regions``; at least one row.

    Returns
    -------
    rms, peak : float

    Example
    -------
    >>> active_level(np.array([9.0, 1.0, -1.0]), np.array([[1, 3]]))
    (1.0, 1.0)
    """
    energy, peak, count = 0.0, 0.0, 0
    for start, end in regions:
        for first in range(start, end, BLOCK):
            active = np.asarray(waveform[first : min(end, first + BLOCK)], dtype=np.float64)
            energy, count = energy + float(active @ active), count + len(active)
            peak = max(peak, float(np.abs(active).max()))
    return float(np.sqrt(energy / count)), peak


def _frame_samples(sample_rate: int) -> int:
    return max(round(FRAME_SECONDS * sample_rate), 1)


def _merge(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Joins regions that overlap or touch; the starts are in order."""
    reach = np.maximum.accumulate(ends)
    first = np.append(True, starts[1:] > reach[:-1])
    last = np.append(first[1:], True)
    return np.stack([starts[first], reach[last]], axis=1).astype(np.int64)
