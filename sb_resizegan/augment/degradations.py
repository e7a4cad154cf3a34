"""Degradations that take information away, by the words and ranges that a training's yaml gives them."""

from dataclasses import dataclass, fields
from typing import Any

from sb_resizegan.augment.codec_passes import G722_KBITS
from sb_resizegan.augment.packet_loss import BURST_MS
from sb_resizegan.utils.checks import check_probability, check_range

__all__ = ["RANGES", "Degradations", "NoDegradationError"]

# Of each degradation the least and the most, and the unit.
RANGES = {
    "packet_loss": (0.0, 0.9, "share of packets"),
    "bandwidth_hz": (500.0, 100_000.0, "Hz"),
    "hard_clipping_db": (0.0, 60.0, "dB below the peak"),
    "soft_clipping_db": (0.0, 60.0, "dB below the peak"),
    "opus_kbits": (6.0, 256.0, "kbit/s"),
    "mp3_kbits": (8.0, 160.0, "kbit/s"),
    "g722_kbits": (48.0, 64.0, "kbit/s"),
    "mu_law_bits": (3.0, 16.0, "bits"),
    "late_reverberation_db": (-40.0, 40.0, "dB of early over late energy"),
    "added_noise_db": (-40.0, 60.0, "dB of speech over noise"),
}


class NoDegradationError(ValueError):
    """There is nothing to restore from."""


@dataclass(frozen=True)
class Degradations:
    """What happens to speech, each in the range that it is drawn from evenly; None for what does not happen.

    Arguments
    ---------
    packet_loss : tuple of float, optional
        Share of packets lost.
    bandwidth_hz : tuple of float, optional
        Frequency up to which the signal stays.
    hard_clipping_db, soft_clipping_db : tuple of float, optional
        How far the limit lies below the highest peak.
    opus_kbits, mp3_kbits, g722_kbits : tuple of float, optional
        Rate of a codec.
    mu_law_bits : tuple of float, optional
        Bits of a sample.
    late_reverberation_db : tuple of float, optional
        Energy of the direct path and 50 ms of reflections, which the target keeps, over that of the rest.
    added_noise_db : tuple of float, optional
        Signal-to-noise ratio.
    burst_ms : tuple of float
        Length of a burst of lost packets, in milliseconds.
    concealment : float
        Probability that lost packets are filled by repetition.
    several : float
        Probability of two or three degradations at once.
    intact : float
        Probability that nothing happens: what is whole shall stay as it is.

    Raises
    ------
    NoDegradationError
        If all are None.
    ValueError
        If a range is out of its limits.

    Example
    -------
    >>> Degradations(packet_loss=(0.05, 0.3)).active
    ('packet_loss',)
    >>> Degradations(packet_loss=(0.05, 1.3))
    Traceback (most recent call last):
    ...
    ValueError: packet_loss: expected two numbers in order from 0 to 0.9, but got (0.05, 1.3)
    """

    packet_loss: tuple[float, float] | None = None
    bandwidth_hz: tuple[float, float] | None = None
    hard_clipping_db: tuple[float, float] | None = None
    soft_clipping_db: tuple[float, float] | None = None
    opus_kbits: tuple[float, float] | None = None
    mp3_kbits: tuple[float, float] | None = None
    g722_kbits: tuple[float, float] | None = None
    mu_law_bits: tuple[float, float] | None = None
    late_reverberation_db: tuple[float, float] | None = None
    added_noise_db: tuple[float, float] | None = None
    burst_ms: tuple[float, float] = BURST_MS
    concealment: float = 0.5
    several: float = 0.3
    intact: float = 0.1

    def __post_init__(self) -> None:
        for name, (least, most, _) in RANGES.items():
            if getattr(self, name) is not None:
                check_range(name, getattr(self, name), least, most)
        if self.g722_kbits and not any(self.g722_kbits[0] <= r <= self.g722_kbits[1] for r in G722_KBITS):
            raise ValueError(f"g722_kbits: expected a range with one of {G722_KBITS} in it, but got "
                             f"{self.g722_kbits}")  # fmt: skip
        check_range("burst_ms", self.burst_ms, 20, 2000)
        for name in ("concealment", "several", "intact"):
            check_probability(name, getattr(self, name))
        if not self.active:
            raise NoDegradationError(
                f"degradations: expected a range for at least one of {', '.join(RANGES)}, but all are null"
            )

    @property
    def active(self) -> tuple[str, ...]:
        """Words of those that happen, in the order in which they do."""
        return tuple(name for name in ORDER if getattr(self, name) is not None)

    def only(self, name: str, strength: float) -> "Degradations":
        """The same with one degradation alone, at one strength, in every segment: for measuring.

        Arguments
        ---------
        name : str
            One of `RANGES`.
        strength : float
            In its unit.

        Example
        -------
        >>> Degradations(packet_loss=(0, 0.3)).only("bandwidth_hz", 4000).bandwidth_hz
        (4000, 4000)
        """
        none: dict[str, Any] = dict.fromkeys(RANGES)
        kept = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in none}
        chosen = {**none, name: (strength, strength)}
        return Degradations(**{**kept, **chosen, "several": 0.0, "intact": 0.0})


# A room comes before the noise in it, a microphone's band and limit before the line, its packets last.
ORDER = (
    "late_reverberation_db",
    "added_noise_db",
    "bandwidth_hz",
    "soft_clipping_db",
    "hard_clipping_db",
    "mu_law_bits",
    "g722_kbits",
    "mp3_kbits",
    "opus_kbits",
    "packet_loss",
)
