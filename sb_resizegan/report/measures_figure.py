"""A picture of measures over training time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sb_resizegan.metrics.measures import readable, reference_column
from sb_resizegan.report.drawing import COLOURS, cycle, save

__all__ = ["measures_figure"]


def measures_figure(
    tables: dict[str, list[dict]], path: str | Path, columns: Sequence[str], title: str | None = None
) -> Path:
    """Measures over epochs, one panel a measure, one curve a run.

    Arguments
    ---------
    tables : dict of str to list of dict
        Rows by the name of the run, as `sb_resizegan.report.measures_csv.read_measures()` gives them.
    path : str or Path
        Where to put the picture; its ending chooses the format.
    columns : sequence of str
        The measures. Where a run also has a column of that name for real data (``out_of_band_real_db`` beside
        ``out_of_band_db``) or a noise floor (``…_floor``), it is drawn dashed.
    title : str
        Written above.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    ValueError
        If no run has one of the columns.
    """
    if not columns:
        raise ValueError("columns: expected at least one measure, but got none")
    wide = 2 if len(columns) in (2, 4) else min(3, len(columns))
    high = -(-len(columns) // wide)
    figure = Figure(figsize=(4.2 * wide, 0.6 + 2.7 * high), layout="constrained")
    panels = list(figure.subplots(high, wide, squeeze=False).flat)
    for axes, column in zip(panels, columns, strict=False):
        _draw_measure(axes, tables, column)
    for axes in panels[len(columns) :]:
        axes.set_axis_off()
    panels[0].legend(fontsize=8)
    for axes in panels[max(0, len(columns) - wide) : len(columns)]:
        axes.set_xlabel("epoch")
    if title:
        figure.suptitle(title, fontsize=12)
    return save(figure, path)


def _draw_measure(axes: Any, tables: Any, column: str) -> None:
    """One measure of all runs, with the first run's figures of real data dashed."""
    curves = {name: _points(rows, column) for name, rows in tables.items()}
    if not any(curves.values()):
        raise ValueError(f"columns: no run has a measure {column!r}")
    for (name, points), colour in zip(curves.items(), cycle(COLOURS[1:]), strict=False):
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=name, marker=".", markersize=4)
    real = next(filter(None, (_points(rows, reference_column(column)) for rows in tables.values())), None)
    if real:
        axes.plot(*zip(*real, strict=True), color=COLOURS[0], linestyle="--", linewidth=1, label="real")
    axes.set_title(readable(column), loc="left", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.25)


def _points(rows: Sequence[Mapping[str, float]], column: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[column]) for row in rows if column in row]
