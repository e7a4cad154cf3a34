"""One gain for all channels, so that sources stay where they are heard."""

import numpy as np

__all__ = ["LinkedChannels"]

FRAME_SECONDS = 0.032
# Power below which a bin counts as empty.
EMPTY = 1e-14


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

    def __init__(self, model_rate: int, channels: int) -> None:
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
