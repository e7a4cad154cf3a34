"""Late reverberation that the target does not have.

Source
------
The tail where there is no recorded one: J.-D. Polack, "La transmission de l'énergie sonore dans les salles",
1988: Gaussian noise that decays exponentially.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from sb_resizegan.augment.lost_information import lost_between
from sb_resizegan.augment.noise import coloured_noise
from sb_resizegan.augment.perturbation import EARLY_SECONDS, room_responses
from sb_resizegan.utils.random import Draws

__all__ = ["reverberate"]

T60_SECONDS = (0.2, 1.2)
# A wall takes high frequencies first.
TAIL_COLOUR = 0.5


def reverberate(
    draws: Draws,
    waveform: np.ndarray,
    sample_rate: int,
    early_over_late_db: tuple[float, float],
    response: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Puts speech into a room; the target keeps the direct path and 50 ms of reflections.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    early_over_late_db : tuple of float
        Range of the energy of the early part over that of the late part, in dB.
    response : numpy.ndarray, optional
        Impulse response of a room, ``(time,)``; its late part is brought to the ratio drawn. Without one, or
        where it has no late part, the late part is noise that decays by 60 dB within 0.2 to 1.2 s.

    Returns
    -------
    target : numpy.ndarray
        ``(time,)``, float32, with the early part alone.
    heard : numpy.ndarray
        ``(time,)``, float32, with the late part.
    lost : numpy.ndarray
        ``(bins, frames)``, float32: where the late part covers the target.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> click = np.zeros(16000, dtype=np.float32)
    >>> click[100] = 1
    >>> target, heard, _ = reverberate(Draws(seed=1, n=0), click, 16000, (6, 6))
    >>> late = heard - target
    >>> bool(np.abs(late[:900]).max() < 1e-5), round(10 * np.log10(np.sum(target**2) / np.sum(late**2)))
    (True, 6)
    """
    ratio_db, t60 = draws.between(*early_over_late_db), draws.between(*T60_SECONDS)
    tail_samples = len(response) if response is not None else round(t60 * sample_rate)
    size = 2 * next_fast_len(-(-(len(waveform) + tail_samples + sample_rate) // 2), real=True)
    early: np.ndarray | None = None
    late: np.ndarray | None = None
    if response is not None:
        early, whole = room_responses(response, sample_rate, size)
        late = irfft(whole - early, n=size)
        early = irfft(early, n=size)
    if late is None or not np.any(late):
        late = _tail(draws, sample_rate, t60, size)
        early = np.zeros(size, dtype=np.float32) if early is None else early
        early[0] = early[0] or 1
    assert early is not None  # as late is
    gain = np.sqrt(np.sum(np.square(early)) / np.sum(np.square(late))) * 10 ** (-ratio_db / 20)
    spectrum = rfft(waveform, n=size)
    target, added = (
        irfft(spectrum * rfft(part), n=size)[: len(waveform)].astype(np.float32)
        for part in (early, np.float32(gain) * late)
    )
    return target, target + added, lost_between(target, target + added)


def _tail(draws: Draws, sample_rate: int, t60: float, size: int) -> np.ndarray:
    """Decaying noise, from 50 ms on."""
    first, count = round(EARLY_SECONDS * sample_rate), round(t60 * sample_rate)
    decay = 10 ** (-3 * np.arange(count) / count)
    tail = np.zeros(size, dtype=np.float32)
    part = coloured_noise(draws, count, sample_rate, TAIL_COLOUR) * decay
    tail[first : first + count] = part
    return tail
