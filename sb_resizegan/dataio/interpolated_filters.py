"""Resampling by ratios that a polyphase filter would need too many phases for.

Each output sample has a filter of its own, interpolated between the two nearest of a bank.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import i0

__all__ = ["HALF_ZEROS", "KAISER_BETA", "filter_bank", "interpolated", "interpolated_blocks"]

STOPBAND_DB = 90.0
KAISER_BETA = 0.1102 * (STOPBAND_DB - 8.7)
HALF_ZEROS = 32  # zeros of the sinc on each side
BANK = 4096
PIECE = 1 << 18  # samples computed at a time


@functools.lru_cache(maxsize=2)
def filter_bank(up: int, down: int) -> np.ndarray:
    """Filters for an output sample that lies 0, 1/BANK, … 1 behind an input sample.

    Arguments
    ---------
    up, down : int
        The ratio of the rates.

    Returns
    -------
    numpy.ndarray
        ``(BANK + 1, taps)``, float32.

    Example
    -------
    >>> filter_bank(3, 2).shape
    (4097, 64)
    """
    factor = max(1.0, down / up)
    half = math.ceil(HALF_ZEROS * factor)
    bank = np.empty((BANK + 1, 2 * half), dtype=np.float32)
    for row in range(BANK + 1):
        time = (np.arange(1 - half, half + 1) - row / BANK) / factor
        window = i0(KAISER_BETA * np.sqrt(np.clip(1 - (time / HALF_ZEROS) ** 2, 0, None)))
        window[np.abs(time) > HALF_ZEROS] = 0
        taps = np.sinc(time) * window
        bank[row] = taps / taps.sum()
    return bank


def interpolated_blocks(blocks: Iterable[np.ndarray], up: int, down: int) -> Iterator[np.ndarray]:
    """Resamples a signal that comes in blocks by any ratio.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time, channels)``, float32.
    up, down : int
        The ratio of the rates, without a common divisor.

    Yields
    ------
    numpy.ndarray
        ``(time, channels)``, float32; ``ceil(time * up / down)`` samples altogether.

    Example
    -------
    >>> blocks = [np.zeros((1000, 1), dtype=np.float32)] * 3
    >>> sum(len(block) for block in interpolated_blocks(blocks, 16000, 44101))
    1089
    """
    bank = filter_bank(up, down)
    half = bank.shape[1] // 2
    # The first sample at hand is number `first` of the input; output n lies at n * down / up of it.
    waiting, first, done, total = None, -half, 0, 0
    for block in itertools.chain(blocks, (None,)):
        if waiting is None:
            if block is None:
                return
            waiting = np.zeros((half, block.shape[1]), dtype=np.float32)
        if block is None:
            waiting = np.pad(waiting, ((0, half + 1), (0, 0)))
            ready = math.ceil(total * up / down)
        else:
            waiting, total = np.concatenate([waiting, block]), total + len(block)
            ready = max(done, ((total - half - 1) * up) // down)
        for start in range(done, ready, max(1, PIECE // len(bank[0]))):
            stop = min(ready, start + max(1, PIECE // len(bank[0])))
            yield interpolated(waiting, first, start, stop, bank, up, down)
        done = ready
        passed = min(len(waiting), max(0, done * down // up - half - first))
        waiting, first = waiting[passed:], first + passed


def interpolated(
    samples: np.ndarray, first: int, start: int, stop: int, bank: np.ndarray, up: int, down: int
) -> np.ndarray:
    """Output samples from ``start`` up to ``stop``.

    Arguments
    ---------
    samples : numpy.ndarray
        Input ``(time, channels)`` around them, from its sample number ``first`` on.
    first, start, stop : int
        Numbers of samples.
    bank : numpy.ndarray
        From `filter_bank`.
    up, down : int
        The ratio of the rates.

    Returns
    -------
    numpy.ndarray
        ``(stop - start, channels)``, float32.

    Example
    -------
    >>> bank = filter_bank(3, 2)
    >>> samples = np.ones((200, 1), dtype=np.float32)
    >>> interpolated(samples, -100, 0, 2, bank, 3, 2).round(4).tolist()
    [[1.0], [1.0]]
    """
    half = bank.shape[1] // 2
    around = samples[start * down // up - half + 1 - first : (stop - 1) * down // up + half + 1 - first]
    if not around.any():  # silence, of which files may hold any amount
        return np.zeros((stop - start, samples.shape[1]), dtype=np.float32)
    places = np.arange(start, stop, dtype=np.int64) * down
    rows, behind = np.divmod((places % up) * BANK, up)
    between = (behind / up).astype(np.float32)[:, None]
    filters = bank[rows]
    filters += between * (bank[rows + 1] - filters)
    begins = places // up - half + 1 - first
    output = np.empty((stop - start, samples.shape[1]), dtype=np.float32)
    for channel in range(samples.shape[1]):
        windows = np.lib.stride_tricks.sliding_window_view(samples[:, channel], 2 * half)
        np.einsum("nk,nk->n", windows[begins], filters, out=output[:, channel])
    return output
