"""Simulated impulse responses of rooms: image sources for what comes first, rays for the reverberation.

The package ``pyroomacoustics`` computes them. A room depends on the seed and its number alone, so that a
collection can be made longer later on.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from sb_resizegan.utils.random import derive_seed

__all__ = ["Room", "draw_room", "simulate_response"]

SAMPLE_RATE = 16000
# Uniform: a small bathroom up to a lecture room, in metres.
LENGTH, WIDTH, HEIGHT = (2.5, 10.0), (2.0, 8.0), (2.2, 4.0)
# Logarithmically uniform: as many rooms below 0.35 s as above.
T60_SECONDS = (0.1, 1.2)
DISTANCE = (0.3, 4.0)
FROM_WALLS = 0.3
IMAGE_ORDER = 6
PEAK = 0.9
TRIES = 1000


@dataclass(frozen=True)
class Room:
    """A rectangular room, a voice and a microphone in it.

    Arguments
    ---------
    size : tuple of float
        Length, width and height in metres.
    t60 : float
        Reverberation time in seconds.
    voice, microphone : tuple of float
        Positions in metres.
    seed : int
        Of the rays.
    """

    size: tuple[float, float, float]
    t60: float
    voice: tuple[float, float, float]
    microphone: tuple[float, float, float]
    seed: int

    @property
    def distance(self) -> float:
        """From the voice to the microphone, in metres."""
        return math.dist(self.voice, self.microphone)

    def facts(self) -> dict[str, object]:
        """A row of a list."""
        facts = asdict(self)
        return {
            "t60_seconds": round(facts["t60"], 3),
            "distance_metres": round(self.distance, 3),
            "size_metres": " x ".join(f"{edge:.2f}" for edge in facts["size"]),
        }


def draw_room(seed: int, number: int) -> Room:
    """Draws a room.

    Its edges are uniform between 2.5 and 10, 2 and 8, 2.2 and 4 m; the reverberation time is logarithmically
    uniform between 0.1 and 1.2 s, and so is the distance between 0.3 and 4 m, as far as the room has space
    for it; voice and microphone keep 0.3 m from the walls. Rooms that no material gives their reverberation
    time are drawn anew.

    Arguments
    ---------
    seed : int
        Of the collection.
    number : int
        Of the room.

    Returns
    -------
    Room

    Example
    -------
    >>> room = draw_room(seed=1, number=0)
    >>> 0.1 <= room.t60 <= 1.2 and 0.3 <= room.distance <= 4.0
    True
    """
    random = np.random.Generator(np.random.Philox(derive_seed(seed, "room", number)))
    for _ in range(TRIES):
        size = _triple(random.uniform(*edges) for edges in (LENGTH, WIDTH, HEIGHT))
        t60 = _log_uniform(random, *T60_SECONDS)
        # Sabine's absorption: above 1 there is no such material.
        volume = math.prod(size)
        surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
        if 0.161 * volume / (surface * t60) > 0.95:
            continue
        voice = np.array([random.uniform(FROM_WALLS, edge - FROM_WALLS) for edge in size])
        direction = random.standard_normal(3)
        microphone = voice + _log_uniform(random, *DISTANCE) * direction / np.linalg.norm(direction)
        if np.all(microphone >= FROM_WALLS) and np.all(microphone <= np.array(size) - FROM_WALLS):
            return Room(size, t60, _triple(voice), _triple(microphone), seed=int(random.integers(2**31)))
    raise RuntimeError(f"no room found in {TRIES} tries")


def _triple(numbers: Iterable[float]) -> tuple[float, float, float]:
    x, y, z = map(float, numbers)
    return x, y, z


def simulate_response(room: Room) -> np.ndarray:
    """Computes the impulse response of a room at 16 kHz.

    Arguments
    ---------
    room : Room
        What it is like.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32, its peak at 0.9; cut off where it has fallen by 60 dB.
    """
    import pyroomacoustics
    from pyroomacoustics import random

    absorption, order = pyroomacoustics.inverse_sabine(room.t60, room.size)
    box = pyroomacoustics.ShoeBox(
        room.size,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=min(order, IMAGE_ORDER),
        ray_tracing=True,
        air_absorption=True,
    )
    box.add_source(room.voice)
    box.add_microphone(room.microphone)
    random.seed(numpy=room.seed, libroom=room.seed)
    box.compute_rir()
    response = np.asarray(box.rir[0][0], dtype=np.float32)
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    heard = int(np.flatnonzero(energy > 1e-6 * energy[0])[-1]) + 1
    return PEAK * response[:heard] / np.abs(response).max()


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(math.log(low), math.log(high))))
