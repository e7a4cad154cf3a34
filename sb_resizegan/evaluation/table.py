"""The table of a test: systems by measures, by signal-to-noise ratio and over all utterances."""

import csv
import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sb_resizegan.dataio.utterances import measured_snr_db
from sb_resizegan.evaluation.buckets import snr_buckets
from sb_resizegan.evaluation.scoring import LABELS
from sb_resizegan.report.measures_csv import write_measures
from sb_resizegan.utils.files import replacing

__all__ = ["EnhancementTable", "TableRow"]

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
    names : sequence of str
        Of the utterances.
    snr_db : sequence of float
        Their signal-to-noise ratios; NaN where there is none.
    systems : dict of str to list of dict
        By the name of a system its scores, as :func:`~sb_resizegan.evaluation.scoring.score_utterances`
        gives them, in the order of the utterances.
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
    >>> table = EnhancementTable(["a", "b"], [0.0, 5.0], {"noisy": scores})
    >>> for row in table.rows(): print(row.bucket, row.means)
    all {'pesq_wb': 1.75}
    0 dB {'pesq_wb': 1.5}
    5 dB {'pesq_wb': 2.0}
    """

    def __init__(self, names, snr_db, systems, measured=()):
        self.names, self.snr_db = list(names), [float(value) for value in snr_db]
        if not self.names or not systems:
            raise ValueError(
                f"expected utterances and systems, but got {len(self.names)} and {len(systems)} of them"
            )
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"expected each utterance once, but got more than one {twice[0]!r}")
        for what, values in (("snr_db", self.snr_db), *systems.items()):
            if len(values) != len(self.names):
                raise ValueError(
                    f"{what}: expected one for each of {len(self.names)} utterances, but got {len(values)}"
                )
        self.measured = frozenset(measured)
        self.systems = dict(systems)
        found = {name for scores in systems.values() for score in scores for name in score}
        self.measures = [name for name in LABELS if name in found]

    @classmethod
    def of(cls, utterances, systems):
        """A table of utterances; where one states no signal-to-noise ratio, it is measured.

        Arguments
        ---------
        utterances : sequence of Utterance
            What was scored.
        systems : dict of str to list of dict
            As above.

        Returns
        -------
        EnhancementTable
        """
        measured = [utterance for utterance in utterances if utterance.snr_db is None]
        snr_db = [
            measured_snr_db(utterance.noisy, utterance.clean)
            if utterance.snr_db is None
            else utterance.snr_db
            for utterance in utterances
        ]
        names = [utterance.name for utterance in utterances]
        return cls(names, snr_db, systems, [utterance.name for utterance in measured])

    @classmethod
    def read(cls, path):
        """Reads a table that :meth:`write` wrote.

        Arguments
        ---------
        path : str or Path
            Its ``scores.csv``.

        Returns
        -------
        EnhancementTable

        Raises
        ------
        ValueError
            If it is no such file, or lacks a system's scores of an utterance.
        OSError
            If it can't be read.
        """
        with open(path, newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            expected = ["utterance", "system", "snr_db", "snr_source", "notes"]
            if not set(expected) <= set(columns):
                raise ValueError(f"{path}: expected the columns {expected}, but got {columns}")
            rows = list(reader)
        names = list(dict.fromkeys(row["utterance"] for row in rows))
        cells = {(row["utterance"], row["system"]): row for row in rows}
        systems = {}
        for system in dict.fromkeys(row["system"] for row in rows):
            lacking = [name for name in names if (name, system) not in cells]
            if lacking:
                raise ValueError(f"{path}: {system} has no scores of {lacking[0]!r}")
            systems[system] = [
                {
                    **{
                        measure: _number(cells[name, system][measure])
                        for measure in LABELS
                        if measure in columns
                    },
                    "notes": [words for words in cells[name, system]["notes"].split("; ") if words],
                }
                for name in names
            ]
        first = {row["utterance"]: row for row in reversed(rows)}
        measured = [name for name in names if first[name]["snr_source"] == "measured"]
        return cls(names, [_number(first[name]["snr_db"]) for name in names], systems, measured)

    def rows(self):
        """The table's lines: all utterances first, then by ascending signal-to-noise ratio.

        Returns
        -------
        list of TableRow
        """
        return [
            TableRow(bucket, system, len(indices), *self._means(system, indices))
            for bucket, indices in self.buckets()
            for system in self.systems
        ]

    def buckets(self):
        """All utterances, then those of each bucket of signal-to-noise ratios.

        Returns
        -------
        list of tuple
            ``(label, numbers of the utterances)``.
        """
        return [("all", list(range(len(self.names)))), *snr_buckets(self.snr_db)]

    def values(self, system, indices, measure):
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

    def _means(self, system, indices):
        values = {measure: self.values(system, indices, measure) for measure in self.measures}
        counts = {measure: len(found) for measure, found in values.items()}
        means = {
            measure: sum(found) / len(found) if found else float("nan") for measure, found in values.items()
        }
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
        if self.measured:
            words += (
                f" The corpus states no SNR for {len(self.measured)} of {len(self.names)} utterances: "
                "measured against the clean signal."
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
                score = scores[index]
                figures = {measure: _text(score.get(measure, float("nan"))) for measure in self.measures}
                rows.append(
                    {
                        "utterance": name,
                        "system": system,
                        "snr_db": _text(self.snr_db[index]),
                        "snr_source": "measured" if name in self.measured else "stated",
                        **figures,
                        "notes": "; ".join(score.get("notes", [])),
                    }
                )
        return [folder / "scores.md", write_measures(rows, folder / "scores.csv")]


def _cell(row, measure):
    value, count = row.means[measure], row.counts[measure]
    if not count:
        return "–"
    words = f"{value:.{PLACES.get(measure, 2)}f}"
    return words if count == row.utterances else f"{words} (of {count})"


def _text(value):
    return f"{value:.6f}" if math.isfinite(value) else ""


def _number(text):
    return float(text) if text else float("nan")


def _escaped(words):
    return words.replace("|", "\\|")
