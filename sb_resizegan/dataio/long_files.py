"""Sound files of any length in bounded memory: resampling block by block, and writing at a safe level."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sb_resizegan.dataio.audio import audio_blocks, audio_header
from sb_resizegan.dataio.resampling import resampled_blocks
from sb_resizegan.dataio.sinks import sound_sink, write_all
from sb_resizegan.utils.files import replacing

__all__ = ["PARTIAL_SUFFIX", "Spool", "StreamedFile", "choose_format"]

PARTIAL_SUFFIX = ".partial"
SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
FLOATING_SUBTYPES = ("FLOAT", "DOUBLE")
LOSSY_FORMATS = ("OGG", "MP3")
# Endings that libsndfile does not take for a format's name.
FORMATS = {".aif": "AIFF", ".oga": "OGG", ".opus": "OGG"}
LARGEST_WAV = 4_000_000_000  # bytes; sizes in its header have 32 bits
BLOCK_SAMPLES = 1 << 18  # of all channels, read or written at a time


class StreamedFile:
    """A sound file at another rate, read block by block as often as needed.

    It is read once to begin with: whoever has one knows that the file is whole, and how loud it is.

    Arguments
    ---------
    path : str or Path
        Anything that libsndfile reads.
    sample_rate : int
        What to resample it to, in Hz.

    Raises
    ------
    UnusableAudioError
        If the file cannot be opened or decoded to its end, is empty, or holds NaN or Inf.

    Example
    -------
    >>> path = getfixture("tmp_path") / "stereo.wav"
    >>> soundfile.write(path, np.full((44100, 2), [0.5, 0.0]), 44100)
    >>> file = StreamedFile(path, 16000)
    >>> file.rate, file.frames, file.resampled_frames, [round(level, 2) for level in file.levels]
    (44100, 44100, 16000, [0.5, 0.0])
    """

    def __init__(self, path: str | os.PathLike, sample_rate: int) -> None:
        self.path, self.sample_rate = path, sample_rate
        self.header = audio_header(path)
        self.rate, self.frames = self.header.samplerate, 0
        self.resampled_frames, energy = 0, 0.0
        for block in resampled_blocks(self._counted(), self.rate, sample_rate):
            self.resampled_frames += len(block)
            energy = energy + np.square(block, dtype=np.float64).sum(axis=0)
        # Root mean square of each channel at the new rate.
        self.levels = np.sqrt(energy / self.resampled_frames).tolist()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields samples ``(time, channels)`` at the new rate, float32."""
        return resampled_blocks(self.own_blocks(), self.rate, self.sample_rate)

    def own_blocks(self) -> Iterator[np.ndarray]:
        """Yields samples ``(time, channels)`` at the file's own rate, float32."""
        for block, _ in audio_blocks(self.path, max(1, BLOCK_SAMPLES // self.header.channels)):
            yield block

    def _counted(self) -> Iterator[np.ndarray]:
        for block in self.own_blocks():
            self.frames += len(block)
            yield block


def choose_format(header: Any, path: str | os.PathLike) -> tuple[str, str]:
    """Format of a file that is made of another.

    Under the same ending the container stays. Samples keep their format where they have 16 bits or more and
    the container can hold it; fewer bits, and logarithmic or adaptive ones, become 16 bits.

    Arguments
    ---------
    header : object
        What `audio_header` or ``soundfile.info`` says of the other file.
    path : str or Path
        The file to be made.

    Returns
    -------
    format, subtype : str
        In libsndfile's words.

    Raises
    ------
    ValueError
        If the ending is no sound format's; it names the file.

    Example
    -------
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, np.zeros(100), 8000, subtype="FLOAT")
    >>> choose_format(soundfile.info(path), "b.wav"), choose_format(soundfile.info(path), "b.flac")
    (('WAV', 'FLOAT'), ('FLAC', 'PCM_16'))
    """
    ending = Path(path).suffix.lower()
    if ending == Path(os.fsdecode(header.name)).suffix.lower():
        chosen = header.format
    else:
        chosen = FORMATS.get(ending, ending[1:].upper())
        if chosen not in soundfile.available_formats() or chosen == "RAW":
            raise ValueError(
                f"{path}: expected the ending of a sound format such as .wav, but got {ending!r}"
            )
    if header.subtype in SAMPLE_BYTES and soundfile.check_format(chosen, header.subtype):
        return chosen, header.subtype
    if chosen == header.format and chosen in LOSSY_FORMATS:
        return chosen, header.subtype
    return chosen, "OPUS" if ending == ".opus" else soundfile.default_subtype(chosen)


class Spool:
    """Samples on their way to a file, kept on disk until it is known how loud the loudest is.

    They lie in a file without a name, which goes with the process whatever happens to it.

    Arguments
    ---------
    folder : str or Path
        Where there is room: the folder of the file to be.
    channels : int
        Of the samples.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> with Spool(folder, channels=1) as spool:
    ...     spool.append(np.full((800, 1), 2.0, dtype=np.float32))
    ...     gain = spool.save(folder / "loud.wav", 16000, "WAV", "PCM_16")
    >>> gain, float(soundfile.read(folder / "loud.wav")[0].max()) < 1
    (0.5, True)
    """

    def __init__(self, folder: str | os.PathLike, channels: int) -> None:
        self.channels = channels
        self.frames = 0
        self.peak = 0.0
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=os.fspath(folder), buffering=0)  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, block: np.ndarray) -> None:
        """Adds samples.

        Arguments
        ---------
        block : numpy.ndarray
            ``(time, channels)``, float32.
        """
        if not len(block):
            return  # numpy shows no bytes of an array without samples
        self.frames += len(block)
        self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
        try:
            write_all(self._file.fileno(), np.ascontiguousarray(block, dtype=np.float32).data.cast("B"))
        except OSError as error:
            # The file has no name that would tell anybody where room is wanting.
            raise OSError(error.errno, error.strerror, os.fspath(self._folder)) from error

    def save(
        self,
        path: str | os.PathLike,
        sample_rate: int,
        format: str,
        subtype: str,
        tags: Mapping[str, str] | None = None,
    ) -> float:
        """Writes all of them as a sound file; nobody ever sees half of it.

        A peak above full scale would be clipped. Where samples are no floating-point numbers, the whole file
        is then reduced to full scale.

        Arguments
        ---------
        path : str or Path
            The file; what was there before is replaced.
        sample_rate : int
            In Hz.
        format, subtype : str
            As `choose_format()` gives them.
        tags : dict, optional
            Title, artist and the like, as far as the format has room for them; see `AudioHeader`.

        Returns
        -------
        float
            What the samples were multiplied by, 1 or less.

        Raises
        ------
        OSError
            If the file cannot be written in full, on a full disk for instance, or if the format can't hold
            such a signal. A file that was there before stays as it was.
        """
        gain = 1.0 if subtype in FLOATING_SUBTYPES else 1.0 / max(1.0, self.peak)
        if format == "WAV" and SAMPLE_BYTES[subtype] * self.frames * self.channels > LARGEST_WAV:
            format = "RF64"
        with replacing(path, suffix=PARTIAL_SUFFIX) as temporary:
            with sound_sink(temporary, sample_rate, self.channels, format, subtype, tags, name=path) as audio:
                for block in self._blocks():
                    audio.write(block * np.float32(gain))
            written = soundfile.info(os.fsencode(temporary)).frames
            if written != self.frames:
                raise OSError(f"{path}: only {written} of {self.frames} samples could be written")
        return gain

    def _blocks(self) -> Iterator[np.ndarray]:
        self._file.seek(0)
        size = 4 * self.channels * max(1, BLOCK_SAMPLES // self.channels)
        while data := self._file.read(size):
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, self.channels)
