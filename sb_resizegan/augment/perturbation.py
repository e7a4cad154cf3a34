"""What changes a recording's sound: speed, equaliser, bandwidth, gain over time, room."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from sb_resizegan.utils.random import Draws

__all__ = [
    "change_speed",
    "equalise",
    "gain_contour",
    "low_pass_response",
    "room_responses",
]

SPEED_STEPS = 100
SPEED_PADDING = 256
EQUALISER_REACH = 3 / 8
TRANSITION = 0.05
GAIN_CHANGES = 3
LARGEST_CHANGE_DB = 10.0
RAMP_SECONDS = 0.05
EARLY_SECONDS = 0.05
BEFORE_DIRECT_SECONDS = 0.0025


def change_speed(waveform: np.ndarray, percent: int) -> np.ndarray:
    """Plays faster or slower, with the pitch going along.

    Resamples by way of the spectrum: band-limited, and exact but for the last few milliseconds.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    percent : int
        New speed: 110 is a tenth faster and shorter.

    Returns
    -------
    numpy.ndarray
        ``(ceil(time * 100 / percent),)``, float32.

    Example
    -------
    >>> change_speed(np.zeros(1100, dtype=np.float32), 110).shape
    (1000,)
    """
    samples = -(-len(waveform) * SPEED_STEPS // percent)
    # Sizes of percent * unit and 100 * unit are in the ratio of the speeds.
    unit = next_fast_len(-(-(len(waveform) + SPEED_PADDING) // percent))
    spectrum = rfft(waveform, n=percent * unit)
    slower = irfft(spectrum[: SPEED_STEPS * unit // 2 + 1], n=SPEED_STEPS * unit)
    return slower[:samples] * np.float32(SPEED_STEPS / percent)


def equalise(waveform: np.ndarray, draws: Draws) -> np.ndarray:
    """Filters at random, as a microphone or a recording chain might.

    A recursive filter of second order whose coefficients are uniform in ±3/8 (Valin: A Hybrid DSP/Deep
    Learning Approach to Real-Time Full-Band Speech Enhancement, 2018, section on training data).

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    draws : Draws
        Where the random numbers come from.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> equalise(np.zeros(800, dtype=np.float32), Draws(seed=1, n=0)).shape
    (800,)
    """
    coefficients = [draws.between(-EQUALISER_REACH, EQUALISER_REACH) for _ in range(4)]
    forward, backward = np.array([[1.0, *coefficients[:2]], [1.0, *coefficients[2:]]], dtype=np.float32)
    return lfilter(forward, backward, waveform)


def low_pass_response(cutoff_hz: float, sample_rate: int, bins: int) -> np.ndarray:
    """Zero-phase frequency response: 1 up to 5 % below a frequency, 0 from 5 % above it.

    Arguments
    ---------
    cutoff_hz : float
        Where it is 0.5.
    sample_rate : int
        In Hz.
    bins : int
        Frequencies from 0 to half the sampling rate.

    Returns
    -------
    numpy.ndarray
        ``(bins,)``, float32.

    Example
    -------
    >>> low_pass_response(4000, 16000, 9).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    """
    frequency = np.linspace(0, sample_rate / 2, bins)
    place = np.clip((frequency / cutoff_hz - 1) / (2 * TRANSITION) + 0.5, 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * place)).astype(np.float32)


def gain_contour(draws: Draws, samples: int, sample_rate: int) -> np.ndarray:
    """A gain that changes one to three times by up to 10 dB, within 50 ms each.

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
    >>> gain_contour(Draws(seed=1, n=0), 800, 16000).shape
    (800,)
    """
    changes = 1 + draws.below(GAIN_CHANGES)
    times = np.sort([draws.below(samples) for _ in range(changes)])
    gains = np.array([10 ** (draws.between(-LARGEST_CHANGE_DB, 0) / 20) for _ in range(changes + 1)])
    ramp = RAMP_SECONDS * sample_rate
    # Ramps may overlap: their sum still bends at their ends alone.
    knots = np.sort(np.concatenate([times, times + ramp]))
    done = np.clip((knots[:, None] - times) / ramp, 0, 1)
    heights = gains[0] + done @ np.diff(gains)
    return np.interp(np.arange(samples), knots, heights).astype(np.float32)


def room_responses(response: np.ndarray, sample_rate: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits a room's impulse response into what a listener takes for the voice itself, and all of it.

    The direct path is where the response is largest. What comes earlier than 2.5 ms before it is cut off; the
    early part ends 50 ms after it. The direct path has no delay in either spectrum and the gain 1.

    Arguments
    ---------
    response : numpy.ndarray
        ``(time,)``, float32, not silent.
    sample_rate : int
        In Hz.
    size : int
        Of the transform: at least that of signal and response together.

    Returns
    -------
    tuple of numpy.ndarray
        Spectra of the early part and of the whole, each ``(size // 2 + 1,)``, complex64.

    Example
    -------
    >>> response = np.zeros(4000, dtype=np.float32)
    >>> response[[100, 300, 2000]] = 0.5, 0.1, 0.1
    >>> early, whole = room_responses(response, 16000, size=8000)
    >>> irfft(early, n=8000).round(3)[[0, 200, 1900]].tolist()
    [1.0, 0.20..., 0.0]
    >>> irfft(whole, n=8000).round(3)[[0, 200, 1900]].tolist()
    [1.0, 0.20..., 0.20...]
    """
    direct = int(np.abs(response).argmax())
    before = min(direct, round(BEFORE_DIRECT_SECONDS * sample_rate))
    response = response[direct - before :] / response[direct]
    parts = []
    for last in (before + round(EARLY_SECONDS * sample_rate), len(response)):
        # What precedes the direct path lies at the end of the circle.
        circle = np.zeros(size, dtype=np.float32)
        part = response[: min(last, size)]
        circle[: len(part) - before] = part[before:]
        circle[size - before :] = part[:before]
        parts.append(rfft(circle))
    return tuple(parts)
