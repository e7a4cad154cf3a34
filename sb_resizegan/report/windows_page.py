"""One page to look at and listen to: pictures, sounds, curves and figures of trainings, in a single file."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
import torch

from sb_resizegan.metrics.measures import readable, reference_column
from sb_resizegan.report.finished_runs import begins, by_epoch, read_or_note, read_settings, short_names
from sb_resizegan.report.html import (
    ReportTable,
    curves,
    epochs_table,
    figure,
    log_text,
    measures,
    missing_files,
    number,
    players,
    settings_list,
    words_table,
    write_page,
)
from sb_resizegan.report.measures_csv import read_measures
from sb_resizegan.report.window_figures import comparison_figure

__all__ = ["ReportTable", "Run", "read_run", "write_report"]

SHOWN_KEYS = (
    "upsampling",
    "downsampling",
    "phase_shuffle",
    "lowpass_hz",
    "loss",
    "seed",
    "number_of_epochs",
    "iterations_per_epoch",
    "critic_steps",
    "batch_size",
    "window_samples",
)


class Run(NamedTuple):
    """What a training has left in its output folder. What is missing is empty, and named."""

    name: str
    """How the report calls it."""

    settings: dict
    """Lines of its yaml that say what it was, text by key."""

    rows: list
    """Its measures, a dict of numbers per epoch."""

    epoch: int
    """The epoch whose sound and picture are shown, 0 if there is none."""

    real: Path | None
    """Sound of real windows."""

    generated: Path | None
    """Sound of generated windows."""

    picture: Path | None
    """Spectrograms, real above generated."""

    log: list
    """Lines of its training log."""

    missing: list
    """What was looked for and not found, in words."""


def read_run(folder: str | Path, name: str | None = None) -> Run:
    """Finds what a training has left.

    Arguments
    ---------
    folder : str or Path
        Output folder of a training: ``hyperparams.yaml``, ``measures.csv``, ``samples/real.wav``,
        ``samples/epoch_NNNN.wav``, ``spectrograms/epoch_NNNN.png``, ``train_log.txt``.
    name : str
        How to call it, the folder's name by default.

    Returns
    -------
    Run
        What is there. A file that can't be used counts as missing.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If none of these files is in it: it is no training's output.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected the output folder of a training")
    missing: list[str] = []
    settings = read_or_note(
        folder / "hyperparams.yaml", lambda path: read_settings(path, SHOWN_KEYS), {}, missing
    )
    rows = read_or_note(folder / "measures.csv", read_measures, [], missing)
    log = read_or_note(
        folder / "train_log.txt", lambda path: path.read_text(errors="replace").splitlines(), [], missing
    )
    sounds, pictures = by_epoch(folder / "samples", ".wav"), by_epoch(folder / "spectrograms", ".png")
    # Sound and picture of one and the same epoch, where there is one.
    epoch = max(set(sounds) & set(pictures) or set(sounds) or set(pictures), default=0)
    real = folder / "samples" / "real.wav"
    files = {
        "real": (real if begins(real, b"RIFF") else None, "samples/real.wav"),
        "generated": (sounds.get(epoch), "samples/epoch_NNNN.wav"),
        "picture": (pictures.get(epoch), "spectrograms/epoch_NNNN.png"),
    }
    missing += [words for path, words in files.values() if path is None]
    if not (settings or rows or log or any(path for path, _ in files.values())):
        raise ValueError(f"{folder}: expected the output folder of a training, but found none of its files")
    paths = {key: path for key, (path, _) in files.items()}
    return Run(name or folder.resolve().name, settings, rows, epoch, log=log, missing=missing, **paths)


def runs_figure(folders: Sequence[str | Path], path: str | Path) -> Path:
    """Spectrograms of real windows and of those of several trainings' last epochs, one above the other.

    Arguments
    ---------
    folders : sequence of str or Path
        Output folders of trainings on the same data; the real windows are the first one's.
    path : str or Path
        The picture.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_run()`; also if a training has left no sound.
    """
    folders = [Path(folder) for folder in folders]
    runs = [read_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)]
    sets: dict[str, torch.Tensor] = {}
    for run, folder in zip(runs, folders, strict=True):
        if run.real is None or run.generated is None:
            raise ValueError(f"{folder}: expected sounds in samples/, but found none")
        waveform, rate = soundfile.read(run.generated, dtype="float32")
        sets.setdefault("real", torch.from_numpy(soundfile.read(run.real, dtype="float32")[0]))
        sets[run.settings.get("upsampling", run.name)] = torch.from_numpy(waveform)
    samples = int(runs[0].settings.get("window_samples", 2048))
    return comparison_figure({name: sound.view(-1, samples) for name, sound in sets.items()}, path, rate)


def write_report(
    folders: Sequence[str | Path],
    path: str | Path,
    title: str = "Windows of speech",
    figures: Sequence[tuple[str, str | Path]] = (),
    tables: Sequence[ReportTable] = (),
) -> Path:
    """Writes the report of one or several trainings.

    The page needs nothing else: pictures and sounds are inside, and no script runs.

    Arguments
    ---------
    folders : sequence of str or Path
        Output folders of trainings.
    path : str or Path
        The html file; one that was there before is replaced in one step.
    title : str
        Heading of the page.
    figures : sequence of tuple
        More pictures to show above the runs: ``(caption, path of a png file)``.
    tables : sequence of ReportTable
        Tables to show above all else.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_run()`; also if there is no folder or a figure is no png file.
    OSError
        If the file can't be written.
    """
    folders = [Path(folder) for folder in folders]
    if not folders:
        raise ValueError("folders: expected at least one output folder of a training, but got none")
    for _, picture in figures:
        if not begins(Path(picture), b"\x89PNG"):
            raise ValueError(f"{picture}: expected a png file")
    runs = [read_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)]
    parts = [
        *map(words_table, tables),
        _table(runs),
        *(figure(picture, text) for text, picture in figures),
        curves(runs, reference_column, "real speech"),
        *map(_section, runs),
    ]
    return write_page(path, title, parts)


def _section(run: Any) -> str:
    """One run: spectrograms, players, settings, log."""
    sounds = [("real", run.real), (f"generated, epoch {run.epoch}", run.generated)]
    parts = [
        f"<section><h2>{escape(run.name)}</h2>",
        missing_files(run.missing),
        figure(run.picture, f"{run.name}, epoch {run.epoch}: windows joined, real above generated", "wide")
        if run.picture
        else "",
        players([(label, sound) for label, sound in sounds if sound]),
        settings_list(run.settings),
        epochs_table(run.rows),
        log_text(run.log),
        "</section>",
    ]
    return "".join(parts)


def _table(runs: Sequence[Any]) -> str:
    """Last measures of all runs, a column a run, beside what real data have."""
    last = {run.name: run.rows[-1] for run in runs if run.rows}
    if not last:
        return ""
    columns = measures([run for run in runs if run.rows], reference_column)
    head = "".join(
        f"<th>{escape(name)}<small>epoch {row['epoch']}</small></th>" for name, row in last.items()
    )
    body = []
    for column in columns:
        real = next(
            (row[reference_column(column)] for row in last.values() if reference_column(column) in row), None
        )
        cells = "".join(f"<td>{number(row.get(column))}</td>" for row in last.values())
        body.append(
            f'<tr><th>{escape(readable(column))}</th>{cells}<td class="real">{number(real)}</td></tr>'
        )
    return (
        '<section><h2>Measures</h2><div class="wide"><table><thead><tr><th></th>'
        f'{head}<th class="real">real speech</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></section>"
    )
