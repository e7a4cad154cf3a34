"""Scores of several systems, and their means by signal-to-noise ratio and over all utterances."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.by_snr import snr_buckets, snr_of
from sb_resizegan.metrics.measures import MEASURES

__all__ = ["MeanScores", "SystemScores"]


class MeanScores(NamedTuple):
    """Mean scores of a system over a bucket of utterances."""

    bucket: str
    """``all`` or a range of signal-to-noise ratios."""

    system: str
    """Whose output is scored."""

    utterances: int
    """How many there are in the bucket."""

    means: dict
    """Mean by measure over those utterances that every system has a figure for; NaN if there are none."""

    counts: dict
    """By measure, how many these are."""


class SystemScores:
    """Scores of several systems on the same utterances.

    A measure's mean is taken over the utterances for which *every* system has that measure, so that no system
    gains from an utterance that it spoilt beyond scoring; ``missing`` tells those left out.

    Arguments
    ---------
    names : sequence of str
        Of the utterances.
    snr_db : sequence of float
        Their signal-to-noise ratios; NaN where there is none.
    systems : dict of str to list of dict
        By the name of a system its scores, as `score_utterances()` gives them, in the order of the
        utterances.
    measured : sequence of str
        Names of the utterances whose ratio the corpus doesn't state.

    Raises
    ------
    ValueError
        If there is no utterance or no system, two utterances have one name, or there are other numbers of
        ratios or scores.

    Example
    -------
    >>> scores = [{"pesq_wb": 1.5, "notes": []}, {"pesq_wb": 2.0, "notes": []}]
    >>> found = SystemScores(["a", "b"], [0.0, 5.0], {"noisy": scores})
    >>> for row in found.rows(): print(row.bucket, row.means)
    all {'pesq_wb': 1.75}
    0 dB {'pesq_wb': 1.5}
    5 dB {'pesq_wb': 2.0}
    """

    def __init__(
        self,
        names: Sequence[str],
        snr_db: Sequence[float],
        systems: dict[str, list[dict]],
        measured: Sequence[str] = (),
    ) -> None:
        self.names, self.snr_db = list(names), [float(value) for value in snr_db]
        if not self.names or not systems:
            raise ValueError(
                f"expected utterances and systems, but got {len(self.names)} and {len(systems)} of them"
            )
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"expected each utterance once, but got more than one {twice[0]!r}")
        sizes = {"snr_db": len(self.snr_db), **{name: len(scores) for name, scores in systems.items()}}
        for what, size in sizes.items():
            if size != len(self.names):
                raise ValueError(
                    f"{what}: expected one for each of {len(self.names)} utterances, but got {size}"
                )
        self.measured = frozenset(measured)
        self.systems = dict(systems)
        found = {name for scores in systems.values() for score in scores for name in score}
        self.measures = [name for name in MEASURES if name in found]

    @classmethod
    def of(cls, utterances: Sequence[Utterance], systems: dict[str, list[dict]]) -> "SystemScores":
        """Scores of utterances; where one states no signal-to-noise ratio, it is measured.

        Arguments
        ---------
        utterances : sequence of Utterance
            What was scored.
        systems : dict of str to list of dict
            As above.

        Returns
        -------
        SystemScores
        """
        measured = [utterance for utterance in utterances if utterance.snr_db is None]
        snr_db = [snr_of(utterance) for utterance in utterances]
        names = [utterance.name for utterance in utterances]
        return cls(names, snr_db, systems, [utterance.name for utterance in measured])

    def rows(self) -> list[MeanScores]:
        """Means: over all utterances first, then by ascending signal-to-noise ratio.

        Returns
        -------
        list of MeanScores
        """
        return [
            MeanScores(bucket, system, len(indices), *self._means(system, indices))
            for bucket, indices in self.buckets()
            for system in self.systems
        ]

    def buckets(self) -> list[tuple[str, list[int]]]:
        """All utterances, then those of each bucket of signal-to-noise ratios.

        Returns
        -------
        list of tuple
            ``(label, numbers of the utterances)``.
        """
        return [("all", list(range(len(self.names)))), *snr_buckets(self.snr_db)]

    def values(self, system: str, indices: Sequence[int], measure: str) -> list[float]:
        """A system's scores of those utterances for which every system has the measure.

        Arguments
        ---------
        system : str
            Its name.
        indices : sequence of int
            Numbers of utterances.
        measure : str
            One of ``measures``.

        Returns
        -------
        list of float
        """
        scores = self.systems[system]
        return [scores[index][measure] for index in indices if self._complete(measure, index)]

    def _means(self, system: str, indices: Sequence[int]) -> tuple[dict[str, float], dict[str, int]]:
        values = {measure: self.values(system, indices, measure) for measure in self.measures}
        counts = {measure: len(found) for measure, found in values.items()}
        means = {
            measure: sum(found) / len(found) if found else float("nan") for measure, found in values.items()
        }
        return means, counts

    def _complete(self, measure: str, index: int) -> bool:
        return all(
            math.isfinite(scores[index].get(measure, float("nan"))) for scores in self.systems.values()
        )

    def missing(self, system: str, index: int) -> list[str]:
        """Measures that a system's output of an utterance has no figure for.

        Arguments
        ---------
        system : str
            Its name.
        index : int
            Number of the utterance.

        Returns
        -------
        list of str
        """
        score = self.systems[system][index]
        return [name for name in self.measures if not math.isfinite(score.get(name, float("nan")))]

    def worse(self, system: str, measure: str, than: str = "noisy") -> list[int]:
        """Utterances that a system made worse than another one left them.

        Arguments
        ---------
        system : str
            Its name.
        measure : str
            One of ``measures`` of which it is known which is better.
        than : str
            Name of the other system.

        Returns
        -------
        list of int
            Numbers of the utterances, of those for which both have the measure.

        Example
        -------
        >>> scores = {"noisy": [{"estoi": 0.5}, {"estoi": 0.6}], "a": [{"estoi": 0.7}, {"estoi": 0.4}]}
        >>> SystemScores(["u", "v"], [0, 0], scores).worse("a", "estoi")
        [1]
        """
        direction = MEASURES[measure].direction
        assert direction is not None  # of what has none, nothing is worse
        sign = {"higher": 1, "lower": -1}[direction]
        pairs = zip(self.systems[system], self.systems[than], strict=True)
        nan = float("nan")
        return [
            index
            for index, (own, other) in enumerate(pairs)
            if sign * own.get(measure, nan) < sign * other.get(measure, nan)
        ]

    def complete(self) -> bool:
        """Whether every output has every measure."""
        indices = range(len(self.names))
        return not any(self.missing(system, index) for system in self.systems for index in indices)
