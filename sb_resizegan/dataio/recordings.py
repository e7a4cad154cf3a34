"""Recordings decoded once into files of samples, from which any stretch can be had at no cost."""

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np

from sb_resizegan.dataio.indexed_recordings import IndexedRecordings
from sb_resizegan.dataio.prepare.sources import find_recordings
from sb_resizegan.dataio.prepare.speech import split_places
from sb_resizegan.dataio.recordings_cache import (
    DecodingOptions,
    NoRecordingsError,
    load_or_build,
)
from sb_resizegan.dataio.recordings_report import describe, report
from sb_resizegan.dataio.sample_shards import MappedSamples
from sb_resizegan.utils.checks import check_count
from sb_resizegan.utils.files import user_cache_folder

__all__ = ["NoRecordingsError", "Recordings"]


class Recordings(IndexedRecordings):
    """Recordings as files of 16-bit samples, which all processes map into memory and which are kept.

    Every file is read, mixed down, freed of its mean, resampled and scaled to its own peak (so that 16 bits
    are enough for quiet ones, and nothing is clipped); stretches of activity are looked for
    (``active_regions``). The second time, with the same files (names, sizes, times) and options, nothing is
    decoded; of changed files, only what lies in the same file of samples, some hundred files. An hour takes
    0.12 GB at 16 kHz; how much of it stays in memory is the system's business. Processes that train together
    have one list of files for each machine and share the decoding.

    What cannot be used is left out, counted in a warning and named in ``skipped``, under one of:
    "missing" (named in a csv list, but not there), "not audio" (by its ending), "unreadable", "corrupt",
    "empty", "not finite" (NaN or Inf), "too short", "silent" (no 20 ms above −60 dBFS).

    Arguments
    ---------
    sources : str, Path or list of these
        Folders, csv lists, audio files or ``prompts:LANGUAGE``; see ``find_recordings``.
    sample_rate : int
        In Hz; files with another rate are resampled. Lower ones are counted in a warning: they lack the upper
        band, and ``source_rates`` says how much of it.
    min_seconds : float
        Shorter files are left out.
    impulse_responses : bool
        The files are impulse responses of rooms: of several channels, the first counts instead of the
        channels' mean, the samples keep their mean, and only one without any sound is silent.
    cache_folder : str or Path, optional
        Where the file goes, in a folder ``recordings``: see ``user_cache_folder`` for the default.
    start_share : float
        Part of the files that is enough to begin with, above 0; the rest is decoded beside what follows, and
        counts the next time that the same recordings are loaded. ``complete`` says whether all are there.

    Raises
    ------
    FileNotFoundError
        If a source is none of what it may be.
    NoRecordingsError
        If nothing usable is left; the message counts what was left out.
    ValueError
        If an option is out of range or a csv list has no column ``path``.
    OSError
        If the file cannot be written, for lack of space or rights.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(8000)), 8000)
    >>> recordings = Recordings(folder, cache_folder=folder / "cache")
    >>> len(recordings), recordings.read(0, start=100, samples=400).shape, recordings.source_rates
    (2, (400,), array([8000, 8000]...))
    """

    def __init__(
        self,
        sources: str | Path | Sequence[str | Path],
        sample_rate: int = 16000,
        min_seconds: float = 0.2,
        impulse_responses: bool = False,
        cache_folder: str | Path | None = None,
        start_share: float = 1.0,
    ) -> None:
        check_count("sample_rate", sample_rate)
        if not 0 < start_share <= 1:
            raise ValueError(f"start_share: expected a number above 0 and at most 1, but got {start_share!r}")
        if not (isinstance(min_seconds, Real) and min_seconds >= 0):
            raise ValueError(f"min_seconds: expected a number of at least 0, but got {min_seconds!r}")
        folder = user_cache_folder(cache_folder) / "recordings"
        self._sources: str = describe(sources)
        options = DecodingOptions(sample_rate, min_seconds, impulse_responses)
        paths, index, complete = load_or_build(
            lambda: find_recordings(sources, except_folder=folder),
            folder,
            self._sources,
            options,
            start_share,
        )
        super().__init__(index, sample_rate)
        self.complete: bool = complete
        self._audio: MappedSamples = MappedSamples(paths)
        report(self._sources, self)

    def read(self, recording: int, start: int = 0, samples: int | None = None) -> np.ndarray:
        """Reads a stretch of a recording.

        Arguments
        ---------
        recording : int
            Its number, below ``len(self)``.
        start : int
            First sample.
        samples : int, optional
            How many, at most; up to the end by default.

        Returns
        -------
        numpy.ndarray
            ``(time,)``, float32, full scale is 1.0 as in the file; new memory.
        """
        number = self._chosen[recording]
        begin, length = int(self._index["starts"][number]), int(self._index["lengths"][number])
        count = length - start if samples is None else min(samples, length - start)
        first = begin + start
        return self._audio[first : first + count] * self._index["scales"][number]

    def split(self, valid_fraction: float, seed: int = 0) -> "tuple[Recordings, Recordings]":
        """Splits by file, each file on its own, so that new ones don't move the others.

        Arguments
        ---------
        valid_fraction : float
            Expected part of the files that goes to validation, above 0 and below 1.
        seed : int
            Of the split.

        Returns
        -------
        tuple of Recordings
            For training and for validation; neither is empty, both use the same file of samples.

        Raises
        ------
        ValueError
            If the fraction is out of range or there aren't two files of different names.
        """
        if not 0 < valid_fraction < 1:
            raise ValueError(
                f"valid_fraction: expected a number above 0 and below 1, but got {valid_fraction!r}"
            )
        places = split_places(self.names, seed)
        lowest, highest = places == places.min(), places == places.max()
        if lowest.all():
            raise ValueError(
                f"{self._sources}: expected at least two recordings of different names to split, "
                f"but there are {len(self)}"
            )
        is_valid = ((places < valid_fraction) | lowest) & ~highest
        return self._part(~is_valid), self._part(is_valid)

    def weighted(
        self, weights: Sequence[float] | np.ndarray, voices: Sequence[str] | np.ndarray | None = None
    ) -> "Recordings":
        """The same recordings with some of them more likely than others.

        Arguments
        ---------
        weights : sequence of float
            For each recording, what to multiply the probability of its moments with; at least 0, and 0
            leaves it out.
        voices : sequence of str, optional
            The voice of each recording: neighbours are recordings of the same voice then, not of the same
            folder.

        Returns
        -------
        Recordings
            In the order of their voices; uses the same file of samples.

        Raises
        ------
        ValueError
            If there are not as many weights or voices as recordings, a weight is negative or not finite, or
            their sum is 0.
        """
        weights = np.asarray(weights, dtype=np.float64)
        for name, values in (("weights", weights), ("voices", voices)):
            if values is not None and len(values) != len(self):
                raise ValueError(
                    f"{name}: expected one for each of {len(self)} recordings, got {len(values)}"
                )
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError("weights: expected finite numbers of at least 0")
        if weights.sum() == 0:
            raise ValueError(f"{self._sources}: expected a weight above 0, but the weights sum to zero")
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        total = len(self._index["lengths"])
        part._weights = np.ones(total) if self._weights is None else self._weights.copy()
        part._weights[self._chosen] *= weights
        groups = self._groups_of_index()[self._chosen]
        if voices is not None:
            _, groups = np.unique(np.asarray(voices, dtype=object).astype(str), return_inverse=True)
            part._groups = np.full(total, -1, dtype=np.int32)
            part._groups[self._chosen] = groups
        kept = np.flatnonzero(weights > 0)
        part._choose(self._chosen[kept[np.argsort(groups[kept], kind="stable")]])
        return part

    def _part(self, chosen: np.ndarray) -> "Recordings":
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._choose(self._chosen[chosen])
        return part
