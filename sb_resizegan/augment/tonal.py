"""Noise with a pitch that needs no recordings: chirps, whining, motors, which are easily taken for speech."""

import numpy as np

from sb_resizegan.utils.random import Draws

__all__ = ["chirps", "motor", "tonal_noise", "tone"]

LOWEST_HZ, HIGHEST_HZ = 700.0, 7000.0
CHIRPS_A_SECOND = (1.0, 8.0)
CHIRP_SECONDS = (0.03, 0.25)
MOTOR_HZ = (25.0, 400.0)
# A motor's partials as one period of a wave that is read at a changing speed.
TABLE = 1024
MOST_PARTIALS = 40
WOW_HZ = (0.1, 6.0)


def chirps(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """Bursts of a gliding tone between 0.7 and 7 kHz, as of a bird.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> chirps(Draws(seed=1, n=0), 8000, 16000).shape
    (8000,)
    """
    noise = np.zeros(samples, dtype=np.float32)
    rate = draws.between(*CHIRPS_A_SECOND)
    octave = np.log2(HIGHEST_HZ / LOWEST_HZ)
    centre = draws.between(0.2, 0.8)
    count = max(1, round(rate * samples / sample_rate))
    for _ in range(count):
        length = min(int(draws.between(*CHIRP_SECONDS) * sample_rate), samples)
        start = draws.below(samples - length + 1)
        # From one pitch to another within a third of the range around the bird's own.
        first, last = np.clip([centre + draws.between(-1, 1) / 6 for _ in range(2)], 0, 1)
        hertz = LOWEST_HZ * 2 ** (octave * np.linspace(first, last, length, dtype=np.float32))
        hertz = np.minimum(hertz, 0.45 * sample_rate)
        phase = np.cumsum(2 * np.pi / sample_rate * hertz)
        noise[start : start + length] += np.hanning(length).astype(np.float32) * np.sin(phase)
    return noise


def tone(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """One to three steady tones between 0.7 and 7 kHz, each with a slow vibrato and a slow tremolo.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> tone(Draws(seed=1, n=0), 8000, 16000).shape
    (8000,)
    """
    noise = np.zeros(samples, dtype=np.float32)
    time = np.arange(samples, dtype=np.float32) / sample_rate
    for _ in range(1 + draws.below(3)):
        hertz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** draws.number()
        hertz = min(hertz, 0.45 * sample_rate)
        wow = draws.between(*WOW_HZ)
        # The deviation of the phase: 2 % of the pitch at most.
        bend = 0.02 * draws.number() * hertz / wow
        phase = 2 * np.pi * hertz * time + bend * np.sin(2 * np.pi * wow * time, dtype=np.float32)
        tremolo = 1 + draws.number() * np.sin(2 * np.pi * draws.between(*WOW_HZ) * time, dtype=np.float32)
        noise += np.float32(draws.between(0.3, 1)) * tremolo * np.sin(phase, dtype=np.float32)
    return noise


def motor(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """Partials of a pitch between 25 and 400 Hz that wavers, as of an engine, a drill or a fan.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> motor(Draws(seed=1, n=0), 8000, 16000).shape
    (8000,)
    """
    low, high = MOTOR_HZ
    hertz = low * (high / low) ** draws.number()
    drift = draws.between(0.9, 1.1)
    partials = max(1, min(MOST_PARTIALS, int(0.4 * sample_rate / (1.1 * hertz))))
    amplitudes = draws.uniform(partials) / np.arange(1, partials + 1) ** draws.between(0.2, 1.2)
    phases = np.exp(2j * np.pi * draws.uniform(partials))
    period = np.fft.irfft(np.concatenate([[0], amplitudes * phases]), n=TABLE).astype(np.float32)
    speed = hertz * np.linspace(1, drift, samples, dtype=np.float32)
    turns = np.cumsum(speed / sample_rate, dtype=np.float64) % 1
    return np.take(period, (turns * TABLE).astype(np.intp), mode="wrap")


def tonal_noise(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """One of the three, each with the same probability.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> tonal_noise(Draws(seed=1, n=0), 8000, 16000).shape
    (8000,)
    """
    return (chirps, tone, motor)[draws.below(3)](draws, samples, sample_rate)
