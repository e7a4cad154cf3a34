"""Passes through speech and music codecs at a stated rate, aligned with what went in.

Each function gives what the codec leaves and a mask of what was lost (`lost_information`).
"""

import functools
import io
from collections.abc import Callable

import numpy as np
import soundfile

from sb_resizegan.augment.channels import aligned
from sb_resizegan.augment.lost_information import lost_between
from sb_resizegan.utils.extras import require
from sb_resizegan.utils.random import Draws

__all__ = ["G722_KBITS", "pass_g722", "pass_mp3", "pass_opus"]

# libsndfile maps its compression level from 0 to 1 onto these, in kbit/s for a channel (Opus: nominal).
OPUS_HIGHEST, OPUS_SPAN = 256.0, 250.0
MP3_HIGHEST = 160.0  # of MPEG-2, which 16 kHz has
G722_KBITS = (48, 56, 64)


def pass_opus(
    draws: Draws, waveform: np.ndarray, sample_rate: int, kbits: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Passes a signal through Opus.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32, at most 1.
    sample_rate : int
        In Hz; one that the codec knows, such as 16000.
    kbits : tuple of float
        Range of the nominal rate in kbit/s, from 6.

    Returns
    -------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    lost : numpy.ndarray
        ``(bins, frames)``, float32.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> heard, lost = pass_opus(Draws(seed=1, n=0), np.zeros(8000, dtype=np.float32), 16000, (8, 8))
    >>> heard.shape, lost.shape, float(lost.max())
    ((8000,), (257, 33), 0.0)
    """
    level = (OPUS_HIGHEST - draws.between(*kbits)) / OPUS_SPAN
    return _passed(
        functools.partial(_through_file, kind=("OGG", "OPUS"), level=level, mode=None), waveform, sample_rate
    )


def pass_mp3(
    draws: Draws, waveform: np.ndarray, sample_rate: int, kbits: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Passes a signal through MP3 at a constant rate; see `pass_opus()`.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> pass_mp3(Draws(seed=1, n=0), np.zeros(8000, dtype=np.float32), 16000, (16, 16))[0].shape
    (8000,)
    """
    level = 1 - draws.between(*kbits) / MP3_HIGHEST
    kind = ("MP3", "MPEG_LAYER_III")
    return _passed(
        functools.partial(_through_file, kind=kind, level=level, mode="CONSTANT"), waveform, sample_rate
    )


def pass_g722(
    draws: Draws, waveform: np.ndarray, sample_rate: int, kbits: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Passes a signal through G.722, with the package ``G722``; see `pass_opus()`.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32, at most 1.
    sample_rate : int
        16000 Hz, the codec's own.
    kbits : tuple of float
        Range in kbit/s; one of the codec's rates within it, 48, 56 and 64, is drawn.

    Returns
    -------
    waveform, lost : numpy.ndarray
        As those of `pass_opus()`.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    ValueError
        For another sampling rate, or a range without any of the rates.
    """
    rates = [rate for rate in G722_KBITS if kbits[0] <= rate <= kbits[1]]
    if sample_rate != 16000 or not rates:
        raise ValueError(
            f"g722: expected 16000 Hz and a range of kbit/s with one of {G722_KBITS} in it, "
            f"but got {sample_rate} Hz and {kbits}"
        )
    require(["G722"], "train", "g722")
    rate = rates[draws.below(len(rates))]
    return _passed(functools.partial(_through_g722, kbits=rate), waveform, sample_rate)


def _passed(codec: Callable, waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    heard = aligned(waveform, codec(waveform, sample_rate))
    return heard, lost_between(waveform, heard)


def _through_file(
    waveform: np.ndarray, sample_rate: int, kind: tuple[str, str], level: float, mode: str | None
) -> np.ndarray:
    container, subtype = kind
    stream = io.BytesIO()
    soundfile.write(
        stream, waveform, sample_rate, format=container, subtype=subtype,
        compression_level=float(np.clip(level, 0, 1)), bitrate_mode=mode,
    )  # fmt: skip
    stream.seek(0)
    return soundfile.read(stream, dtype="float32")[0]


def _through_g722(waveform: np.ndarray, sample_rate: int, kbits: int) -> np.ndarray:
    from G722 import G722  # built from C, and needed here alone

    # The encoder takes whole pairs of samples.
    samples = np.pad(waveform, (0, len(waveform) % 2))
    words = np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)
    coded = bytes(G722(sample_rate, 1000 * kbits).encode(words))
    return np.asarray(G722(sample_rate, 1000 * kbits).decode(coded), dtype=np.float32) / 32768
