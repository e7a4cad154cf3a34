"""What a recording or a line does to speech and noise alike: band limits, clipping, a codec."""

import io
from collections.abc import Sequence

import numpy as np
import soundfile
from scipy.fft import irfft, next_fast_len, rfft

from sb_resizegan.utils.random import Draws

__all__ = ["BANDS_HZ", "CODECS", "aligned", "band_limited", "clipped", "coded"]

# Lower and upper limits in Hz: the telephone (G.712), G.722 and its like, the codecs' common sampling rates.
BANDS_HZ = ((300.0, 3400.0), (200.0, 3800.0), (50.0, 7000.0), (0.0, 4000.0), (0.0, 5500.0), (0.0, 6000.0))
EDGE_HZ = 100.0
PADDING = 512
CLIPPED_DB = (3.0, 15.0)
CODECS = {"opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}
COARSENESS = (0.4, 0.95)
SEARCH = 4096


def band_limited(draws: Draws, waveforms: Sequence[np.ndarray], sample_rate: int) -> list[np.ndarray]:
    """Takes the same band out of several signals, without delay.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from: one of ``BANDS_HZ``.
    waveforms : sequence of numpy.ndarray
        ``(time,)`` each, float32, of one length.
    sample_rate : int
        In Hz.

    Returns
    -------
    list of numpy.ndarray
        ``(time,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> [x.shape for x in band_limited(Draws(seed=1, n=0), [np.zeros(800, dtype=np.float32)], 16000)]
    [(800,)]
    """
    low, high = BANDS_HZ[draws.below(len(BANDS_HZ))]
    samples = len(waveforms[0])
    size = 2 * next_fast_len(-(-(samples + PADDING) // 2), real=True)
    frequency = np.linspace(0, sample_rate / 2, size // 2 + 1, dtype=np.float32)
    response = 0.5 - 0.5 * np.cos(np.pi * np.clip((high - frequency) / EDGE_HZ + 0.5, 0, 1))
    if low:
        response *= 0.5 - 0.5 * np.cos(np.pi * np.clip((frequency - low) / EDGE_HZ + 0.5, 0, 1))
    return [irfft(rfft(x, n=size) * response, n=size)[:samples].astype(np.float32) for x in waveforms]


def clipped(draws: Draws, waveform: np.ndarray) -> np.ndarray:
    """Cuts peaks off, 3 to 15 dB below the highest.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> float(np.abs(clipped(Draws(seed=1, n=0), np.linspace(-1, 1, 9, dtype=np.float32))).max()) < 0.71
    True
    """
    limit = np.abs(waveform).max() * np.float32(10 ** (-draws.between(*CLIPPED_DB) / 20))
    return np.clip(waveform, -limit, limit)


def coded(draws: Draws, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Passes a signal through Opus or MP3 and back, at a quality between the best and the worst.

    What the codec delays is undone: the lag at which its output resembles its input most.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32, at most 1.
    sample_rate : int
        In Hz; one that the codecs know, such as 16000.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> coded(Draws(seed=1, n=0), np.zeros(8000, dtype=np.float32), 16000).shape
    (8000,)
    """
    container, subtype = list(CODECS.values())[draws.below(len(CODECS))]
    coarseness = draws.between(*COARSENESS)
    stream = io.BytesIO()
    soundfile.write(
        stream, waveform, sample_rate, format=container, subtype=subtype, compression_level=coarseness
    )
    stream.seek(0)
    decoded, _ = soundfile.read(stream, dtype="float32")
    return aligned(waveform, decoded)


def aligned(sent: np.ndarray, received: np.ndarray) -> np.ndarray:
    """What came out of a line, moved to where it resembles most what went in, and of the same length.

    Arguments
    ---------
    sent : numpy.ndarray
        ``(time,)``, float32.
    received : numpy.ndarray
        ``(any time,)``, float32; late or early by 4096 samples at most.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32; zeros where nothing came.

    Example
    -------
    >>> aligned(np.array([0, 1, 0, 0], dtype=np.float32), np.array([0, 0, 0, 2], dtype=np.float32)).tolist()
    [0.0, 2.0, 0.0, 0.0]
    """
    lag = _lag(sent, received)
    result = np.zeros_like(sent)
    part = received[lag : lag + len(sent)] if lag >= 0 else received[: len(sent) + lag]
    result[max(-lag, 0) : max(-lag, 0) + len(part)] = part
    return result


def _lag(sent: np.ndarray, received: np.ndarray) -> int:
    """Samples by which ``received`` is late."""
    size = next_fast_len(len(sent) + len(received), real=True)
    likeness = irfft(rfft(received, n=size) * np.conj(rfft(sent, n=size)), n=size)
    if not np.any(likeness):
        return 0
    reach = min(SEARCH, size // 2 - 1)
    near = np.concatenate([likeness[size - reach :], likeness[: reach + 1]])
    return int(near.argmax()) - reach
