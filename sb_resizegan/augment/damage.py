"""What takes a part of a signal away: band limits, hard and soft clipping, coarse samples.

Each function gives the damaged signal and a mask of what was lost (`lost_information`). None of them delays
the signal or changes the level of what it leaves.
"""

import numpy as np
from scipy import signal
from scipy.fft import irfft, next_fast_len, rfft

from sb_resizegan.augment.lost_information import N_FFT, lost_bands, lost_between
from sb_resizegan.utils.random import Draws

__all__ = ["FILTERS", "clip_hard", "clip_soft", "limit_band", "quantise_mu_law"]

Damaged = tuple[np.ndarray, np.ndarray]

FILTERS = ("butterworth", "chebyshev", "inverse chebyshev", "elliptic", "brick wall")
ORDERS = (4, 10)
RIPPLE_DB, STOP_DB = 0.5, 60.0
EDGE_HZ = 100.0
PADDING = 1024
MU = 255.0


def limit_band(
    draws: Draws, waveform: np.ndarray, sample_rate: int, cutoff_hz: tuple[float, float]
) -> Damaged:
    """Takes the upper band away with one of several filters: what they pass and how steep they are differs.

    Of a Butterworth, a Chebyshev, an inverse Chebyshev or an elliptic low-pass filter of order 4 to 10 the
    magnitude is taken, without its phase; the fifth is a brick wall of 100 Hz.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    cutoff_hz : tuple of float
        Range of the frequency up to which the signal stays, in Hz, below half the sampling rate.

    Returns
    -------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    lost : numpy.ndarray
        ``(bins, frames)``, float32: the bins that are 20 dB down or more.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> white = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    >>> _, lost = limit_band(Draws(seed=1, n=0), white, 16000, (2000, 2000))
    >>> float(lost[:60].max()), float(lost[-20:].min())
    (0.0, 1.0)
    """
    cutoff = draws.between(*cutoff_hz)
    name, order = FILTERS[draws.below(len(FILTERS))], ORDERS[0] + draws.below(ORDERS[1] - ORDERS[0] + 1)
    size = 2 * next_fast_len(-(-(len(waveform) + PADDING) // 2), real=True)
    gain = _gain(name, order, cutoff, sample_rate, size // 2 + 1)
    limited = irfft(rfft(waveform, n=size) * gain, n=size)[: len(waveform)].astype(np.float32)
    bins = np.linspace(0, len(gain) - 1, N_FFT // 2 + 1).round().astype(int)
    return limited, lost_bands(gain[bins], len(waveform))


def clip_hard(draws: Draws, waveform: np.ndarray, sample_rate: int, below_db: tuple[float, float]) -> Damaged:
    """Cuts off what exceeds a limit.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz; not used.
    below_db : tuple of float
        Range of how far the limit lies below the highest peak, in dB.

    Returns
    -------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    lost : numpy.ndarray
        ``(bins, frames)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> ramp = np.linspace(-1, 1, 2001, dtype=np.float32)
    >>> round(float(clip_hard(Draws(seed=1, n=0), ramp, 16000, (20, 20))[0].max()), 6)
    0.1
    """
    del sample_rate
    limit = _limit(draws, waveform, below_db)
    heard = np.clip(waveform, -limit, limit)
    return heard, lost_between(waveform, heard)


def clip_soft(draws: Draws, waveform: np.ndarray, sample_rate: int, below_db: tuple[float, float]) -> Damaged:
    """Presses peaks together, as an overdriven amplifier does: ``limit * tanh(x / limit)``.

    Arguments and result are those of `clip_hard()`; what is small keeps its level.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> ramp = np.linspace(-1, 1, 2001, dtype=np.float32)
    >>> heard = clip_soft(Draws(seed=1, n=0), ramp, 16000, (20, 20))[0]
    >>> round(float(heard[1001]), 6), round(float(heard[2000]), 6)
    (0.001, 0.1)
    """
    del sample_rate
    limit = _limit(draws, waveform, below_db)
    heard = limit * np.tanh(waveform / limit) if limit else waveform.copy()
    return heard, lost_between(waveform, heard)


def quantise_mu_law(
    draws: Draws, waveform: np.ndarray, sample_rate: int, bits: tuple[float, float]
) -> Damaged:
    """Samples of a few bits, spaced by G.711's μ-law.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32, at most 1.
    sample_rate : int
        In Hz; not used.
    bits : tuple of float
        Range of the bits of a sample; the telephone has 8. The number drawn need not be whole.

    Returns
    -------
    waveform : numpy.ndarray
        ``(time,)``, float32. Silence stays silence.
    lost : numpy.ndarray
        ``(bins, frames)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> ramp = np.linspace(-1, 1, 2001, dtype=np.float32)
    >>> len(set(quantise_mu_law(Draws(seed=1, n=0), ramp, 16000, (4, 4))[0].tolist()))
    15
    """
    del sample_rate
    # An odd number of steps, so that zero is one of them.
    steps = max(1, int(2 ** draws.between(*bits) - 1) // 2)
    pressed = np.sign(waveform) * np.log1p(MU * np.abs(waveform)) / np.log1p(MU)
    pressed = np.round(pressed * steps) / steps
    heard = (np.sign(pressed) * np.expm1(np.abs(pressed) * np.log1p(MU)) / MU).astype(np.float32)
    return heard, lost_between(waveform, heard)


def _limit(draws: Draws, waveform: np.ndarray, below_db: tuple[float, float]) -> np.floating:
    return np.abs(waveform).max() * np.float32(10 ** (-draws.between(*below_db) / 20))


def _gain(name: str, order: int, cutoff_hz: float, sample_rate: int, bins: int) -> np.ndarray:
    """Magnitude of a low-pass filter at ``bins`` frequencies from 0 to half the sampling rate, float32."""
    frequency = np.linspace(0, sample_rate / 2, bins)
    if name == "brick wall":
        place = np.clip((frequency - cutoff_hz) / EDGE_HZ + 0.5, 0, 1)
        return (0.5 + 0.5 * np.cos(np.pi * place)).astype(np.float32)
    # Where an inverse Chebyshev filter's stop band begins if half the power is to pass at the cutoff.
    wide = np.cosh(np.arccosh(np.sqrt(10 ** (STOP_DB / 10) - 1)) / order)
    stop_hz = np.arctan(np.tan(np.pi * cutoff_hz / sample_rate) * wide) * sample_rate / np.pi
    design = {
        "butterworth": lambda: signal.butter(order, cutoff_hz, fs=sample_rate, output="sos"),
        "chebyshev": lambda: signal.cheby1(order, RIPPLE_DB, cutoff_hz, fs=sample_rate, output="sos"),
        "inverse chebyshev": lambda: signal.cheby2(order, STOP_DB, stop_hz, fs=sample_rate, output="sos"),
        "elliptic": lambda: signal.ellip(order, RIPPLE_DB, STOP_DB, cutoff_hz, fs=sample_rate, output="sos"),
    }
    _, response = signal.sosfreqz(design[name](), worN=frequency, fs=sample_rate)
    return np.abs(response).astype(np.float32)
