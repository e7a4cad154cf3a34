"""What begins, ends or changes its level in the midst of a segment: noise, the recording, the sound."""

import numpy as np

from sb_resizegan.utils.random import Draws

__all__ = ["level_step", "silent_stretch", "switched_gain"]

RAMP_SECONDS = (0.002, 0.05)
MOST_SWITCHES = 3
STEP_DB = (10.0, 30.0)
SILENT_SECONDS = (0.1, 1.0)
FRAME_SECONDS = 0.02
SEARCHED_SECONDS = 0.5


def switched_gain(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """A gain of one and zero in turns, with one to three switches: noise that starts and stops.

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
        ``(samples,)``, float32, 0 to 1.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> gain = switched_gain(Draws(seed=1, n=0), 16000, 16000)
    >>> float(gain.min()), float(gain.max())
    (0.0, 1.0)
    """
    times = np.sort([draws.between(0.1, 0.9) * samples for _ in range(1 + draws.below(MOST_SWITCHES))])
    ramp = draws.between(*RAMP_SECONDS) * sample_rate
    knots = np.concatenate([[time, time + ramp] for time in times])
    first = draws.below(2)
    states = (first + np.arange(len(times) + 1)) % 2
    heights = np.repeat(states, 2)[1:-1]
    # Switches that lie within a ramp of each other: the later ones wait.
    knots = np.maximum.accumulate(knots)
    return np.interp(np.arange(samples), knots, heights).astype(np.float32)


def level_step(draws: Draws, speech: np.ndarray, sample_rate: int) -> np.ndarray:
    """A gain that is 10 to 30 dB lower before or behind a quiet moment of the speech.

    The quiet moment is the faintest 20 ms within half a second of one that is drawn; there, a ramp of 20 ms
    leads from one level to the other.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    speech : numpy.ndarray
        ``(time,)``.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32, at most 1.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> gain = level_step(Draws(seed=1, n=0), np.ones(16000, dtype=np.float32), 16000)
    >>> bool(-30 <= 20 * np.log10(gain.min()) <= -10), float(gain.max())
    (True, 1.0)
    """
    frame = int(FRAME_SECONDS * sample_rate)
    frames = len(speech) // frame
    lower = 10 ** (-draws.between(*STEP_DB) / 20)
    place, falls = draws.between(0.2, 0.8), draws.chance(0.5)
    energy = np.square(speech[: frames * frame]).reshape(frames, frame).sum(1)
    reach = max(1, int(SEARCHED_SECONDS / FRAME_SECONDS) // 2)
    first = max(int(place * frames) - reach, 0)
    quiet = first + int(energy[first : int(place * frames) + reach].argmin()) if frames else 0
    heights = (1.0, lower) if falls else (lower, 1.0)
    return np.interp(np.arange(len(speech)), (quiet * frame, (quiet + 1) * frame), heights).astype(np.float32)


def silent_stretch(draws: Draws, samples: int, sample_rate: int) -> slice:
    """Where a recording holds digital silence: a tenth of a second to one second at an end, or in between.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length of the segment; the silence takes a third of it at most.
    sample_rate : int
        In Hz.

    Returns
    -------
    slice
        The stretch.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> stretch = silent_stretch(Draws(seed=1, n=0), 64000, 16000)
    >>> 1600 <= stretch.stop - stretch.start <= 16000
    True
    """
    length = min(int(draws.between(*SILENT_SECONDS) * sample_rate), samples // 3)
    place, anywhere = draws.below(3), draws.below(samples - length + 1)
    start = (0, samples - length, anywhere)[place]
    return slice(start, start + length)
