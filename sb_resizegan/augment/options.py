"""What a mixture may become, in groups: levels, noise, and what changes the signals themselves."""

from dataclasses import dataclass, fields, replace

from sb_resizegan.utils.checks import check_probability, check_range

__all__ = ["Changes", "Levels", "Noises", "grouped_options"]


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

    def __post_init__(self) -> None:
        check_range("snr_db", self.snr_db, -100, 100)
        check_range("level_db", self.level_db, -100, 0)
        check_probability("nearly_clean", self.nearly_clean)


@dataclass(frozen=True)
class Noises:
    """Which noise is added.

    Arguments
    ---------
    babble, coloured : float
        Probabilities that a noise is one of these; recorded noise gets the rest.
    second_noise : float
        Probability of a second noise, up to 12 dB weaker.
    gain_change : float
        Probability that the noise's gain changes along the way.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    babble: float = 0.1
    coloured: float = 0.1
    second_noise: float = 0.3
    gain_change: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            check_probability(field.name, getattr(self, field.name))
        if self.babble + self.coloured > 1:
            raise ValueError(
                f"babble, coloured: expected a sum of at most 1, but got {self.babble} and {self.coloured}"
            )

    def without_recordings(self) -> "Noises":
        """The same where there is no recorded noise: babble and coloured noise share all, in their ratio.

        Returns
        -------
        Noises

        Raises
        ------
        ValueError
            If neither has a probability.

        Example
        -------
        >>> Noises(babble=0.125, coloured=0.375).without_recordings().coloured
        0.75
        """
        total = self.babble + self.coloured
        if total == 0:
            raise ValueError("babble, coloured: expected one above 0 where there is no recorded noise")
        return replace(self, babble=self.babble / total, coloured=self.coloured / total)


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


GROUPS = {"levels": Levels, "noises": Noises, "changes": Changes}


def grouped_options(**options) -> dict:
    """Sorts options, as a training's yaml has them, into their groups.

    Arguments
    ---------
    **options
        Options of :class:`Levels`, :class:`Noises` and :class:`Changes` by name.

    Returns
    -------
    dict
        The arguments ``levels``, ``noises`` and ``changes`` of
        :class:`~sb_resizegan.augment.mixing.NoisyMixtures`.

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
