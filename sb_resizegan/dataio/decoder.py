"""Opening a sound file: its decoder, and what it says of itself, checked."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import soundfile

from sb_resizegan.dataio.containers import inspect_container
from sb_resizegan.dataio.contents import Contents, DamagedError, FileBytes
from sb_resizegan.dataio.sinks import TAGS
from sb_resizegan.dataio.unusable import UnusableAudioError

__all__ = ["AudioHeader", "Decoder", "audio_header", "check_length", "check_sound", "opened"]

# What lies beyond these is no recording of sound: a damaged header, or a file made to exhaust its reader.
RATES = (1000, 400_000)  # Hz
MOST_CHANNELS = 256
# Silence can be packed without limit: a file may hold so much, and more by its size.
MOST_VALUES, MOST_VALUES_PER_BYTE = 100_000_000, 100  # samples of all channels
MOST_SECONDS, MOST_SECONDS_PER_BYTE = 7200, 0.004
# So can what is nearly silent, which takes the work of sound: less of it is allowed. Speech of 6 kbit/s, the
# densest there is, decodes to 64 samples a byte.
MOST_SOUNDING_VALUES = 20_000_000
UNKNOWN_FRAMES = 1 << 62  # libsndfile's word for a length that it does not know is above


class AudioHeader(NamedTuple):
    """What a sound file says of itself.

    Arguments
    ---------
    name : str
        The file.
    samplerate : int
        In Hz.
    channels : int
        How many.
    frames : int or None
        Samples of each channel; None where only decoding it tells.
    format, subtype : str
        In libsndfile's words.
    size : int
        Bytes of the file.
    tags : dict
        Title, artist, date, comment and the like, as text by libsndfile's names; those that are there.
    """

    name: str
    samplerate: int
    channels: int
    frames: int | None
    format: str
    subtype: str
    size: int = 0
    tags: Mapping[str, str] = MappingProxyType({})

    @property
    def seconds(self) -> float | None:
        """Length; None where only decoding it tells."""
        return None if self.frames is None else self.frames / self.samplerate


def audio_header(path: str | os.PathLike) -> AudioHeader:
    """Reads what a sound file says of itself, and checks it against the file's size.

    Arguments
    ---------
    path : str or Path
        See [`audio_blocks`][sb_resizegan.dataio.audio.audio_blocks].

    Returns
    -------
    AudioHeader

    Raises
    ------
    UnusableAudioError
        As `audio_blocks`, for all that can be found without decoding.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, [[0.0, 0.0]] * 800, 8000)
    >>> audio_header(path)[1:-1]
    (8000, 2, 800, 'WAV', 'PCM_16', 3244)
    """
    with opened(path) as decoder:
        return decoder.header


class _Sequential(soundfile.SoundFile):
    """A sound file that is read from beginning to end: nobody asks its decoder to seek."""

    def seekable(self) -> bool:
        return False


class Decoder(NamedTuple):
    """A file that is being decoded.

    Arguments
    ---------
    audio : soundfile.SoundFile
        At its beginning.
    header : AudioHeader
        Checked.
    source : object
        ``source.error`` is the error that the system gave when the file was read, or None.
    """

    audio: soundfile.SoundFile
    header: AudioHeader
    source: Any


class _Corrected:
    """A file as its decoder is to see it: with the unknown sizes of its header filled in.

    Arguments
    ---------
    data : FileBytes
        The file.
    contents : Contents
        What its inspection found.
    """

    def __init__(self, data: FileBytes, contents: Contents) -> None:
        self._data, self._contents = data, contents
        self._end = len(data) if contents.end is None else contents.end
        self._size = len(contents.prefix) + self._end - contents.begin
        self._place = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, count: int) -> bytes:
        shift = self._contents.begin - len(self._contents.prefix)
        piece = self._contents.prefix[self._place : self._place + count]
        place = self._place + len(piece) + shift
        count -= len(piece)
        if count > 0:
            try:
                later = bytearray(self._data[place : min(place + count, self._end)])
            except OSError as error:  # nobody above libsndfile would hear of it
                self.error, later = error, bytearray()
            for start, patch in self._contents.patches:
                for byte, value in enumerate(patch, start - place):
                    if 0 <= byte < len(later):
                        later[byte] = value
            piece += later
        self._place += len(piece)
        return piece


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Decoder]:
    """Opens a sound file for the time of a ``with`` block, or says what is wrong with it.

    Arguments
    ---------
    path : str or Path
        A regular file.

    Yields
    ------
    Decoder

    Raises
    ------
    UnusableAudioError
        Also for what the decoder complains of within the block.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, [0.0] * 800, 8000)
    >>> with opened(path) as decoder:
    ...     decoder.header.seconds
    0.1
    """
    try:
        # Opening a pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UnusableAudioError(
            "unreadable", path, getattr(error, "strerror", None) or str(error)
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableAudioError("unreadable", path, "not a regular file")
        data = FileBytes(descriptor)
        if len(data) == 0:
            raise UnusableAudioError("empty", path, "0 bytes")
        contents = inspect_container(data)
        if contents is None:
            raise UnusableAudioError(
                "corrupt", path, "expected wav, w64, aiff, au, caf, NIST, flac, ogg or mp3, but it is none"
            )
        if contents.frames == 0:
            raise UnusableAudioError("empty", path, "0 samples")
        source = _Corrected(data, contents)
        with _Sequential(source) as audio:
            declared = contents.frames
            if declared is None and audio.frames < UNKNOWN_FRAMES:
                declared = audio.frames
            texts = {name: text for name in TAGS if (text := getattr(audio, name))}
            facts = (audio.samplerate, audio.channels, declared, audio.format, audio.subtype)
            header = AudioHeader(os.fsdecode(path), *facts, len(data), texts)
            _check_header(path, header)
            yield Decoder(audio, header, source)
    except DamagedError as error:
        raise UnusableAudioError("corrupt", path, str(error)) from error
    except soundfile.SoundFileError as error:
        raise UnusableAudioError("corrupt", path, getattr(error, "error_string", str(error))) from error
    except OSError as error:
        raise UnusableAudioError("unreadable", path, error.strerror or str(error)) from error
    finally:
        os.close(descriptor)


def _check_header(path: str | os.PathLike, header: AudioHeader) -> None:
    if not RATES[0] <= header.samplerate <= RATES[1]:
        raise UnusableAudioError(
            "corrupt",
            path,
            f"expected a sampling rate of {RATES[0]} to {RATES[1]} Hz, but got {header.samplerate}",
        )
    if header.channels > MOST_CHANNELS:
        raise UnusableAudioError(
            "corrupt", path, f"expected at most {MOST_CHANNELS} channels, but got {header.channels}"
        )
    if header.frames is not None:
        check_length(path, header)


def check_length(path: str | os.PathLike, header: AudioHeader) -> None:
    """Refuses a recording that is longer than any of its size in bytes.

    Arguments
    ---------
    path : str or Path
        The file.
    header : AudioHeader
        With its number of samples.

    Raises
    ------
    UnusableAudioError
    """
    assert header.frames is not None  # counted, or as the header says
    if (
        header.frames * header.channels > MOST_VALUES + MOST_VALUES_PER_BYTE * header.size
        or header.frames > (MOST_SECONDS + MOST_SECONDS_PER_BYTE * header.size) * header.samplerate
    ):
        raise UnusableAudioError(
            "corrupt",
            path,
            f"{header.frames / header.samplerate:.0f} s of {header.channels} channels in {header.size} "
            "bytes: no recording is so long",
        )


def check_sound(path: str | os.PathLike, header: AudioHeader, frames: int) -> None:
    """Refuses more sound than a file of its size holds; blocks of nothing but zeros do not count as sound.

    Arguments
    ---------
    path : str or Path
        The file.
    header : AudioHeader
        What it says of itself.
    frames : int
        Samples of each channel in blocks that are not silent.

    Raises
    ------
    UnusableAudioError
    """
    values, seconds = frames * header.channels, frames * header.channels / header.samplerate
    if (
        values > MOST_SOUNDING_VALUES + MOST_VALUES_PER_BYTE * header.size
        or seconds > MOST_SECONDS + MOST_SECONDS_PER_BYTE * header.size
    ):
        raise UnusableAudioError(
            "corrupt",
            path,
            f"{frames / header.samplerate:.0f} s of sound in {header.channels} channels within {header.size} "
            "bytes: no recording is packed so tightly",
        )
