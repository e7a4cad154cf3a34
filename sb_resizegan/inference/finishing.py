"""What is done to a model's output: strength, the band above the model's, one gain for all channels.

With x the input, e the model's output and h the input at the model's rate, the result is
``share * x + (1 - share) * (up(e) + g * (x - up(h)))``: ``up`` brings a signal to the input's rate and g is
the gain of the band above. Nothing is delayed against anything else, so that a strength of 0 gives x.
"""

import math

import numpy as np

__all__ = ["LinkedChannels", "UpperBand", "noisy_share"]

UPPER_BANDS = ("follow", "none")
# Edges of the band that the one above follows, as shares of the model's sampling rate: 4 to 7 kHz at 16 kHz.
# What lies above is lowered by the resampling filter.
FOLLOWED = (0.25, 0.4375)
FRAME_SECONDS = 0.032
# Power below which a band counts as empty.
EMPTY = 1e-14


def noisy_share(strength: float = 1.0, limit_db: float | None = None) -> float:
    """The share of its input that a result keeps.

    Arguments
    ---------
    strength : float
        0 (the input) to 1 (the model's output).
    limit_db : float, optional
        Noise is never lowered by more than so many dB.

    Returns
    -------
    float
        The larger of ``1 - strength`` and the share that leaves noise at its limit.

    Raises
    ------
    ValueError
        For a value out of range.

    Example
    -------
    >>> noisy_share(), noisy_share(0.25), noisy_share(limit_db=20), noisy_share(0.5, limit_db=20)
    (0.0, 0.75, 0.1, 0.5)
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength: expected 0 to 1, but got {strength}")
    if limit_db is None:
        return 1 - strength
    if not 0 <= limit_db < math.inf:
        raise ValueError(f"limit_db: expected a number of dB of at least 0, but got {limit_db}")
    return max(1 - strength, 10 ** (-limit_db / 20))


def check_upper_band(upper_band: str) -> bool:
    """Whether the band above the model's is passed on.

    Arguments
    ---------
    upper_band : str
        ``follow`` or ``none``.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        For another word.

    Example
    -------
    >>> check_upper_band("follow"), check_upper_band("none")
    (True, False)
    """
    if upper_band not in UPPER_BANDS:
        raise ValueError(f"upper_band: expected one of {UPPER_BANDS}, but got {upper_band!r}")
    return upper_band == "follow"


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

    def __init__(self, model_rate: int, rate: int, channels: int, linked: bool = False):
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


class LinkedChannels:
    """One gain for all channels, so that sources stay where they are heard.

    In each bin of each frame the gain is the ratio of the power that the model left in all channels to that
    which was there, at most 1 in amplitude. It is real and the same for all, so that differences of level and
    phase between channels stay. Frames have 32 ms and a hop of 16 ms; the output comes a hop later.

    Arguments
    ---------
    model_rate : int
        In Hz.
    channels : int
        Of the samples.

    Example
    -------
    >>> link, noisy = LinkedChannels(16000, channels=2), np.ones((800, 2), dtype=np.float32)
    >>> heard, linked = (np.concatenate(parts) for parts in zip(link.push(noisy, noisy), link.flush()))
    >>> heard.shape, bool(np.allclose(linked, noisy, atol=1e-5))
    ((800, 2), True)
    """

    def __init__(self, model_rate: int, channels: int):
        self.hop = round(FRAME_SECONDS * model_rate / 2)
        self._window = np.sqrt(np.hanning(2 * self.hop + 1)[:-1, None]).astype(np.float32)
        self._channels = channels
        self._waiting = np.zeros((self.hop, 2 * channels), dtype=np.float32)
        self._tail = np.zeros((self.hop, channels), dtype=np.float32)
        self._heard = self._frames = self._given = 0

    def push(self, noisy: np.ndarray, enhanced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Takes samples and gives what they complete.

        Arguments
        ---------
        noisy, enhanced : numpy.ndarray
            ``(time, channels)`` at the model's rate.

        Returns
        -------
        noisy, enhanced : numpy.ndarray
            ``(time, channels)``, of the same samples.
        """
        self._heard += len(noisy)
        self._waiting = np.concatenate([self._waiting, np.concatenate([noisy, enhanced], axis=1)])
        heard, linked = [], []
        while len(self._waiting) >= 2 * self.hop:
            frame, self._waiting = self._waiting[: 2 * self.hop], self._waiting[self.hop :]
            spectrum = np.fft.rfft(frame * self._window, axis=0)
            before, after = np.split(np.square(np.abs(spectrum)), 2, axis=1)
            gain = np.sqrt((after.sum(1) + EMPTY) / (before.sum(1) + EMPTY)).clip(max=1)[:, None]
            output = np.fft.irfft(spectrum[:, : self._channels] * gain, axis=0) * self._window
            if self._frames:  # the first lies before the beginning
                heard.append(frame[: self.hop, : self._channels])
                linked.append(self._tail + output[: self.hop])
            self._tail = output[self.hop :].astype(np.float32)
            self._frames += 1
        self._given += self.hop * len(heard)
        nothing = np.zeros((0, self._channels), dtype=np.float32)
        return np.concatenate([nothing, *heard]), np.concatenate([nothing, *linked]).astype(np.float32)

    def flush(self) -> tuple[np.ndarray, np.ndarray]:
        """The rest, as if silence followed."""
        rest = self._heard - self._given
        silence = np.zeros((2 * self.hop, self._channels), dtype=np.float32)
        noisy, enhanced = self.push(silence, silence)
        return noisy[:rest], enhanced[:rest]
