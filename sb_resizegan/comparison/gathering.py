"""What a grid of trainings shows: figures of every run, a table of variants, pictures and one page."""

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sb_resizegan.comparison.grid import Grid, GridRun
from sb_resizegan.comparison.results import GRADIENT_STATES, Results
from sb_resizegan.metrics.gradients import measure_gradients
from sb_resizegan.metrics.measures import readable, reference_column
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.report.measures_csv import read_measures, write_measures
from sb_resizegan.report.measures_figure import measures_figure
from sb_resizegan.report.window_figures import comparison_figure, spectrum_figure
from sb_resizegan.report.windows_page import ReportTable, write_report

__all__ = ["gather", "markdown_table", "summarise"]

REAL = "real speech"
CURVES = ("prominence_worst_db", "out_of_band_db", "spectral_distance_db", "frechet_log_mel")
FLOOR = "frechet_log_mel_floor"


class Summary(NamedTuple):
    """Figures of the runs of a variant."""

    variant: str
    runs: int
    mean: dict
    """Mean over runs by measure."""

    spread: dict
    """Standard deviation over runs by measure, NaN for a single run."""


def gather(grid: Grid, runs: list[GridRun], say: Callable = print) -> Path:
    """Measures finished runs, and writes tables, pictures and the report into the grid's output folder.

    Each run's exported generator is measured anew on ``grid.compared_windows`` windows against twice as many
    of the files that the run was not trained on. The row of real speech measures windows that were trained on
    in the place of generated ones: what a generator would reach that had learnt its data by heart.

    Arguments
    ---------
    grid : Grid
        The grid.
    runs : list of GridRun
        Its finished runs, at least one.
    say : callable
        Takes lines of progress.

    Returns
    -------
    Path
        ``report.html``. Beside it lie ``measures.csv`` (a row a run), ``comparison.csv`` and
        ``comparison.md`` (a row a variant), ``gradients.csv`` and ``figures/*.png``.

    Raises
    ------
    ValueError
        If there is no run.
    """
    if not runs:
        raise ValueError(f"{grid.path}: no run is finished; there is nothing to gather")
    folder = grid.output_folder
    results = Results(grid.compared_windows)
    rows: list[dict[str, Any]] = []
    gradient_rows: list[dict[str, Any]] = []
    for number, run in enumerate(runs, 1):
        say(f"[{number}/{len(runs)}] measuring {run.name}")
        generated, real, train = results.generated(run), results.real(run), results.train(run)
        if not any(row["seed"] == run.seed for row in rows):
            rows.append({"variant": REAL, "seed": run.seed, **_measure(run, train[: len(generated)], real)})
        rows.append({"variant": run.variant, "seed": run.seed, **_measure(run, generated, real, train)})
        for state, gradients in results.gradients(run).items():
            name, own = f"{run.variant}, {state}", run.hparams
            if state == GRADIENT_STATES[0] and any(row["variant"] == name for row in gradient_rows):
                continue  # fresh critics know nothing of the run's seed
            row = measure_gradients(gradients, own["factors"], own["sample_rate"], own["cutoff_hz"])
            gradient_rows.append({"variant": name, "seed": run.seed, **row})
    summaries = summarise(rows)
    best = min((s for s in summaries if s.variant != REAL), key=lambda s: s.mean[grid.best_by]).variant
    write_measures(rows, folder / "measures.csv")
    write_measures(gradient_rows, folder / "gradients.csv")
    write_measures([_flat(summary) for summary in summaries], folder / "comparison.csv")
    table = _text_table(summaries)
    note = _note(grid, runs, best)
    (folder / "comparison.md").write_text(f"{markdown_table(*table)}\n\n{note}\n", encoding="utf-8")
    gradients = _text_table(summarise(gradient_rows))
    say("drawing")
    return write_report(
        [run.folder for run in _first_runs(runs).values()],
        folder / "report.html",
        title="Upsampling compared",
        figures=list(_figures(grid, runs, best, results)),
        tables=[
            ReportTable(note, *table),
            ReportTable(
                "Gradients of the critics with respect to windows: mean ± standard deviation over runs",
                *gradients,
            ),
        ],
    )


def summarise(rows: list[dict]) -> list[Summary]:
    """Mean and spread over the runs of each variant.

    Arguments
    ---------
    rows : list of dict
        Numbers by measure, with ``variant`` and ``seed``.

    Returns
    -------
    list of Summary
        In the order of the variants' first rows.

    Example
    -------
    >>> (summary,) = summarise([{"variant": "sinc", "seed": s, "loss": 2.0 * s} for s in (1, 2)])
    >>> summary.mean["loss"], round(summary.spread["loss"], 3)
    (3.0, 1.414)
    """
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["variant"], []).append(row)
    summaries = []
    for variant, members in groups.items():
        names = [name for name in members[0] if name not in ("variant", "seed")]
        values = {name: [row[name] for row in members if name in row] for name in names}
        summaries.append(
            Summary(
                variant,
                len(members),
                {name: statistics.fmean(some) for name, some in values.items()},
                {
                    name: statistics.stdev(some) if len(some) > 1 else math.nan
                    for name, some in values.items()
                },
            )
        )
    return summaries


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown.

    Example
    -------
    >>> print(markdown_table(["run", "dB"], [["nearest", "1.2 ± 0.1"]]))
    | run | dB |
    | --- | ---: |
    | nearest | 1.2 ± 0.1 |
    """
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measure(
    run: Any, windows: torch.Tensor, real: torch.Tensor, train: torch.Tensor | None = None
) -> dict[str, float]:
    hparams = run.hparams
    return measure_windows(
        windows, real, hparams["factors"], hparams["sample_rate"], cutoff_hz=hparams["cutoff_hz"], train=train
    )


def _first_runs(runs: Sequence[GridRun]) -> dict[str, GridRun]:
    """The first finished run of each variant."""
    first: dict[str, GridRun] = {}
    for run in runs:
        first.setdefault(run.variant, run)
    return first


def _figures(grid: Grid, runs: Sequence[GridRun], best: str, results: Results) -> Iterator[tuple[str, Path]]:
    """Draws the pictures, and yields each with what it shows."""
    folder, first = grid.output_folder / "figures", _first_runs(runs)
    shown = [name for name in dict.fromkeys([*grid.shown, best]) if name in first]
    rate = first[best].hparams["sample_rate"]
    sets = {"real": results.real(first[best]), **{name: results.generated(first[name]) for name in shown}}
    yield "Windows joined", comparison_figure(sets, folder / "spectrograms.png", rate)
    factors = first[best].hparams["factors"]
    yield (
        "Average spectra; ticks mark the stride tones, longer ones those of later stages",
        spectrum_figure(sets, folder / "spectra.png", rate, factors),
    )
    for name, variants in grid.groups.items():
        tables = {variant: _mean_curves(runs, variant) for variant in variants if variant in first}
        columns = [c for c in CURVES if any(c in row for rows in tables.values() for row in rows)]
        if columns:
            path = measures_figure(tables, folder / f"curves_{name}.png", columns)
            yield f"Measures over training time: {', '.join(tables)}", path
    gradients = {variant: results.gradients(first[variant]) for variant in grid.gradients if variant in first}
    for state in GRADIENT_STATES:
        if gradients:
            # Shapes are compared: an untrained critic's slope is arbitrary.
            sets = {variant: x[state] / x[state].square().mean().sqrt() for variant, x in gradients.items()}
            path = folder / f"gradients_{re.sub(r'[^a-z]+', '_', state)}.png"
            yield (
                f"Average spectra of critics' gradients, of equal energy: {state}",
                spectrum_figure(sets, path, rate, factors[::-1]),
            )


def _mean_curves(runs: Sequence[Any], variant: str) -> list[dict[str, float]]:
    """Measures over epochs, averaged over the runs of a variant."""
    epochs: dict[float, list[dict[str, float]]] = {}
    for run in runs:
        if run.variant == variant:
            for row in read_measures(run.folder / "measures.csv"):
                epochs.setdefault(row["epoch"], []).append(row)
    mean = []
    for epoch, rows in sorted(epochs.items()):
        names = [name for name in rows[0] if all(name in row for row in rows)]
        mean.append({name: statistics.fmean(row[name] for row in rows) for name in names} | {"epoch": epoch})
    return mean


def _flat(summary: Any) -> dict[str, Any]:
    """A summary as a row of a csv table."""
    row = {"variant": summary.variant, "runs": summary.runs}
    for name, value in summary.mean.items():
        row[name] = f"{value:.6g}"
        row[f"{name}_spread"] = "" if math.isnan(summary.spread[name]) else f"{summary.spread[name]:.6g}"
    return row


def _text_table(summaries: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table to read; what real data have is a row of it, but for the noise floor."""
    names = list(dict.fromkeys(name for summary in summaries for name in summary.mean))
    names = [
        name for name in names if name not in {reference_column(other) for other in names} or name == FLOOR
    ]
    rows = []
    for summary in summaries:
        cells = [_cell(summary.mean.get(name), summary.spread.get(name)) for name in names]
        rows.append([summary.variant, str(summary.runs), *cells])
    return ["", "runs", *map(readable, names)], rows


def _cell(mean: float | None, spread: float) -> str:
    if mean is None:
        return "–"
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"


def _note(grid: Grid, runs: Sequence[Any], best: str) -> str:
    """What the table shows, in words."""
    hparams = runs[0].hparams
    steps = hparams["number_of_epochs"] * hparams["iterations_per_epoch"]
    missing = [run.name for run in grid.runs if run.name not in {r.name for r in runs}]
    parts = [
        f"Mean ± standard deviation over runs of different seeds, each after {steps} generator steps; "
        f"{grid.compared_windows} generated windows of each run against {2 * grid.compared_windows} of "
        "speech files that it was not trained on.",
        f"{REAL.capitalize()}: windows that were trained on in the place of generated ones.",
        f"Best by {readable(grid.best_by)}: {best}.",
    ]
    if missing:
        parts.append(f"Not finished: {', '.join(missing)}.")
    return " ".join(parts)
