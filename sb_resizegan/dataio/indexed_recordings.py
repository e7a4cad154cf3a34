"""What is known of recordings besides their samples, held in a few bytes each."""

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sb_resizegan.dataio.moments import ActiveMoments
from sb_resizegan.utils.many_names import Names

__all__ = ["IndexedRecordings", "RecordingFacts"]


class RecordingFacts(NamedTuple):
    """What is known of a recording."""

    samples: int
    """Its length."""

    source_rate: int
    """Sampling rate of its file in Hz."""

    level: float
    """RMS of its activity."""


class IndexedRecordings:
    """Some of the recordings of an index.

    A process holds 4 bytes for each and 12 for each stretch of activity in it; the index itself, which is a
    file, is mapped by all.

    Arguments
    ---------
    index : mapping of str to numpy.ndarray
        From `joined_index()`.
    sample_rate : int
        In Hz.
    """

    def __init__(self, index: Mapping[str, np.ndarray], sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._index = index
        # What may be given anew: the folder or the voice of each, and what it counts for.
        self._groups: np.ndarray | None = None
        self._weights: np.ndarray | None = None
        self._choose(np.arange(len(index["lengths"]), dtype=np.int32))

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def names(self) -> Names:
        """Name of each recording."""
        return Names(self._index["letters"], self._index["name_ends"], self._chosen)

    @property
    def skipped(self) -> dict[str, list[str]]:
        """Names of what was left out, by reason."""
        return json.loads(self._index["skipped"].tobytes())

    @property
    def source_rates(self) -> np.ndarray:
        """Sampling rate of each recording's file in Hz."""
        return self._index["rates"][self._chosen]

    @property
    def levels(self) -> np.ndarray:
        """RMS of each recording's activity."""
        return self._index["levels"][self._chosen]

    @property
    def lengths(self) -> np.ndarray:
        """Samples of each recording."""
        return self._index["lengths"][self._chosen]

    @property
    def seconds(self) -> float:
        """Length of all recordings together."""
        return float(self.lengths.sum() / self.sample_rate)

    @property
    def folders(self) -> np.ndarray:
        """For each recording, the number of the folder that it lies in."""
        return self._index["groups"][self._chosen]

    @property
    def active_seconds(self) -> np.ndarray:
        """For each recording, how much of it is active."""
        return self._moments.samples() / self.sample_rate

    @property
    def below_sample_rate(self) -> int:
        """How many recordings had a lower sampling rate before they were resampled."""
        return int((self.source_rates < self.sample_rate).sum())

    def facts(self, recording: int) -> RecordingFacts:
        """What is known of a recording.

        Arguments
        ---------
        recording : int
            Its number.

        Returns
        -------
        RecordingFacts
        """
        number = self._chosen[recording]
        length, rate, level = (self._index[name][number] for name in ("lengths", "rates", "levels"))
        return RecordingFacts(int(length), int(rate), float(level))

    def locate(self, place: float) -> tuple[int, int]:
        """Finds a moment of activity: each one is equally likely if ``place`` is uniform, but for weights.

        Arguments
        ---------
        place : float
            From 0 up to, but not including, 1.

        Returns
        -------
        tuple of int
            The recording and a sample of it.
        """
        return self._moments.locate(place)

    def neighbour(self, recording: int, place: float) -> int:
        """Chooses another recording of the same folder, as a rule of the same voice.

        Arguments
        ---------
        recording : int
            The one that has neighbours.
        place : float
            From 0 up to, but not including, 1.

        Returns
        -------
        int
            ``recording`` itself where it is alone in its folder.
        """
        group = self._group_of(recording)
        first, end = (int(edge) for edge in self._group_starts[group : group + 2])
        count = end - first
        if count == 1:
            return int(recording)
        chosen = first + int(place * (count - 1))
        return int(chosen + (chosen >= recording))

    def is_same_voice(self, first: int, second: int) -> bool:
        """Whether two recordings lie in one folder, or are of one voice where these are known."""
        return self._group_of(first) == self._group_of(second)

    def _choose(self, chosen: np.ndarray) -> None:
        """Makes the recordings with these numbers in the file those that there are."""
        self._chosen = chosen
        # Recordings of one folder, or of one voice, follow each other.
        groups = self._groups_of_index()[chosen]
        changes = np.flatnonzero(groups[1:] != groups[:-1]) + 1
        self._group_starts = np.concatenate([[0], changes, [len(chosen)]]).astype(np.int32)
        self._moments = ActiveMoments(self._index, chosen, self._weights)

    def _group_of(self, recording: int) -> int:
        return int(np.searchsorted(self._group_starts, recording, side="right")) - 1

    def _groups_of_index(self) -> np.ndarray:
        return self._index["groups"] if self._groups is None else self._groups
