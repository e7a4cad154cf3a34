"""Changing the sampling rate of a stream, with a constant delay."""

import functools
import math

import numpy as np

from sb_resizegan.dataio.interpolated_filters import filter_bank, interpolated
from sb_resizegan.dataio.resampling import MOST_PHASES, _factors, _filter

__all__ = ["StreamingResampler"]


@functools.lru_cache(maxsize=8)
def _phases(up: int, down: int) -> np.ndarray:
    """Filters ``(up, 2 * half)`` for an output sample that lies 0, 1 / up, … behind an input sample."""
    taps = _filter(up, down)
    centre = len(taps) // 2
    half = centre // up + 1
    places = centre + np.arange(up)[:, None] - np.arange(1 - half, half + 1) * up
    inside = (places >= 0) & (places < len(taps))
    return np.where(inside, up * taps[places.clip(0, len(taps) - 1)], 0).astype(np.float32)


class StreamingResampler:
    """What `resample()` does, for samples that come bit by bit.

    Output sample n comes as soon as the last input sample that its filter needs is there, however the input
    is cut.

    Arguments
    ---------
    rate, new_rate : int
        Sampling rates in Hz.
    channels : int
        Of the samples.

    Example
    -------
    >>> resampler = StreamingResampler(48000, 16000, channels=1)
    >>> [len(resampler.push(np.zeros((480, 1), dtype=np.float32))) for _ in range(3)], len(resampler.flush())
    ([128, 160, 160], 32)
    """

    def __init__(self, rate: int, new_rate: int, channels: int) -> None:
        self.up, self.down = _factors(rate, new_rate)
        self.channels = channels
        self._bank: np.ndarray | None = None
        if rate != new_rate:
            exact = max(self.up, self.down) <= MOST_PHASES
            self._bank = (_phases if exact else filter_bank)(self.up, self.down)
        # Input samples after the one that an output sample lies at or behind; its filter reaches so far.
        self.reach = 0 if self._bank is None else self._bank.shape[1] // 2
        self._waiting = np.zeros((max(0, self.reach - 1), channels), dtype=np.float32)
        self._first = -len(self._waiting)  # number of the first sample that waits
        self._heard = self._given = 0

    def ready(self, heard: int) -> int:
        """Output samples that ``heard`` input samples are enough for."""
        if self._bank is None:
            return heard
        return max(0, ((heard - self.reach) * self.up - 1) // self.down + 1)

    def needed(self, count: int) -> int:
        """Input samples that ``count`` output samples, at least one, take."""
        return count if self._bank is None else (count - 1) * self.down // self.up + self.reach + 1

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Takes samples and gives what they complete.

        Arguments
        ---------
        samples : numpy.ndarray
            ``(time, channels)``, float32, of any length.

        Returns
        -------
        numpy.ndarray
            ``(time, channels)``, float32.
        """
        self._heard += len(samples)
        if self._bank is None:
            return samples
        self._waiting = np.concatenate([self._waiting, samples])
        return self._given_until(self.ready(self._heard))

    def flush(self) -> np.ndarray:
        """The rest, as if silence followed: ``ceil(time * new_rate / rate)`` samples altogether."""
        if self._bank is None:
            return np.zeros((0, self.channels), dtype=np.float32)
        total = math.ceil(self._heard * self.up / self.down)
        self._waiting = np.pad(self._waiting, ((0, self.reach + 1), (0, 0)))
        return self._given_until(total)

    def _given_until(self, stop: int) -> np.ndarray:
        start, self._given = self._given, max(stop, self._given)
        if start >= stop:
            return np.zeros((0, self.channels), dtype=np.float32)
        if max(self.up, self.down) <= MOST_PHASES:
            output = self._at(np.arange(start, stop, dtype=np.int64) * self.down)
        else:
            assert self._bank is not None  # with equal rates nothing comes here
            output = interpolated(self._waiting, self._first, start, stop, self._bank, self.up, self.down)
        passed = stop * self.down // self.up - self.reach + 1 - self._first
        passed = min(len(self._waiting), max(0, passed))
        self._waiting, self._first = self._waiting[passed:].copy(), self._first + passed
        return output

    def _at(self, places: np.ndarray) -> np.ndarray:
        assert self._bank is not None  # with equal rates nothing comes here
        filters = self._bank[places % self.up]
        begins = places // self.up - self.reach + 1 - self._first
        output = np.empty((len(places), self.channels), dtype=np.float32)
        for channel in range(self.channels):
            windows = np.lib.stride_tricks.sliding_window_view(self._waiting[:, channel], 2 * self.reach)
            np.einsum("nk,nk->n", windows[begins], filters, out=output[:, channel])
        return output
