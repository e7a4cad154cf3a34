"""What is done to a model's output: strength, the band above the model's, one gain for all channels.

With x the input, e the model's output and h the input at the model's rate, the result is
``share * x + (1 - share) * (up(e) + g * (x - up(h)))``: ``up`` brings a signal to the input's rate and g is
the gain of the band above. Nothing is delayed against anything else, so that a strength of 0 gives x.
"""

import math
from dataclasses import dataclass

import numpy as np

from sb_resizegan.inference.upper_band import UpperBand

__all__ = ["Finishing", "Mixing", "noisy_share"]

UPPER_BANDS = ("follow", "none")


@dataclass(frozen=True)
class Finishing:
    """What is done to a model's output.

    Arguments
    ---------
    strength : float
        0 (the input) to 1 (the model's output).
    limit_db : float, optional
        Noise is never lowered by more than so many dB.
    upper_band : str
        What becomes of the band above half the model's rate: ``follow`` gives it the gain of the band below
        (`UpperBand`), ``none`` takes it away.
    link_channels : bool
        Give all channels one gain (`LinkedChannels`).

    Raises
    ------
    ValueError
        For a value out of range.

    Example
    -------
    >>> Finishing(strength=0.25).share
    0.75
    >>> Finishing(upper_band="all")
    Traceback (most recent call last):
    ValueError: upper_band: expected one of ('follow', 'none'), but got 'all'
    """

    strength: float = 1.0
    limit_db: float | None = None
    upper_band: str = "follow"
    link_channels: bool = False

    def __post_init__(self) -> None:
        noisy_share(self.strength, self.limit_db)
        if self.upper_band not in UPPER_BANDS:
            raise ValueError(f"upper_band: expected one of {UPPER_BANDS}, but got {self.upper_band!r}")

    @property
    def share(self) -> float:
        """The share of its input that a result keeps."""
        return noisy_share(self.strength, self.limit_db)

    def band(self, model_rate: int, rate: int, channels: int) -> UpperBand | None:
        """What passes on the band above the model's; None where there is none, or it is taken away."""
        if self.upper_band == "none" or rate <= model_rate:
            return None
        return UpperBand(model_rate, rate, channels, self.link_channels)


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


class Mixing:
    """Puts together what has come at the input's rate, as far as all of it is known.

    Arguments
    ---------
    channels : int
        Of the input.
    share : float
        Of the input in the result.
    band : UpperBand, optional
        Gains of the band above.

    Example
    -------
    >>> mixing = Mixing(channels=1, share=0.5)
    >>> mixing.hear(np.ones((3, 1), dtype=np.float32))
    >>> mixing.push(np.zeros((2, 1), dtype=np.float32))[:, 0].tolist(), mixing.given
    ([0.5, 0.5], 2)
    """

    def __init__(self, channels: int, share: float, band: UpperBand | None = None) -> None:
        self._channels, self._share, self._band = channels, share, band
        # Signals of the model that are needed: its output, and for the band above its input.
        self.signals = 1 if band is None else 2
        self._input = np.zeros((0, channels), dtype=np.float32)
        self._ready = np.zeros((0, channels * self.signals), dtype=np.float32)
        self.given = 0

    @property
    def needs_input(self) -> bool:
        """Whether `hear()` has to get the input; without, only the model's output counts."""
        return self._share > 0 or self._band is not None

    @property
    def heard(self) -> int:
        """Samples of the input that were heard, from the beginning."""
        return self.given + len(self._input)

    def hear(self, samples: np.ndarray) -> None:
        """Takes samples ``(time, channels)`` of the input."""
        if self.needs_input:
            self._input = np.concatenate([self._input, samples])

    def push(self, block: np.ndarray) -> np.ndarray:
        """Takes the model's output at the input's rate, and gives what is complete.

        Arguments
        ---------
        block : numpy.ndarray
            ``(time, channels)``, or with the band above ``(time, 2 * channels)``: output, then input, both
            through the model's rate.

        Returns
        -------
        numpy.ndarray
            ``(time, channels)``, float32; where the input counts, of no more samples than were heard of it.
        """
        self._ready = np.concatenate([self._ready, block])
        count = len(self._ready)
        if self._band is not None:
            count = min(count, max(0, self._band.followed - self.given))
        if self.needs_input:
            count = min(count, len(self._input))
        output, self._ready = self._ready[:count], self._ready[count:]
        own, self._input = self._input[:count], self._input[count:]
        if self._band is not None:
            output, heard = output[:, : self._channels], output[:, self._channels :]
            output = output + self._band.curve(self.given, count) * (own - heard)
        if self._share:
            output = np.float32(self._share) * own + np.float32(1 - self._share) * output
        self.given += count
        return output
