"""The one reader of sound files: all that a file holds, or an error that names it.

Every part of the package reads recordings here. A file is read to its end, block by block, and what comes out
is compared with what the file declares (`sb_resizegan.dataio.containers`).
"""

import math
import os
from collections.abc import Iterator

import numpy as np

from sb_resizegan.dataio.decoder import AudioHeader, audio_header, check_length, check_sound, opened
from sb_resizegan.dataio.resampling import resample, resampled_blocks
from sb_resizegan.dataio.unusable import UnusableAudioError

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioHeader",
    "UnusableAudioError",
    "audio_blocks",
    "audio_header",
    "count_frames",
    "mono_blocks",
    "read_mono",
    "read_signal",
    "signal_blocks",
]

# Endings of the files that are looked for in folders: by training, enhancing, scoring and measuring alike.
AUDIO_SUFFIXES = frozenset(
    (
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus"),
        *(".rf64", ".snd", ".sph", ".w64", ".wav"),
    )
)
BLOCK_VALUES = 1 << 20  # samples of all channels in a block


def audio_blocks(
    path: str | os.PathLike, block_frames: int | None = None
) -> Iterator[tuple[np.ndarray, int]]:
    """Yields a file's audio block by block, so that a file of hours needs little memory.

    Wav (RIFF, RIFX, RF64, W64), aiff, au, caf, NIST, flac, ogg (Vorbis, Opus, flac) and mp3 are read, at 1 to
    400 kHz, with up to 256 channels. Sizes of 0 or of all ones in a header mean that the recording reaches to
    the file's end.

    Arguments
    ---------
    path : str or Path
        A file; pipes and devices are refused.
    block_frames : int, optional
        Most samples of each channel in a block; by default 2 ** 20 of all channels together.

    Yields
    ------
    tuple
        Samples, a float32 array ``(time, channels)``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        If the file cannot be opened or decoded to its end, if less comes out than it holds or declares, if it
        is empty or holds NaN or Inf, or if its header is absurd. The error may come after some blocks.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> [(block.shape, rate) for block, rate in audio_blocks(path, 500)]
    [((500, 2), 8000), ((300, 2), 8000)]
    """
    with opened(path) as decoder:
        header = decoder.header
        most = max(1, BLOCK_VALUES // header.channels)
        size = most if block_frames is None else min(block_frames, most)
        total = sounding = 0
        while True:
            block = np.empty((size, header.channels), dtype=np.float32)
            # `SoundFile.read` would stop where the header says, and ask for a seek after each block.
            count = decoder.audio.buffer_read_into(block, "float32")
            if count == 0:
                break
            block, total = block[:count], total + count
            check_length(path, header._replace(frames=total))
            if header.frames is not None and total > header.frames:
                raise UnusableAudioError(
                    "corrupt", path, f"holds more than the {header.frames} samples that its header says"
                )
            if block.any():
                sounding += count
                check_sound(path, header, sounding)
            if not np.isfinite(block).all():
                raise UnusableAudioError("not finite", path, "NaN or Inf among the samples")
            yield block, header.samplerate
        if decoder.source.error is not None:
            raise UnusableAudioError("unreadable", path, decoder.source.error.strerror)
        if header.frames is not None and total < header.frames:
            raise UnusableAudioError(
                "corrupt", path, f"ends {header.frames - total} samples before its header says"
            )
        if total == 0:
            raise UnusableAudioError("empty", path, "0 samples")


def count_frames(path: str | os.PathLike) -> int:
    """Samples of each channel of a file: what its header declares, or else what comes out of it.

    Arguments
    ---------
    path : str or Path
        See `audio_blocks`.

    Returns
    -------
    int

    Raises
    ------
    UnusableAudioError
        See `audio_blocks`.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> count_frames(path)
    800
    """
    frames = audio_header(path).frames
    return sum(len(block) for block, _ in audio_blocks(path)) if frames is None else frames


def mono_blocks(path: str | os.PathLike, channel: int | None = None) -> Iterator[tuple[np.ndarray, int]]:
    """Yields a file's audio as one channel, block by block.

    Arguments
    ---------
    path : str or Path
        See `audio_blocks`.
    channel : int, optional
        The one channel to read, from 0; by default all are averaged.

    Yields
    ------
    tuple
        Samples, a float32 array of at most ``BLOCK_VALUES``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        See `audio_blocks`.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> [(block.shape, rate) for block, rate in mono_blocks(path)]
    [((800,), 8000)]
    """
    for block, rate in audio_blocks(path):
        yield block.mean(axis=1) if channel is None else block[:, channel], rate


def read_mono(path: str | os.PathLike, channel: int | None = None) -> tuple[np.ndarray, int]:
    """Reads a whole file as one channel.

    Arguments
    ---------
    path : str or Path
        Audio file.
    channel : int, optional
        See `mono_blocks`.

    Returns
    -------
    tuple
        Samples, a float32 array ``(time,)``, and the sampling rate in Hz.

    Raises
    ------
    UnusableAudioError
        See `audio_blocks`.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.full((800, 2), [0.5, 0.0]), 8000)
    >>> waveform, rate = read_mono(path)
    >>> waveform.shape, float(waveform[0])
    ((800,), 0.25)
    """
    blocks, rates = zip(*mono_blocks(path, channel), strict=True)
    return np.concatenate(blocks), rates[0]


def read_signal(path: str | os.PathLike, sample_rate: int, channel: int | None = None) -> np.ndarray:
    """Reads a whole file as one channel at a sampling rate; the memory is that of the result.

    Arguments
    ---------
    path : str or Path
        Audio file.
    sample_rate : int
        In Hz, of the result.
    channel : int, optional
        See `mono_blocks`.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.

    Raises
    ------
    UnusableAudioError
        See `audio_blocks`; also where samples are too large to be resampled.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((44100, 2)), 44100)
    >>> read_signal(path, 16000).shape
    (16000,)
    """
    frames = count_frames(path)
    if frames <= BLOCK_VALUES:
        waveform = resample(*read_mono(path, channel), sample_rate)
    else:
        rate = audio_header(path).samplerate
        waveform = np.empty(math.ceil(frames * sample_rate / rate), dtype=np.float32)
        done = 0
        for block in signal_blocks(path, sample_rate, channel):
            waveform[done : done + len(block)] = block
            done += len(block)
    _check_finite(path, waveform)
    return waveform


def signal_blocks(
    path: str | os.PathLike, sample_rate: int, channel: int | None = None, offset: float = 0.0
) -> Iterator[np.ndarray]:
    """Yields a file as one channel at a sampling rate, block by block.

    Arguments
    ---------
    path : str or Path
        Audio file.
    sample_rate : int
        In Hz, of the blocks.
    channel : int, optional
        See `mono_blocks`.
    offset : float
        Subtracted from every sample before it is resampled.

    Yields
    ------
    numpy.ndarray
        ``(time,)``, float32.

    Raises
    ------
    UnusableAudioError
        As `read_signal`.

    Example
    -------
    >>> import soundfile
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.zeros((44100, 2)), 44100)
    >>> sum(len(block) for block in signal_blocks(path, 16000))
    16000
    """
    rate = audio_header(path).samplerate
    columns = ((block - np.float32(offset))[:, None] for block, _ in mono_blocks(path, channel))
    for block in resampled_blocks(columns, rate, sample_rate):
        _check_finite(path, block)
        yield block[:, 0]


def _check_finite(path: str | os.PathLike, waveform: np.ndarray) -> None:
    if not np.isfinite([waveform.min(), waveform.max()]).all():
        raise UnusableAudioError("not finite", path, "samples too large to be resampled")
