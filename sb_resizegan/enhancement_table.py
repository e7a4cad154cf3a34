"""The table of a test: systems by measures, by signal-to-noise ratio and over all utterances."""

import math
from pathlib import Path
from typing import NamedTuple

from sb_resizegan.dataio.utterances import measured_snr_db
from sb_resizegan.metrics.enhancement import LABELS
from sb_resizegan.metrics.tables import write_measures
from sb_resizegan.utils.files import replacing

__all__ = ["EnhancementTable", "TableRow", "snr_buckets"]

SHORT = {
    "pesq_wb": "PESQ",
    "pesq_wb_official": "PESQ (official)",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "si_sdr_db": "SI-SDR, dB",
    "dnsmos_sig": "DNSMOS SIG",
    "dnsmos_bak": "DNSMOS BAK",
    "dnsmos_ovrl": "DNSMOS OVRL",
}
PLACES = {"stoi": 3, "estoi": 3, "si_sdr_db": 1}
MOST_NOMINAL = 8
BIN_DB = 5


class TableRow(NamedTuple):
    """A line of the table."""

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


class EnhancementTable:
    """Scores of several systems on the same utterances.

    A measure's mean is taken over the utterances for which *every* system has that measure, so that no system
    gains from an utterance that it spoilt beyond scoring; ``refused`` names those left out.

    Arguments
    ---------
    utterances : sequence of Utterance
        What was scored. Where one states no signal-to-noise ratio, it is measured.
    systems : dict of str to list of dict
        By the name of a system its scores, as :func:`~sb_resizegan.metrics.enhancement.score_utterances`
        gives them, in the order of the utterances.

    Raises
    ------
    ValueError
        If there is no utterance or no system, two utterances have one name, or a system has not as many
        scores as there are utterances.

    Example
    -------
    >>> import numpy as np
    >>> from sb_resizegan.dataio.utterances import Utterance
    >>> utterances = [Utterance(name, np.ones(9), np.ones(9), snr) for name, snr in (("a", 0.0), ("b", 5.0))]
    >>> scores = [{"pesq_wb": 1.5, "notes": []}, {"pesq_wb": 2.0, "notes": []}]
    >>> for row in EnhancementTable(utterances, {"noisy": scores}).rows(): print(row.bucket, row.means)
    all {'pesq_wb': 1.75}
    0 dB {'pesq_wb': 1.5}
    5 dB {'pesq_wb': 2.0}
    """

    def __init__(self, utterances, systems):
        self.names = [utterance.name for utterance in utterances]
        if not self.names or not systems:
            raise ValueError(
                f"expected utterances and systems, but got {len(self.names)} and {len(systems)} of them"
            )
        if len(set(self.names)) < len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise ValueError(f"expected each utterance once, but got more than one {twice[0]!r}")
        for system, scores in systems.items():
            if len(scores) != len(self.names):
                raise ValueError(
                    f"{system}: expected scores of {len(self.names)} utterances, but got {len(scores)}"
                )
        self.snr_db = [
            measured_snr_db(utterance.noisy, utterance.clean)
            if utterance.snr_db is None
            else float(utterance.snr_db)
            for utterance in utterances
        ]
        self.snr_measured = [utterance.snr_db is None for utterance in utterances]
        self.systems = dict(systems)
        found = {name for scores in systems.values() for score in scores for name in score}
        self.measures = [name for name in LABELS if name in found]

    def rows(self):
        """The table's lines: all utterances first, then by ascending signal-to-noise ratio.

        Returns
        -------
        list of TableRow
        """
        everything = [("all", list(range(len(self.names))))]
        buckets = everything + snr_buckets(self.snr_db)
        return [
            TableRow(bucket, system, len(indices), *self._means(system, indices))
            for bucket, indices in buckets
            for system in self.systems
        ]

    def _means(self, system, indices):
        means, counts = {}, {}
        for measure in self.measures:
            common = [index for index in indices if self._complete(measure, index)]
            values = [self.systems[system][index][measure] for index in common]
            means[measure] = sum(values) / len(values) if values else float("nan")
            counts[measure] = len(values)
        return means, counts

    def _complete(self, measure, index):
        return all(
            math.isfinite(scores[index].get(measure, float("nan"))) for scores in self.systems.values()
        )

    def refused(self):
        """What is missing or to be known of single utterances.

        Returns
        -------
        list of str
            A line for each system and utterance with a note or without a measure.
        """
        lines = []
        for system, scores in self.systems.items():
            for name, score in zip(self.names, scores, strict=True):
                without = [
                    SHORT[measure]
                    for measure in self.measures
                    if not math.isfinite(score.get(measure, float("nan")))
                ]
                words = list(score.get("notes", []))
                words += [f"no {', '.join(without)}"] if without else []
                if words:
                    lines.append(f"{name}, {system}: {'; '.join(words)}")
        return lines

    def header(self):
        """Words above the columns of :meth:`cells`."""
        return ["SNR", "system", "utterances", *(SHORT[measure] for measure in self.measures)]

    def cells(self):
        """The table as words.

        Returns
        -------
        list of list of str
            A list for each line; a mean over fewer utterances than the bucket has says over how many.
        """
        return [
            [row.bucket, row.system, str(row.utterances), *(_cell(row, name) for name in self.measures)]
            for row in self.rows()
        ]

    def markdown(self, more=()):
        """The table with its legend and what was left out, as markdown.

        Arguments
        ---------
        more : sequence of str
            Paragraphs to put below the table.

        Returns
        -------
        str
        """
        lines = [f"| {' | '.join(self.header())} |", f"|{' --- |' * len(self.header())}"]
        lines += [f"| {' | '.join(map(_escaped, cells))} |" for cells in self.cells()]
        lines += ["", self.caption(), *(line for words in more for line in ("", words))]
        refused = self.refused()
        if refused:
            lines += ["", "To be noted of single utterances:", "", *(f"- {line}" for line in refused)]
        return "\n".join(lines) + "\n"

    def caption(self):
        """What the columns are, in a paragraph."""
        words = "; ".join(LABELS[name] for name in self.measures) + "."
        words += " Means over the utterances for which every system has the figure."
        measured = sum(self.snr_measured)
        if measured:
            words += (
                f" SNR measured against the clean signal for {measured} of {len(self.names)} utterances, "
                "for which the corpus states none."
            )
        return words

    def write(self, folder, more=()):
        """Writes ``scores.md`` and, with a row for each utterance and system, ``scores.csv``.

        Arguments
        ---------
        folder : str or Path
            Made if need be.
        more : sequence of str
            Paragraphs to put below the table in ``scores.md``.

        Returns
        -------
        list of Path
            The files.
        """
        folder = Path(folder)
        with replacing(folder / "scores.md") as temporary:
            temporary.write_text(self.markdown(more), encoding="utf-8")
        rows = []
        for index, name in enumerate(self.names):
            for system, scores in self.systems.items():
                values = {measure: scores[index].get(measure, float("nan")) for measure in self.measures}
                snr = {"snr_db": self.snr_db[index], **values}
                figures = {key: round(value, 6) if math.isfinite(value) else "" for key, value in snr.items()}
                notes = "; ".join(scores[index].get("notes", []))
                rows.append({"utterance": name, "system": system, **figures, "notes": notes})
        return [folder / "scores.md", write_measures(rows, folder / "scores.csv")]


def snr_buckets(snr_db):
    """Groups utterances by their signal-to-noise ratio.

    A corpus that was mixed at a few nominal ratios gets a bucket for each, any other buckets of 5 dB.

    Arguments
    ---------
    snr_db : sequence of float
        Of each utterance, in dB; NaN or infinite where there is none.

    Returns
    -------
    list of tuple
        ``(label, numbers of the utterances)`` by ascending ratio, those without one last. None at all where
        all utterances would be in one bucket.

    Example
    -------
    >>> snr_buckets([2.5, 17.5, 2.5])
    [('2.5 dB', [0, 2]), ('17.5 dB', [1])]
    >>> snr_buckets([-0.1, 4.99, 5.0, float("nan")])
    [('-5 to 0 dB', [0]), ('0 to 5 dB', [1]), ('5 to 10 dB', [2]), ('unknown', [3])]
    """
    known = [value for value in snr_db if math.isfinite(value)]
    nominal = len(set(known)) <= MOST_NOMINAL and all((2 * value).is_integer() for value in known)
    groups = {}
    for index, value in enumerate(snr_db):
        key = math.inf if not math.isfinite(value) else value if nominal else BIN_DB * (value // BIN_DB)
        groups.setdefault(key, []).append(index)
    if len(groups) < 2:
        return []

    def label(key):
        if key == math.inf:
            return "unknown"
        return f"{key:g} dB" if nominal else f"{key:g} to {key + BIN_DB:g} dB"

    return [(label(key), groups[key]) for key in sorted(groups)]


def _cell(row, measure):
    value, count = row.means[measure], row.counts[measure]
    if not count:
        return "–"
    words = f"{value:.{PLACES.get(measure, 2)}f}"
    return words if count == row.utterances else f"{words} (of {count})"


def _escaped(words):
    return words.replace("|", "\\|")
