"""Reading any audio file as one channel of finite samples, writing one, resampling, low-pass filter."""

import math
import os
import stat
from numbers import Real

import numpy as np
import soundfile
from scipy.signal import firwin, kaiserord, oaconvolve, resample_poly

from sb_resizegan.utils.files import replacing

__all__ = [
    "UnusableAudioError",
    "audio_blocks",
    "check_lowpass",
    "low_pass",
    "mono_blocks",
    "read_mono",
    "resample",
    "resampling_filter",
    "write_audio",
]

BLOCK_FRAMES = 1 << 20
STOPBAND_DB = 90.0
# Speech has some −10 dB above 1.8 kHz: what is left of it lies near −70 dB, about where 12 bits end.
LOWPASS_STOPBAND_DB = 60.0


class UnusableAudioError(ValueError):
    """A file that holds no usable audio.

    Arguments
    ---------
    reason : str
        In a word or two: "corrupt", "empty", "not finite", "unreadable".
    path : str or Path
        The file.
    detail : str
        What was found.
    """

    def __init__(self, reason, path, detail):
        super().__init__(f"{path}: {reason}: {detail}")
        self.reason = reason


def audio_blocks(path, block_frames=BLOCK_FRAMES):
    """Yields a file's audio block by block, so that a file of hours needs little memory.

    Arguments
    ---------
    path : str or Path
        Anything that libsndfile reads: wav, flac, ogg, mp3, …
    block_frames : int
        Most samples of each channel in a block.

    Yields
    ------
    tuple
        Samples, a float32 array ``(time, channels)``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        If the file cannot be opened or decoded to its end, is empty, or holds NaN or Inf.

    Example
    -------
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> [(block.shape, rate) for block, rate in audio_blocks(path, 500)]
    [((500, 2), 8000), ((300, 2), 8000)]
    """
    try:
        # Opening a pipe would wait for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnusableAudioError("unreadable", path, "not a regular file")
        with open(path, "rb") as stream:
            if not stream.read(1):
                raise UnusableAudioError("empty", path, "0 bytes")
    except OSError as error:
        raise UnusableAudioError("unreadable", path, error.strerror) from error
    try:
        # Names need not be valid unicode: the bytes always are what the system knows.
        with soundfile.SoundFile(os.fsencode(path)) as audio:
            if audio.frames == 0:
                raise UnusableAudioError("empty", path, "0 samples")
            left = audio.frames
            for block in audio.blocks(block_frames, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    raise UnusableAudioError("not finite", path, "NaN or Inf among the samples")
                left -= len(block)
                yield block, audio.samplerate
            if left > 0:
                raise UnusableAudioError("corrupt", path, f"ends {left} samples before its header says")
    except soundfile.SoundFileError as error:
        raise UnusableAudioError("corrupt", path, str(error)) from error
    except TypeError as error:  # samples without a header
        raise UnusableAudioError("unreadable", path, str(error)) from error


def mono_blocks(path, channel=None):
    """Yields a file's audio as one channel, block by block.

    Arguments
    ---------
    path : str or Path
        Anything that libsndfile reads.
    channel : int, optional
        The one channel to read, from 0; by default all are averaged.

    Yields
    ------
    tuple
        Samples, a float32 array of at most ``BLOCK_FRAMES``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        See ``audio_blocks``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> [(block.shape, rate) for block, rate in mono_blocks(path)]
    [((800,), 8000)]
    """
    for block, rate in audio_blocks(path):
        yield block.mean(axis=1) if channel is None else block[:, channel], rate


def read_mono(path, channel=None):
    """Reads a whole file as one channel.

    Arguments
    ---------
    path : str or Path
        Audio file.
    channel : int, optional
        See ``mono_blocks``.

    Returns
    -------
    tuple
        Samples, a float32 array ``(time,)``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        See ``audio_blocks``.

    Example
    -------
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.full((800, 2), [0.5, 0.0]), 8000)
    >>> waveform, rate = read_mono(path)
    >>> waveform.shape, float(waveform[0])
    ((800,), 0.25)
    """
    blocks, rates = zip(*mono_blocks(path, channel), strict=True)
    return np.concatenate(blocks), rates[0]


def resample(waveform, rate, new_rate):
    """Resamples with a zero-phase Kaiser filter, stop-band 90 dB, −6 dB at the lower Nyquist frequency.

    A polyphase filter in factored form serves any pair of rates, coprime ones too, with little memory.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    rate, new_rate : int
        Sampling rates in Hz.

    Returns
    -------
    numpy.ndarray
        ``(ceil(time * new_rate / rate),)``, float32.

    Example
    -------
    >>> resample(np.zeros(44100, dtype=np.float32), 44100, 16000).shape
    (16000,)
    """
    if rate == new_rate:
        return waveform
    up, down, taps = resampling_filter(rate, new_rate)
    return resample_poly(waveform, up, down, window=taps).astype(np.float32, copy=False)


def resampling_filter(rate, new_rate):
    """The factors and the filter of ``resample``.

    Arguments
    ---------
    rate, new_rate : int
        Sampling rates in Hz.

    Returns
    -------
    up, down : int
        Without a common divisor.
    taps : numpy.ndarray
        Symmetric, at ``up * rate`` Hz, float32.

    Example
    -------
    >>> up, down, taps = resampling_filter(48000, 16000)
    >>> up, down, taps.shape
    (1, 3, (193,))
    """
    divisor = math.gcd(rate, new_rate)
    up, down = new_rate // divisor, rate // divisor
    taps = firwin(
        2 * 32 * max(up, down) + 1, 1 / max(up, down), window=("kaiser", 0.1102 * (STOPBAND_DB - 8.7))
    )
    return up, down, taps.astype(np.float32)


def check_lowpass(lowpass_hz, sample_rate):
    """Checks a low-pass setting before any work is done with it.

    Arguments
    ---------
    lowpass_hz : float or None
        Cut-off frequency in Hz; None stands for the full band.
    sample_rate : int
        In Hz.

    Raises
    ------
    ValueError
        If it isn't a number above 0 and at most half the sampling rate.

    Example
    -------
    >>> check_lowpass(1500, 16000)
    >>> check_lowpass(9000, 16000)
    Traceback (most recent call last):
    ...
    ValueError: lowpass_hz: expected null or a number above 0 and at most 8000 (half the rate), but got 9000
    """
    if lowpass_hz is None:
        return
    is_number = isinstance(lowpass_hz, Real) and not isinstance(lowpass_hz, bool)
    if not (is_number and 0 < lowpass_hz <= sample_rate / 2):
        raise ValueError(
            f"lowpass_hz: expected null or a number above 0 and at most {sample_rate / 2:g} (half the rate), "
            f"but got {lowpass_hz!r}"
        )


def low_pass(waveform, sample_rate, lowpass_hz):
    """Removes what lies above a frequency and delays nothing.

    A symmetric (linear-phase) Kaiser filter applied centred: −6 dB at ``lowpass_hz``, 60 dB down from 5 %
    (at least 25 Hz) above it, flat up to as much below. Meant for whole utterances: windows cut of the
    result have no edges of their own.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    lowpass_hz : float or None
        Cut-off frequency in Hz, at most half the sampling rate; None passes everything.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Raises
    ------
    ValueError
        If ``lowpass_hz`` is out of range.

    Example
    -------
    >>> time = np.arange(16000) / 16000
    >>> low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 2000 * time)
    >>> filtered = low_pass((low + high).astype(np.float32), 16000, 1500)
    >>> bool(np.abs(filtered - low)[1000:-1000].max() < 2e-3)
    True
    """
    check_lowpass(lowpass_hz, sample_rate)
    if lowpass_hz is None or lowpass_hz == sample_rate / 2:
        return waveform
    transition_hz = max(0.1 * lowpass_hz, 50.0)
    taps, beta = kaiserord(LOWPASS_STOPBAND_DB, transition_hz / (sample_rate / 2))
    kernel = firwin(taps | 1, lowpass_hz, window=("kaiser", beta), fs=sample_rate).astype(np.float32)
    half = len(kernel) // 2
    return oaconvolve(waveform, kernel)[half : half + len(waveform)].astype(np.float32, copy=False)


def write_audio(path, waveform, sample_rate):
    """Writes a mono 16-bit sound file; nobody ever sees half of it.

    Arguments
    ---------
    path : str or Path
        The file; the folder is made if it is not there.
    waveform : torch.Tensor
        ``(time,)`` in [-1, 1].
    sample_rate : int
        In Hz.
    """
    with replacing(path) as temporary:
        soundfile.write(temporary, waveform.numpy(), sample_rate, subtype="PCM_16")
