"""What an enhancer takes away of the speech itself, by frequency band, and what it leaves of the noise.

Both are needed: who passes everything deletes nothing, and who passes nothing leaves no noise. Means of
quality hide the first, since a missing weak consonant is a small error in power.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sb_resizegan.metrics.pair_score import Context, PairScore

__all__ = ["BANDS_HZ", "SpeechDeletion", "deletion", "deletion_key", "speech_deletion"]

BANDS_HZ = ((0, 1000), (1000, 2000), (2000, 4000), (4000, 8000))
WINDOW_SECONDS = 0.032
SPEECH_DOMINATES_DB = 0.0
WITHIN_DB = 40.0  # of the loudest bin: what lies below is no speech that anybody hears
DELETED_DB = -10.0
NOISE_DOMINATES_DB = -10.0
FAINTEST = 1e-20


class SpeechDeletion(NamedTuple):
    """Shares of deleted speech and the noise that is left."""

    deleted: tuple[float, ...]
    """For each band of ``BANDS_HZ``, the share of its speech bins that were lowered by 10 dB or more, in
    percent; NaN for a band in which speech dominates nowhere."""

    noise_left_db: float
    """Power of the output over that of the input in dB, over the bins where noise dominates by 10 dB; NaN
    where it does so nowhere, or where the output has nothing at all there."""


def deletion_key(band: tuple[int, int]) -> str:
    """Name of the measure of a band.

    Arguments
    ---------
    band : tuple of int
        Edges in Hz.

    Returns
    -------
    str

    Example
    -------
    >>> deletion_key((1000, 2000))
    'deleted_1_2khz_percent'
    """
    return f"deleted_{band[0] // 1000}_{band[1] // 1000}khz_percent"


def speech_deletion(
    clean: NDArray[np.floating],
    noisy: NDArray[np.floating],
    enhanced: NDArray[np.floating],
    sample_rate: int = 16000,
) -> SpeechDeletion:
    """Measures deleted speech and remaining noise in the short-time spectrum.

    A bin counts as speech where speech dominates: the local signal-to-noise ratio, clean speech to noisy
    minus clean, is above 0 dB, and the clean bin lies within 40 dB of the utterance's loudest bin. It is
    deleted where the output lies 10 dB or more below the clean speech. The windows are Hann windows of 32 ms
    that overlap by half. No gain is compensated: an enhancer that lowers all speech by 10 dB deletes all of
    it.

    Arguments
    ---------
    clean, noisy, enhanced : numpy.ndarray
        ``(time,)`` each, of one length, aligned.
    sample_rate : int
        In Hz, at least 16000 for all four bands.

    Returns
    -------
    SpeechDeletion

    Raises
    ------
    ValueError
        If the shapes differ, or the signals are shorter than a window.

    Example
    -------
    >>> random = np.random.default_rng(0)
    >>> clean, noise = random.standard_normal((2, 16000))
    >>> found = speech_deletion(clean, clean + 0.1 * noise, 0.1 * clean)
    >>> found.deleted
    (100.0, 100.0, 100.0, 100.0)
    """
    shapes = [signal.shape for signal in (clean, noisy, enhanced)]
    if len(set(shapes)) > 1 or clean.ndim != 1:
        raise ValueError(f"expected clean, noisy and enhanced (time,) of one length, but got {shapes}")
    size = round(WINDOW_SECONDS * sample_rate)
    if len(clean) < size:
        raise ValueError(f"expected at least a window of {size} samples, but got {len(clean)}")
    speech, mixture, output = (_power(signal, size) for signal in (clean, noisy, enhanced))
    noise = _power(np.asarray(noisy, dtype=np.float64) - clean, size)
    local_snr_db = _decibels(speech) - _decibels(noise)
    is_speech = (local_snr_db > SPEECH_DOMINATES_DB) & (
        _decibels(speech) > _decibels(speech).max() - WITHIN_DB
    )
    is_speech &= speech > FAINTEST
    is_deleted = _decibels(output) - _decibels(speech) <= DELETED_DB
    frequency = np.arange(size // 2 + 1) * (sample_rate / size)
    shares = []
    for low, high in BANDS_HZ:
        band = (frequency >= low) & (frequency < high)
        counted = is_speech[:, band]
        share = 100 * is_deleted[:, band][counted].mean() if counted.any() else np.nan
        shares.append(float(share))
    is_noise = (local_snr_db < NOISE_DOMINATES_DB) & (mixture > FAINTEST)
    left = output[is_noise].sum() / mixture[is_noise].sum() if is_noise.any() else 0.0
    return SpeechDeletion(tuple(shares), float(10 * np.log10(left)) if left > 0 else float("nan"))


def deletion(reference: NDArray[np.floating], estimate: NDArray[np.floating], context: Context) -> PairScore:
    """`speech_deletion` at 16 kHz as a score of a pair.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        ``(time,)``.
    context : Context
        With the noisy speech.

    Returns
    -------
    PairScore
        A figure for each band in which speech dominates anywhere, and ``noise_left_db``.
    """
    if context.noisy is None or len(reference) < WINDOW_SECONDS * 16000:
        return PairScore({}, ["speech deletion: under 32 ms, or no noisy speech to compare with"])
    found = speech_deletion(reference, context.noisy, estimate)
    figures = {deletion_key(band): share for band, share in zip(BANDS_HZ, found.deleted, strict=True)}
    figures["noise_left_db"] = found.noise_left_db
    lacking = [name for name, figure in figures.items() if np.isnan(figure)]
    notes = [f"{', '.join(lacking)}: no such bins"] if lacking else []
    return PairScore({name: figure for name, figure in figures.items() if name not in lacking}, notes)


def _power(signal: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(signal, dtype=np.float64), size)
    return np.abs(np.fft.rfft(frames[:: size // 2] * np.hanning(size + 1)[:-1])) ** 2


def _decibels(power: NDArray[np.floating]) -> NDArray[np.floating]:
    return 10 * np.log10(np.maximum(power, FAINTEST))
