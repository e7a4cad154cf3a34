"""What a mixture may become, in groups: levels, noise, and what changes the signals themselves."""

from dataclasses import dataclass, fields, replace
from typing import Any

from sb_resizegan.utils.checks import check_probability, check_range

__all__ = ["Changes", "Channels", "Levels", "Noises", "grouped_options"]


@dataclass(frozen=True)
class Levels:
    """How loud speech and noise are.

    Arguments
    ---------
    snr_db : tuple of float
        Range of the signal-to-noise ratio in dB, drawn from evenly.
    level_db : tuple of float
        Range of the level of the mixture in dB relative to full scale, drawn from evenly.
    nearly_clean : float
        Probability of a signal-to-noise ratio of 35 to 60 dB instead.
    level_step : float
        Probability that a part of the segment, up to or from a quiet moment on, is 10 to 30 dB fainter.

    Raises
    ------
    ValueError
        If an option is out of range.

    Example
    -------
    >>> Levels(snr_db=(20, -5))
    Traceback (most recent call last):
    ...
    ValueError: snr_db: expected two numbers in order from -100 to 100, but got (20, -5)
    """

    snr_db: tuple[float, float] = (-5.0, 20.0)
    level_db: tuple[float, float] = (-40.0, -15.0)
    nearly_clean: float = 0.05
    level_step: float = 0.0

    def __post_init__(self) -> None:
        check_range("snr_db", self.snr_db, -100, 100)
        check_range("level_db", self.level_db, -100, 0)
        check_probability("nearly_clean", self.nearly_clean)
        check_probability("level_step", self.level_step)


@dataclass(frozen=True)
class Noises:
    """Which noise is added.

    Arguments
    ---------
    babble, coloured : float
        Probabilities that a noise is one of these; recorded noise gets the rest.
    tonal : float
        The same for chirps, whining tones and motors.
    talker : float
        The same for one other voice, at 6 dB or more: below, nothing says which voice is meant.
    second_noise : float
        Probability of a second noise, up to 12 dB weaker.
    gain_change : float
        Probability that the noise's gain changes along the way.
    switching : float
        Probability that the noise stops and starts.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    babble: float = 0.1
    coloured: float = 0.1
    second_noise: float = 0.3
    gain_change: float = 0.2
    tonal: float = 0.0
    talker: float = 0.0
    switching: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_probability(field.name, getattr(self, field.name))
        # A sum of shares such as 0.1 + 0.2 + 0.7 may exceed 1 by rounding.
        if self.unrecorded > 1 + 1e-9:
            shares = [self.babble, self.coloured, self.tonal, self.talker]
            raise ValueError(
                f"babble, coloured, tonal, talker: expected a sum of at most 1, but got {shares}"
            )

    @property
    def unrecorded(self) -> float:
        """Probability that a noise is none that was recorded."""
        return self.babble + self.coloured + self.tonal + self.talker

    def without_recordings(self) -> "Noises":
        """The same where there is no recorded noise: the other kinds share all, in their ratio.

        Returns
        -------
        Noises

        Raises
        ------
        ValueError
            If none of them has a probability.

        Example
        -------
        >>> Noises(babble=0.125, coloured=0.375).without_recordings().coloured
        0.75
        """
        total = self.unrecorded
        if total == 0:
            raise ValueError("babble, coloured: expected one above 0 where there is no recorded noise")
        kinds = ("babble", "coloured", "tonal", "talker")
        return replace(self, **{kind: getattr(self, kind) / total for kind in kinds})


@dataclass(frozen=True)
class Changes:
    """What happens to the signals themselves.

    Arguments
    ---------
    equaliser : float
        Probability of a random equaliser, for speech and for noise each.
    speed : tuple of float
        Range of playing speeds; (1, 1) for none but the original.
    speed_change : float
        Probability of another speed, for speech and for recorded noise each.
    narrow_band : float
        Probability of speech without its upper band.
    bandwidth_hz : tuple of float
        Range of the upper limit of such speech, in Hz.
    reverberation : float
        Probability of a room, of use where there are impulse responses.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    equaliser: float = 0.5
    speed: tuple[float, float] = (0.9, 1.1)
    speed_change: float = 0.3
    narrow_band: float = 0.1
    bandwidth_hz: tuple[float, float] = (3000.0, 7500.0)
    reverberation: float = 0.5

    def __post_init__(self) -> None:
        check_range("speed", self.speed, 0.5, 2)
        check_range("bandwidth_hz", self.bandwidth_hz, 500, float("inf"))
        for name in ("equaliser", "speed_change", "narrow_band", "reverberation"):
            check_probability(name, getattr(self, name))


@dataclass(frozen=True)
class Channels:
    """What a recording or a line does to the mixture.

    Arguments
    ---------
    band : float
        Probability of a telephone's or a codec's band; the target is limited likewise.
    clipping : float
        Probability of clipping, 3 to 15 dB below the peak; the target is not clipped.
    codec : float
        Probability of a pass through Opus or MP3; the target is not coded. The dearest of all: 5 to 15 ms of
        processor time for a second of audio.
    silence : float
        Probability of a stretch of digital silence at an end or in between; the target is silent there too.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    band: float = 0.0
    clipping: float = 0.0
    codec: float = 0.0
    silence: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_probability(field.name, getattr(self, field.name))


GROUPS = {"levels": Levels, "noises": Noises, "changes": Changes, "channels": Channels}


def grouped_options(**options: Any) -> dict:
    """Sorts options, as a training's yaml has them, into their groups.

    Arguments
    ---------
    **options
        Options of `Levels`, `Noises`, `Changes` and `Channels` by name.

    Returns
    -------
    dict
        The arguments ``levels``, ``noises``, ``changes`` and ``channels`` of
        `NoisyMixtures`.

    Raises
    ------
    ValueError
        If an option is unknown or out of range.

    Example
    -------
    >>> grouped_options(snr_db=(0, 5), babble=0.2)["noises"].babble
    0.2
    >>> grouped_options(bable=0.2)
    Traceback (most recent call last):
    ...
    ValueError: expected options of mixtures, but got 'bable'
    """
    known = {name: {field.name for field in fields(group)} for name, group in GROUPS.items()}
    unknown = set(options).difference(*known.values())
    if unknown:
        raise ValueError(f"expected options of mixtures, but got {min(unknown)!r}")
    return {
        name: group(**{key: value for key, value in options.items() if key in known[name]})
        for name, group in GROUPS.items()
    }
