"""Where in time and frequency a degradation has taken information away.

All masks lie on one grid, that of the spectral generators: frames of 512 samples, 256 apart, centred on the
multiples of 256, and the bins of their Fourier transform. A mask is 0 where everything is still there and 1
where nothing is.

A bin counts as lost where the error that was made is nearly as strong as what stood there before: what was
taken out is then 20 dB down or more, and what was covered lies below what covers it.
"""

import numpy as np

__all__ = ["HOP", "N_FFT", "frames_of", "lost_bands", "lost_between", "lost_stretches", "union_of"]

N_FFT, HOP = 512, 256
BINS = N_FFT // 2 + 1
# Power of the error over that of the signal from which on a bin is lost: 1 dB below equality, so that what
# was removed, whose error is the signal itself, counts in spite of rounding and of the window's leakage.
AS_STRONG = 10 ** (-1 / 10)
# What lies 50 dB below the loudest bin was hardly there to be lost.
AUDIBLE = 10 ** (-50 / 10)
WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


def frames_of(samples: int) -> int:
    """Frames of a signal of so many samples.

    Example
    -------
    >>> frames_of(16000)
    64
    """
    return -(-samples // HOP) + 1


def lost_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What a signal has lost, found by comparing it with what it was.

    Arguments
    ---------
    before, after : numpy.ndarray
        ``(time,)``, float32, aligned and of one level.

    Returns
    -------
    numpy.ndarray
        ``(bins, frames)``, float32, 0 or 1. Nothing is lost where ``before`` is 50 dB below its loudest bin.

    Example
    -------
    >>> speech = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    >>> float(lost_between(speech, speech).max()), bool(lost_between(speech, 0 * speech).mean() > 0.99)
    (0.0, True)
    """
    power = _power(before)
    error = _power(after - before)
    return ((error >= AS_STRONG * power) & (power > AUDIBLE * power.max(initial=0))).astype(np.float32)


def lost_stretches(is_lost: np.ndarray) -> np.ndarray:
    """What is lost where samples are: of each frame the part of its window's energy.

    Arguments
    ---------
    is_lost : numpy.ndarray
        ``(time,)``, bool.

    Returns
    -------
    numpy.ndarray
        ``(bins, frames)``, float32, 0 to 1; all bins of a frame have lost the same.

    Example
    -------
    >>> is_lost = np.zeros(2048, dtype=bool)
    >>> is_lost[768:1280] = True
    >>> lost_stretches(is_lost)[0].round(2).tolist()
    [0.0, 0.0, 0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.0]
    """
    energy = _framed(is_lost.astype(np.float32)) ** 2
    # Beyond the ends there is nothing to be lost.
    whole = _framed(np.ones(len(is_lost), dtype=np.float32)) ** 2
    share = energy.sum(1) / np.maximum(whole.sum(1), 1e-6)
    return np.repeat(share[None].astype(np.float32), BINS, axis=0)


def lost_bands(gain: np.ndarray, samples: int) -> np.ndarray:
    """What a filter takes away, the same in all frames.

    Arguments
    ---------
    gain : numpy.ndarray
        ``(bins,)``, real: the filter's gain from 0 to half the sampling rate.
    samples : int
        Length of the signal.

    Returns
    -------
    numpy.ndarray
        ``(bins, frames)``, float32, 0 or 1.

    Example
    -------
    >>> int(lost_bands(np.linspace(1, 0, 257), 1000)[:, 0].sum())
    28
    """
    lost = (np.square(1 - gain) >= AS_STRONG).astype(np.float32)
    return np.repeat(lost[:, None], frames_of(samples), axis=1)


def union_of(*masks: np.ndarray) -> np.ndarray:
    """What at least one of several masks says is lost.

    Example
    -------
    >>> union_of(np.array([0.0, 0.5]), np.array([1.0, 0.0])).tolist()
    [1.0, 0.5]
    """
    return np.maximum.reduce(masks)


def _framed(waveform: np.ndarray) -> np.ndarray:
    """Windowed frames ``(frames, N_FFT)``."""
    frames = frames_of(len(waveform))
    padded = np.zeros((frames - 1) * HOP + N_FFT, dtype=np.float32)
    padded[HOP : HOP + len(waveform)] = waveform
    places = np.arange(frames)[:, None] * HOP + np.arange(N_FFT)
    return padded[places] * WINDOW


def _power(waveform: np.ndarray) -> np.ndarray:
    return np.square(np.abs(np.fft.rfft(_framed(waveform), axis=1))).T
