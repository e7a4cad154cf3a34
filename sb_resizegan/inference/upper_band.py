"""The band above the model's, with a gain that follows what the model did to the band below it."""

import math

import numpy as np

__all__ = ["UpperBand"]

# Edges of the band that the one above follows, as shares of the model's sampling rate: 4 to 7 kHz at 16 kHz.
# What lies above is lowered by the resampling filter.
FOLLOWED = (0.25, 0.4375)
FRAME_SECONDS = 0.032
# Power below which a band counts as empty.
EMPTY = 1e-14


class UpperBand:
    """The band above the model's, with a gain that follows what the model did to the band below it.

    In each frame of 32 ms, one every 16 ms, the gain is the ratio of the RMS of the model's output to that of
    its input between 4 and 7 kHz (at 16 kHz; other rates in proportion), at most 1. It goes in a straight
    line from that of the frame before to that of the frame in the frame's later half, so that nothing waits
    for it.

    Arguments
    ---------
    model_rate, rate : int
        Sampling rates of the model and of the input in Hz.
    channels : int
        Of the input.
    linked : bool
        Whether all channels have the same gain.

    Example
    -------
    >>> band = UpperBand(16000, 48000, channels=1)
    >>> noisy = np.random.default_rng(0).standard_normal((512, 1)).astype(np.float32)
    >>> band.follow(noisy, 0.5 * noisy)
    >>> round(float(band.curve(3 * 256, 1)[0, 0]), 3)
    0.5
    """

    def __init__(self, model_rate: int, rate: int, channels: int, linked: bool = False) -> None:
        self._ratio = model_rate / rate
        self._linked = linked
        self.hop = round(FRAME_SECONDS * model_rate / 2)
        self._window = np.hanning(2 * self.hop + 1)[:-1, None]
        low, high = (round(share * 2 * self.hop) for share in FOLLOWED)
        self._bins = slice(low, high + 1)
        self._waiting = np.zeros((self.hop, 2 * channels), dtype=np.float32)
        self._gains: list[np.ndarray] = []
        self._first = 0  # number of the first gain that is kept

    @property
    def followed(self) -> int:
        """Samples at the input's rate that there are gains for."""
        return math.floor((self._first + len(self._gains)) * self.hop / self._ratio)

    def follow(self, noisy: np.ndarray, enhanced: np.ndarray) -> None:
        """Hears what the model made of what.

        Arguments
        ---------
        noisy, enhanced : numpy.ndarray
            ``(time, channels)`` at the model's rate.
        """
        self._waiting = np.concatenate([self._waiting, np.concatenate([noisy, enhanced], axis=1)])
        while len(self._waiting) >= 2 * self.hop:
            frame, self._waiting = self._waiting[: 2 * self.hop], self._waiting[self.hop :]
            spectrum = np.fft.rfft(frame * self._window, axis=0)[self._bins]
            before, after = np.split(np.square(np.abs(spectrum)).mean(axis=0), 2)
            if self._linked:
                before, after = (np.full_like(power, power.mean()) for power in (before, after))
            gain = np.sqrt((after + EMPTY) / (before + EMPTY)).clip(max=1).astype(np.float32)
            if not self._gains:
                self._gains.append(gain)  # what the first goes out from
                self._first = -1
            self._gains.append(gain)

    def end(self) -> None:
        """Follows the last samples, as if silence followed."""
        channels = self._waiting.shape[1] // 2
        silence = np.zeros((self.hop, channels), dtype=np.float32)
        self.follow(silence, silence)

    def curve(self, first: int, count: int) -> np.ndarray:
        """The gains of samples at the input's rate.

        Arguments
        ---------
        first, count : int
            Samples; those before ``first`` are not asked for again.

        Returns
        -------
        numpy.ndarray
            ``(count, channels)``, float32.
        """
        if not count:
            return np.zeros((0, self._waiting.shape[1] // 2), dtype=np.float32)
        places = (first + np.arange(count)) * (self._ratio / self.hop)
        frames = places.astype(np.int64)
        part = (places - frames).astype(np.float32)[:, None]
        gains = np.stack(self._gains)
        before, after = gains[frames - 1 - self._first], gains[frames - self._first]
        passed = int(frames[0]) - 1 - self._first
        self._gains, self._first = self._gains[passed:], self._first + passed
        return before + part * (after - before)
