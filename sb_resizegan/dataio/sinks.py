"""Writing sound files so that whoever waits for one hears why it could not be written."""

import contextlib
import os
from collections.abc import Iterator, Mapping

import soundfile
import torch

from sb_resizegan.utils.files import replacing

__all__ = ["TAGS", "sound_sink", "write_all", "write_audio"]

# Fields that libsndfile reads and writes; "software" it writes itself.
TAGS = ("title", "artist", "album", "date", "comment", "copyright", "license", "tracknumber", "genre")


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Writes all of some bytes: on a disk that fills up, one call may write a part and say nothing.

    Arguments
    ---------
    descriptor : int
        From ``os.open``.
    data : bytes or memoryview
        What to write.

    Raises
    ------
    OSError
        If the system cannot.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.bin"
    >>> with open(path, "wb") as stream:
    ...     write_all(stream.fileno(), bytes(8))
    >>> path.stat().st_size
    8
    """
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


class _Sink:
    """A file that libsndfile writes to; it remembers the system's error, which libsndfile keeps back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            self.error = self.error or error
            return 0
        return len(data)

    def read(self, count: int) -> bytes:
        return os.read(self._descriptor, count)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)


@contextlib.contextmanager
def sound_sink(
    path: str | os.PathLike,
    sample_rate: int,
    channels: int,
    form: str,
    subtype: str,
    tags: Mapping[str, str] | None = None,
    name: str | os.PathLike | None = None,
) -> Iterator[soundfile.SoundFile]:
    """A sound file to write to for the time of a ``with`` block.

    Arguments
    ---------
    path : str or Path
        The file to be overwritten; made if it is not there.
    sample_rate : int
        In Hz.
    channels : int
        How many.
    form, subtype : str
        In libsndfile's words.
    tags : mapping, optional
        Text by the names of `TAGS`; a field that the format has no room for is left out.
    name : str or Path, optional
        What messages call the file; ``path`` by default.

    Yields
    ------
    soundfile.SoundFile

    Raises
    ------
    OSError
        If the system cannot write all of it, with the system's reason, or if the format cannot hold such a
        signal.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.flac"
    >>> with sound_sink(path, 16000, 1, "FLAC", "PCM_16", {"title": "A tone"}) as audio:
    ...     audio.write([0.0] * 800)
    >>> with soundfile.SoundFile(path) as audio:
    ...     audio.frames, audio.title
    (800, 'A tone')
    """
    name = path if name is None else name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    sink = _Sink(descriptor)

    def explained(error: Exception) -> OSError:
        if sink.error is not None:
            return OSError(sink.error.errno, sink.error.strerror, os.fspath(name))
        return OSError(
            f"{name}: could not be written as {form} {subtype} with {channels} channels at {sample_rate} Hz: "
            f"{getattr(error, 'error_string', error)}"
        )

    try:
        try:
            audio = soundfile.SoundFile(sink, "w", sample_rate, channels, subtype, format=form)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise explained(error) from error
        try:
            with audio:
                for field, text in (tags or {}).items():
                    with contextlib.suppress(soundfile.SoundFileError):
                        setattr(audio, field, text)
                yield audio
        except (soundfile.SoundFileError, AssertionError) as error:  # the latter for a part that is missing
            raise explained(error) from error
        if sink.error is not None:
            raise explained(sink.error) from sink.error
    finally:
        os.close(descriptor)


def write_audio(path: str | os.PathLike, waveform: torch.Tensor, sample_rate: int) -> None:
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
        form = os.path.splitext(path)[1][1:].upper() or "WAV"
        with sound_sink(temporary, sample_rate, 1, form, "PCM_16", name=path) as audio:
            audio.write(waveform.numpy())
