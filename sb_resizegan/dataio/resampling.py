"""Changing the sampling rate, of whole signals and block by block, and the low-pass filter."""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np
from scipy.signal import firwin, kaiserord, oaconvolve, resample_poly

from sb_resizegan.dataio.interpolated_filters import HALF_ZEROS, KAISER_BETA, interpolated_blocks

__all__ = ["check_lowpass", "low_pass", "low_passed_blocks", "resample", "resampled_blocks"]

MOST_PHASES = 20_000
# With a filter for each sample, the work grows with the ratio of the rates: above, a common one comes first.
MOST_INTERPOLATED_RATIO = 4
PIECE = 1 << 18  # samples computed at a time
# Speech has some −10 dB above 1.8 kHz: what is left of it lies near −70 dB, about where 12 bits end.
LOWPASS_STOPBAND_DB = 60.0


def resample(waveform: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resamples with a zero-phase Kaiser filter, stop-band 90 dB, −6 dB at the lower Nyquist frequency.

    A polyphase filter serves pairs of rates with a common divisor; where it would have more than 20,000
    phases, each sample's filter is interpolated between 4096 of them (error below −120 dB). Rates more than 4
    times too high are then divided by a whole number first, by a filter whose edge lies an octave higher.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    rate, new_rate : int
        Sampling rates in Hz.

    Returns
    -------
    numpy.ndarray
        ``(ceil(time * new_rate / rate),)``, float32.

    Example
    -------
    >>> resample(np.zeros(44100, dtype=np.float32), 44100, 16000).shape
    (16000,)
    """
    if rate == new_rate:
        return waveform
    up, down = _factors(rate, new_rate)
    if max(up, down) <= MOST_PHASES:
        taps = _filter(up, down)
        return resample_poly(waveform, up, down, window=taps).astype(np.float32, copy=False)
    pieces = [waveform[start : start + PIECE, None] for start in range(0, len(waveform), PIECE)]
    return np.concatenate([waveform[:0], *(b[:, 0] for b in resampled_blocks(pieces, rate, new_rate))])


def _factors(rate: int, new_rate: int) -> tuple[int, int]:
    divisor = math.gcd(rate, new_rate)
    return new_rate // divisor, rate // divisor


@functools.lru_cache(maxsize=8)
def _filter(up: int, down: int) -> np.ndarray:
    """Symmetric, at ``up`` times the input's rate, float32."""
    factor = max(up, down)
    return firwin(2 * HALF_ZEROS * factor + 1, 1 / factor, window=("kaiser", KAISER_BETA)).astype(np.float32)


def check_lowpass(lowpass_hz: float | None, sample_rate: int) -> None:
    """Checks a low-pass setting before any work is done with it.

    Arguments
    ---------
    lowpass_hz : float or None
        Cut-off frequency in Hz; None stands for the full band.
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        If it isn't a number above 0 and at most half the sampling rate.

    Example
    -------
    >>> check_lowpass(1500, 16000)
    >>> check_lowpass(9000, 16000)
    Traceback (most recent call last):
    ...
    ValueError: lowpass_hz: expected null or a number above 0 and at most 8000 (half the rate), but got 9000
    """
    if lowpass_hz is None:
        return
    is_number = isinstance(lowpass_hz, Real) and not isinstance(lowpass_hz, bool)
    if not (is_number and 0 < lowpass_hz <= sample_rate / 2):
        raise ValueError(
            f"lowpass_hz: expected null or a number above 0 and at most {sample_rate / 2:g} (half the rate), "
            f"but got {lowpass_hz!r}"
        )


def low_pass(waveform: np.ndarray, sample_rate: int, lowpass_hz: float | None) -> np.ndarray:
    """Removes what lies above a frequency and delays nothing.

    A symmetric (linear-phase) Kaiser filter applied centred: −6 dB at ``lowpass_hz``, 60 dB down from 5 %
    (at least 25 Hz) above it, flat up to as much below. Meant for whole utterances: windows cut of the
    result have no edges of their own.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    lowpass_hz : float or None
        Cut-off frequency in Hz, at most half the sampling rate; None passes everything.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Raises
    ------
    ValueError
        If ``lowpass_hz`` is out of range.

    Example
    -------
    >>> time = np.arange(16000) / 16000
    >>> low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 2000 * time)
    >>> filtered = low_pass((low + high).astype(np.float32), 16000, 1500)
    >>> bool(np.abs(filtered - low)[1000:-1000].max() < 2e-3)
    True
    """
    check_lowpass(lowpass_hz, sample_rate)
    if lowpass_hz is None or lowpass_hz == sample_rate / 2:
        return waveform
    kernel = _lowpass_kernel(sample_rate, lowpass_hz)
    half = len(kernel) // 2
    return oaconvolve(waveform, kernel)[half : half + len(waveform)].astype(np.float32, copy=False)


def low_passed_blocks(
    blocks: Iterable[np.ndarray], sample_rate: int, lowpass_hz: float | None
) -> Iterator[np.ndarray]:
    """Does to a signal that comes in blocks what `low_pass` does to a whole one.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    lowpass_hz : float or None
        See `low_pass`.

    Yields
    ------
    numpy.ndarray
        ``(time,)``, float32; together as many samples as the blocks have.

    Example
    -------
    >>> blocks = [np.zeros(22050, dtype=np.float32)] * 2
    >>> sum(len(block) for block in low_passed_blocks(blocks, 16000, 1500))
    44100
    """
    check_lowpass(lowpass_hz, sample_rate)
    if lowpass_hz is None or lowpass_hz == sample_rate / 2:
        yield from blocks
        return
    kernel = _lowpass_kernel(sample_rate, lowpass_hz)
    half = len(kernel) // 2
    waiting = np.zeros(half, dtype=np.float32)
    for block in itertools.chain(blocks, (np.zeros(half, dtype=np.float32),)):
        waiting = np.concatenate([waiting, block])
        if len(waiting) > 2 * half:
            yield oaconvolve(waiting, kernel, mode="valid").astype(np.float32, copy=False)
            waiting = waiting[len(waiting) - 2 * half :]


def _lowpass_kernel(sample_rate: int, lowpass_hz: float) -> np.ndarray:
    transition_hz = max(0.1 * lowpass_hz, 50.0)
    taps, beta = kaiserord(LOWPASS_STOPBAND_DB, transition_hz / (sample_rate / 2))
    return firwin(taps | 1, lowpass_hz, window=("kaiser", beta), fs=sample_rate).astype(np.float32)


def resampled_blocks(blocks: Iterable[np.ndarray], rate: int, new_rate: int) -> Iterator[np.ndarray]:
    """Resamples a signal that comes in blocks.

    Together the blocks are what `resample` makes of the whole signal.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time, channels)``, float32, of any lengths.
    rate, new_rate : int
        Sampling rates in Hz.

    Yields
    ------
    numpy.ndarray
        ``(time, channels)``, float32; ``ceil(time * new_rate / rate)`` samples altogether.

    Example
    -------
    >>> blocks = [np.zeros((22050, 2), dtype=np.float32)] * 2
    >>> sum(len(block) for block in resampled_blocks(blocks, 44100, 16000))
    16000
    """
    if rate == new_rate:
        yield from blocks
        return
    up, down = _factors(rate, new_rate)
    if max(up, down) <= MOST_PHASES:
        yield from _by_phases(blocks, up, down)
    elif down < MOST_INTERPOLATED_RATIO * up:
        yield from interpolated_blocks(blocks, up, down)
    else:
        yield from _in_two_steps(blocks, up, down)


def _in_two_steps(blocks: Iterable[np.ndarray], up: int, down: int) -> Iterator[np.ndarray]:
    heard = given = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal heard
        for block in blocks:
            heard += len(block)
            yield block

    factor = down // up // 2
    common = math.gcd(factor, down)
    divided = _by_phases(counted(), 1, factor)
    for block in interpolated_blocks(divided, up * (factor // common), down // common):
        block = block[: math.ceil(heard * up / down) - given]  # each step rounds the length up
        given += len(block)
        yield block


def _by_phases(blocks: Iterable[np.ndarray], up: int, down: int) -> Iterator[np.ndarray]:
    taps = _filter(up, down)
    # Whole periods of the polyphase filter, so that each block begins at the filter's first phase.
    context = math.ceil(len(taps) / 2 / up / down) * down
    waiting = None
    for block in blocks:
        if waiting is None:
            waiting = np.zeros((context, block.shape[1]), dtype=np.float32)
        waiting = np.concatenate([waiting, block])
        ready = (len(waiting) - 2 * context) // down * down
        if ready > 0:
            yield _resampled(waiting[: ready + 2 * context], context, ready, up, down, taps)
            waiting = waiting[ready:]
    if waiting is not None and len(waiting) > context:
        ready = len(waiting) - context
        padded = np.pad(waiting, ((0, context), (0, 0)))
        yield _resampled(padded, context, ready, up, down, taps)


def _resampled(
    samples: np.ndarray, context: int, count: int, up: int, down: int, taps: np.ndarray
) -> np.ndarray:
    first = context // down * up
    if not samples.any():  # silence, of which files may hold any amount
        return np.zeros((math.ceil(count * up / down), samples.shape[1]), dtype=np.float32)
    output = resample_poly(samples, up, down, axis=0, window=taps)
    return output[first : first + math.ceil(count * up / down)].astype(np.float32, copy=False)
