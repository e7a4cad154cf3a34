"""The table of an evaluation: systems by measures, as markdown, as csv, and as words for a page."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.metrics.measures import MEASURES, legend, readable, written
from sb_resizegan.report.measures_csv import write_measures
from sb_resizegan.report.names import printable
from sb_resizegan.utils.files import replacing

__all__ = ["caption", "cells", "header", "made_worse", "markdown", "noted", "read_scores", "write_scores"]

WORSE_BY = ("estoi", "wer_percent")
COLUMNS = ["utterance", "system", "snr_db", "snr_source", "notes"]


def header(scores: SystemScores) -> list:
    """Words above the columns of `cells()`."""
    return ["SNR", "system", "utterances", *map(readable, scores.measures)]


def cells(scores: SystemScores) -> list:
    """The means as words.

    Arguments
    ---------
    scores : SystemScores

    Returns
    -------
    list of list of str
        A list for each line; a mean over fewer utterances than the bucket has says over how many.

    Example
    -------
    >>> cells(SystemScores(["a"], [0.0], {"noisy": [{"stoi": 0.61234}]}))
    [['all', 'noisy', '1', '0.612']]
    """
    return [
        [row.bucket, row.system, str(row.utterances), *(_cell(row, name) for name in scores.measures)]
        for row in scores.rows()
    ]


def caption(scores: SystemScores) -> str:
    """What the columns are, in a paragraph."""
    words = "; ".join(map(legend, scores.measures)) + "."
    words += " Means over the utterances for which every system has the figure."
    if scores.measured:
        words += (
            f" The corpus states no SNR for {len(scores.measured)} of {len(scores.names)} utterances: "
            "measured against the clean signal."
        )
    return words


def made_worse(scores: SystemScores) -> list:
    """How many utterances each system made worse than they came, by ESTOI and by word error rate.

    Arguments
    ---------
    scores : SystemScores
        With a system ``noisy``.

    Returns
    -------
    list of str
        A sentence for each system; none where nothing of the kind was measured.

    Example
    -------
    >>> found = {"noisy": [{"estoi": 0.5}, {"estoi": 0.6}], "a": [{"estoi": 0.7}, {"estoi": 0.4}]}
    >>> made_worse(SystemScores(["u", "v"], [0, 0], found))
    ['a: worse than the noisy speech in 1 of 2 utterances by ESTOI.']
    """
    measures = [name for name in WORSE_BY if name in scores.measures]
    if "noisy" not in scores.systems or not measures:
        return []
    sentences = []
    for system in scores.systems:
        if system == "noisy":
            continue
        counts = [
            f"{len(scores.worse(system, name))} of {len(scores.names)} utterances by {MEASURES[name].label}"
            for name in measures
        ]
        sentences.append(f"{system}: worse than the noisy speech in {', in '.join(counts)}.")
    return sentences


def noted(scores: SystemScores) -> list:
    """What is missing or to be known of single utterances.

    Arguments
    ---------
    scores : SystemScores

    Returns
    -------
    list of str
        A line for each system and utterance with a note or without a measure.
    """
    lines = []
    for system, found in scores.systems.items():
        for index, name in enumerate(scores.names):
            words = list(found[index].get("notes", []))
            without = scores.missing(system, index)
            words += [f"no {', '.join(map(readable, without))}"] if without else []
            if words:
                lines.append(f"{name}, {system}: {'; '.join(words)}")
    return lines


def markdown(scores: SystemScores, more: Sequence[str] = ()) -> str:
    """The table with its legend and what was left out, as markdown.

    Arguments
    ---------
    scores : SystemScores
        The scores.
    more : sequence of str
        Paragraphs to put below the table.

    Returns
    -------
    str
    """
    words = header(scores)
    lines = [f"| {' | '.join(words)} |", f"|{' --- |' * len(words)}"]
    lines += [f"| {' | '.join(map(_escaped, line))} |" for line in cells(scores)]
    paragraphs = [caption(scores), *made_worse(scores), *more]
    lines += [line for paragraph in paragraphs for line in ("", paragraph)]
    notes = noted(scores)
    if notes:
        lines += ["", "To be noted of single utterances:", "", *(f"- {line}" for line in notes)]
    return "\n".join(lines) + "\n"


def write_scores(scores: SystemScores, folder: str | Path, more: Sequence[str] = ()) -> list:
    """Writes ``scores.md`` and, with a row for each utterance and system, ``scores.csv``.

    Arguments
    ---------
    scores : SystemScores
        The scores.
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
        temporary.write_text(printable(markdown(scores, more)), encoding="utf-8")
    rows = []
    for index, name in enumerate(scores.names):
        for system, found in scores.systems.items():
            score = found[index]
            figures = {measure: _text(score.get(measure, float("nan"))) for measure in scores.measures}
            rows.append(
                {
                    "utterance": name,
                    "system": system,
                    "snr_db": _text(scores.snr_db[index]),
                    "snr_source": "measured" if name in scores.measured else "stated",
                    **figures,
                    "notes": "; ".join(score.get("notes", [])),
                }
            )
    return [folder / "scores.md", write_measures(rows, folder / "scores.csv")]


def read_scores(path: str | Path) -> SystemScores:
    """Reads the scores that `write_scores()` wrote.

    Arguments
    ---------
    path : str or Path
        Its ``scores.csv``.

    Returns
    -------
    SystemScores

    Raises
    ------
    ValueError
        If it is no such file, or lacks a system's scores of an utterance.
    OSError
        If it can't be read.
    """
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or []
        if not set(COLUMNS) <= set(columns):
            raise ValueError(f"{path}: expected the columns {COLUMNS}, but got {columns}")
        rows = list(reader)
    names = list(dict.fromkeys(row["utterance"] for row in rows))
    by_place = {(row["utterance"], row["system"]): row for row in rows}
    measures = [measure for measure in MEASURES if measure in columns]
    systems = {}
    for system in dict.fromkeys(row["system"] for row in rows):
        lacking = [name for name in names if (name, system) not in by_place]
        if lacking:
            raise ValueError(f"{path}: {system} has no scores of {lacking[0]!r}")
        systems[system] = [_score(by_place[name, system], measures) for name in names]
    first = {row["utterance"]: row for row in reversed(rows)}
    measured = [name for name in names if first[name]["snr_source"] == "measured"]
    return SystemScores(names, [_number(first[name]["snr_db"]) for name in names], systems, measured)


def _score(row: Mapping[str, str], measures: Sequence[str]) -> dict[str, Any]:
    figures = {measure: _number(row[measure]) for measure in measures}
    return {**figures, "notes": [words for words in row["notes"].split("; ") if words]}


def _cell(row: Any, measure: str) -> str:
    value, count = row.means[measure], row.counts[measure]
    if not count:
        return "–"
    words = written(measure, value)
    return words if count == row.utterances else f"{words} (of {count})"


def _text(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else ""


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _escaped(words: str) -> str:
    return words.replace("|", "\\|")
