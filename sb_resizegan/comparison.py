"""What a grid of trainings shows: figures of every run, a table of variants, pictures and one page."""

import math
import statistics
from typing import NamedTuple

import torch

from sb_resizegan.dataio.corpora import prepare_default_corpus
from sb_resizegan.dataio.windows import SpeechWindows
from sb_resizegan.figures import comparison_figure, measures_figure, spectrum_figure
from sb_resizegan.inference import SpeechWindowGenerator, load_weights
from sb_resizegan.metrics.gradients import gradient_waveforms, measure_gradients
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.metrics.tables import read_measures, readable, reference_column, write_measures
from sb_resizegan.report import ReportTable, write_report
from sb_resizegan.utils.checkpoints import AtomicCheckpointer

__all__ = ["gather", "markdown_table", "summarise"]

REAL = "real speech"
CURVES = ("prominence_worst_db", "out_of_band_db", "spectral_distance_db", "frechet_log_mel")
GRADIENT_WINDOWS = 512
LATENT_SEED = 0
FLOOR = "frechet_log_mel_floor"


class Summary(NamedTuple):
    """Figures of the runs of a variant."""

    variant: str
    runs: int
    mean: dict
    """Mean over runs by measure."""

    spread: dict
    """Standard deviation over runs by measure, NaN for a single run."""


def gather(grid, runs, say=print):
    """Measures the finished runs of a grid, and writes tables, pictures and the report into its output folder.

    Each run's exported generator is measured anew on ``grid.compared_windows`` windows against twice as many of the
    files that the run was not trained on. The row of real speech measures windows that were trained on in the place
    of generated ones: what a generator would reach that had learnt its data by heart.

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
        ``report.html``. Beside it lie ``measures.csv`` (a row a run), ``comparison.csv`` and ``comparison.md`` (a row a
        variant), ``gradients.csv`` and ``figures/*.png``.

    Raises
    ------
    ValueError
        If there is no run, or ``grid.best_by`` is no measure.
    """
    if not runs:
        raise ValueError(f"{grid.path}: no run is finished; there is nothing to gather")
    folder = grid.output_folder
    rows, gradient_rows, real_seeds, loaded = [], [], set(), {}
    for number, run in enumerate(runs, 1):
        say(f"[{number}/{len(runs)}] measuring {run.name}")
        generated = generate(run, grid.compared_windows)
        train, valid = _speech(run, loaded)
        real = valid.fixed(2 * len(generated), run.seed)
        known = train.fixed(4 * len(generated), run.seed)
        if run.seed not in real_seeds:
            real_seeds.add(run.seed)
            rows.append({"variant": REAL, "seed": run.seed, **_measure(run, known[: len(generated)], real)})
        rows.append({"variant": run.variant, "seed": run.seed, **_measure(run, generated, real, known)})
        gradient_rows += _measure_gradients(run)
    if grid.best_by not in rows[-1]:
        raise ValueError(f"{grid.path}: best_by: expected one of {list(rows[-1])[2:]}, but got {grid.best_by!r}")
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
        figures=list(_figures(grid, runs, best, loaded)),
        tables=[
            ReportTable(note, *table),
            ReportTable("Gradients of the critics with respect to generated windows, mean ± spread over runs", *gradients),
        ],
    )


def generate(run, count):
    """Windows ``(count, time)`` of a finished run's exported generator, the same ones at each call."""
    model = SpeechWindowGenerator.from_hparams(source=run.folder / "export", run_opts={"device": "cpu"})
    return model.generate(count, seed=LATENT_SEED)


def summarise(rows):
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
    groups = {}
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
                {name: statistics.stdev(some) if len(some) > 1 else math.nan for name, some in values.items()},
            )
        )
    return summaries


def markdown_table(header, rows):
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


def _measure(run, windows, real, train=None):
    hparams = run.hparams
    return measure_windows(
        windows, real, hparams["factors"], hparams["sample_rate"], cutoff_hz=hparams["cutoff_hz"], train=train
    )


def _measure_gradients(run):
    """Rows of the run's critic before and after the training, at windows of its generator at that time."""
    for state, critic, windows in _critics(run):
        row = measure_gradients(
            critic,
            windows,
            run.hparams["factors"],
            run.hparams["sample_rate"],
            cutoff_hz=run.hparams["cutoff_hz"],
        )
        yield {"variant": f"{run.variant}, {state}", "seed": run.seed, **row}


def _critics(run):
    """The run's critic, as it scores in training, and windows of its generator; first untrained, then trained."""
    generator, critic = run.hparams["generator"], run.hparams["critic"].train()
    with torch.no_grad():
        latent = generator.sample_latent(GRADIENT_WINDOWS, torch.Generator().manual_seed(LATENT_SEED))
        fresh = generator(latent)
    initial = {name: value.clone() for name, value in critic.state_dict().items()}

    def score(windows):
        random = torch.Generator().manual_seed(LATENT_SEED)
        return critic(windows, critic.draw_shifts(len(windows), random))

    yield "untrained", score, fresh
    newest = AtomicCheckpointer(run.folder / "save").find_checkpoint()
    load_weights(critic, newest.path / "critic.ckpt")
    yield "trained", score, generate(run, GRADIENT_WINDOWS)
    critic.load_state_dict(initial)


def _speech(run, loaded):
    """Windows of the files that a run is trained on and of those that it isn't; runs of one seed share them."""
    hparams = run.hparams
    data_folder = str(hparams["data_folder"] or prepare_default_corpus(hparams["language"]))
    settings = {key: hparams[key] for key in ("window_samples", "sample_rate", "lowpass_hz", "max_memory_gb")}
    windows = []
    for name in ("train", "valid"):
        manifest = run.folder / "save" / f"{name}.json"
        key = (manifest.read_text(encoding="utf-8"), data_folder, *settings.values())
        if key not in loaded:
            loaded[key] = SpeechWindows(manifest, data_root=data_folder, **settings)
        windows.append(loaded[key])
    return windows


def _first_runs(runs):
    """The first finished run of each variant."""
    first = {}
    for run in runs:
        first.setdefault(run.variant, run)
    return first


def _figures(grid, runs, best, loaded):
    """Draws the pictures, and yields each with what it shows."""
    folder, first = grid.output_folder / "figures", _first_runs(runs)
    shown = [name for name in dict.fromkeys([*grid.shown, best]) if name in first]
    rate = first[best].hparams["sample_rate"]
    _, valid = _speech(first[best], loaded)
    sets = {"real": valid.fixed(grid.compared_windows, first[best].seed)}
    sets |= {name: generate(first[name], grid.compared_windows) for name in shown}
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
    gradients = {}
    for variant in grid.gradients:
        for state, critic, windows in _critics(first[variant]) if variant in first else ():
            waveforms = gradient_waveforms(critic, windows)
            # Penalised gradients have norm one, those of an untrained critic much less: their shapes are compared.
            gradients[f"{variant}, {state}"] = waveforms / waveforms.square().mean().sqrt()
    if gradients:
        yield (
            "Average spectra of the critics' gradients at generated windows, of equal energy",
            spectrum_figure(gradients, folder / "gradients.png", rate, factors),
        )


def _mean_curves(runs, variant):
    """Measures over epochs, averaged over the runs of a variant."""
    epochs = {}
    for run in runs:
        if run.variant == variant:
            for row in read_measures(run.folder / "measures.csv"):
                epochs.setdefault(row["epoch"], []).append(row)
    mean = []
    for epoch, rows in sorted(epochs.items()):
        names = [name for name in rows[0] if all(name in row for row in rows)]
        mean.append({name: statistics.fmean(row[name] for row in rows) for name in names} | {"epoch": epoch})
    return mean


def _flat(summary):
    """A summary as a row of a csv table."""
    row = {"variant": summary.variant, "runs": summary.runs}
    for name, value in summary.mean.items():
        row[name] = f"{value:.6g}"
        row[f"{name}_spread"] = "" if math.isnan(summary.spread[name]) else f"{summary.spread[name]:.6g}"
    return row


def _text_table(summaries):
    """Header and rows of a table to read: measures of generated windows, and the Fréchet distance's noise floor."""
    names = list(dict.fromkeys(name for summary in summaries for name in summary.mean))
    names = [name for name in names if name not in {reference_column(other) for other in names} or name == FLOOR]
    rows = []
    for summary in summaries:
        cells = [_cell(summary.mean.get(name), summary.spread.get(name)) for name in names]
        rows.append([summary.variant, str(summary.runs), *cells])
    return ["", "runs", *map(readable, names)], rows


def _cell(mean, spread):
    if mean is None:
        return "–"
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"


def _note(grid, runs, best):
    """What the table shows, in words."""
    hparams = runs[0].hparams
    steps = hparams["number_of_epochs"] * hparams["iterations_per_epoch"]
    missing = [run.name for run in grid.runs if run.name not in {r.name for r in runs}]
    parts = [
        f"Mean ± standard deviation over runs of different seeds, each after {steps} generator steps; "
        f"{grid.compared_windows} generated windows of each run against {2 * grid.compared_windows} of speech files "
        "that it was not trained on.",
        f"{REAL.capitalize()}: windows that were trained on in the place of generated ones.",
        f"Best by {readable(grid.best_by)}: {best}.",
    ]
    if missing:
        parts.append(f"Not finished: {', '.join(missing)}.")
    return " ".join(parts)
