"""Parts of the project's pages: html that needs nothing else, pictures and sounds inside, no script."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from sb_resizegan.metrics.measures import readable
from sb_resizegan.report.charts import line_chart
from sb_resizegan.report.names import printable
from sb_resizegan.report.style import STYLE
from sb_resizegan.utils.files import replacing

__all__ = [
    "ReportTable",
    "curves",
    "epochs_table",
    "figure",
    "log_text",
    "measures",
    "missing_files",
    "number",
    "players",
    "settings_list",
    "words_table",
    "write_page",
]

MOST_SETTINGS = 16


class ReportTable(NamedTuple):
    """A table of words and numbers."""

    caption: str
    """What it shows."""

    header: list
    """Words above the columns."""

    rows: list
    """Of lists of words, as long as the header; the first one names the row."""


def write_page(path: str | Path, title: str, parts: Sequence[str]) -> Path:
    """Writes a page; a file that was there before is replaced in one step.

    Arguments
    ---------
    path : str or Path
        The html file.
    title : str
        Heading.
    parts : sequence of str
        Html; empty ones are left out.

    Returns
    -------
    Path
        The file.
    """
    whole = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        # Without it a browser asks for favicon.ico when the page comes from a server.
        '<link rel="icon" href="data:,"></head><body><main>',
        f"<h1>{escape(title)}</h1>",
        *(part for part in parts if part),
        "</main></body></html>",
    ]
    with replacing(path) as temporary:
        temporary.write_text(printable("\n".join(whole)), encoding="utf-8")
    return Path(path)


def words_table(table: Any) -> str:
    """A section with a `ReportTable`."""
    head = "".join(f"<th>{escape(words)}</th>" for words in table.header)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(words)}</td>' for words in row[1:])}</tr>"
        for row in table.rows
    )
    return (
        f'<section><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"<p><small>{escape(table.caption)}</small></p></section>"
    )


def figure(picture: str | Path, caption: str, size: str = "") -> str:
    """A png file with its caption; ``wide`` ones can be pushed sideways on a phone, ``narrow`` ones not."""
    kind = f' class="{size}"' if size else ""
    image = f'<img src="{_data(picture, "image/png")}" alt="{escape(caption)}">'
    return f"<figure{kind}>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def players(sounds: Iterable[tuple[str, Any]]) -> str:
    """Players of ``(label, path of a wav file)`` side by side; nothing without any."""
    items = [
        f"<div><h3>{escape(label)}</h3>"
        f'<audio controls preload="metadata" src="{_data(sound, "audio/wav")}"></audio></div>'
        for label, sound in sounds
    ]
    return f'<div class="players">{"".join(items)}</div>' if items else ""


def missing_files(names: Sequence[str]) -> str:
    """Says what was not found; nothing if nothing is missing."""
    return f'<p class="missing">Not found in this run: {escape(", ".join(names))}.</p>' if names else ""


def settings_list(settings: Mapping[str, str]) -> str:
    """Settings of a run, text by key; many of them are folded away."""
    items = "".join(
        f"<div><dt>{escape(key)}</dt><dd>{escape(text)}</dd></div>" for key, text in settings.items()
    )
    if len(settings) > MOST_SETTINGS:
        return f"<details><summary>Settings</summary><dl>{items}</dl></details>"
    return f"<dl>{items}</dl>" if items else ""


def epochs_table(rows: Sequence[Mapping[str, float]]) -> str:
    """All measures of all epochs, folded away."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "epoch"))
    head = "".join(f"<th>{escape(readable(name))}</th>" for name in ["epoch", *columns])
    body = "".join(
        f"<tr><th>{row['epoch']}</th>"
        + "".join(f"<td>{number(row.get(name))}</td>" for name in columns)
        + "</tr>"
        for row in rows
    )
    return (
        "<details><summary>Measures of every epoch</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></details>"
    )


def log_text(lines: Sequence[str]) -> str:
    """A training log, folded away."""
    if not lines:
        return ""
    return f"<details><summary>Training log</summary><pre>{escape(chr(10).join(lines))}</pre></details>"


def curves(runs: Sequence[Any], reference_column: Callable, reference_name: str) -> str:
    """A chart for every measure, all runs in each, beside the reference.

    Arguments
    ---------
    runs : sequence
        With ``name`` and ``rows``, a dict of numbers per epoch.
    reference_column : callable
        From a column to that of its reference. Columns that are some other one's reference get no chart.
    reference_name : str
        What the reference is.

    Returns
    -------
    str
        A section; nothing if there are no measures.
    """
    runs = [run for run in runs if run.rows]
    columns = measures(runs, reference_column)
    if not columns:
        return ""
    charts = []
    for column in columns:
        lines = [(run.name, _points(run, column)) for run in runs]
        reference = next(filter(None, (_points(run, reference_column(column)) for run in runs)), [])
        charts.append(f'<div class="chart">{line_chart(readable(column), lines, reference)}</div>')
    names = "".join(f'<li class="curve-{n}">{escape(run.name)}</li>' for n, run in enumerate(runs))
    return (
        f'<section><h2>Over training time</h2><ul class="legend">{names}'
        f'<li class="reference">{escape(reference_name)}</li></ul>'
        f'<div class="charts">{"".join(charts)}</div></section>'
    )


def measures(runs: Sequence[Any], reference_column: Callable) -> list[str]:
    """Columns of all runs in the order of their appearance, without the epoch and the references."""
    columns = dict.fromkeys(name for run in runs for row in run.rows for name in row if name != "epoch")
    references = {reference_column(name) for name in columns}
    return [name for name in columns if name not in references]


def number(value: float | None) -> str:
    """A figure in words."""
    return "–" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _points(run: Any, column: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[column]) for row in run.rows if column in row]


def _data(path: str | Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
