"""One page of enhancers: scores, spectrograms and players of a few utterances, and how the training went."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.metrics.latents import describe_variation
from sb_resizegan.metrics.measures import noisy_column
from sb_resizegan.report.evaluation_folder import read_examples, read_variation
from sb_resizegan.report.finished_runs import begins, by_epoch, read_or_note, read_settings, short_names
from sb_resizegan.report.html import (
    ReportTable,
    curves,
    epochs_table,
    figure,
    log_text,
    missing_files,
    players,
    settings_list,
    words_table,
    write_page,
)
from sb_resizegan.report.measures_csv import read_measures
from sb_resizegan.report.score_table import caption, cells, header, noted, read_scores

__all__ = ["EnhancementRun", "is_enhancement_run", "read_enhancement_run", "write_enhancement_report"]

TEST_FOLDER = "test"
TRAINING_FILES = ("hyperparams.yaml", "measures.csv", "train_log.txt")


class EnhancementRun(NamedTuple):
    """What a training or a test of an enhancer has left. What is missing is empty."""

    name: str
    """How the page calls it."""

    scores: SystemScores | None
    """Scores of the test."""

    variation: dict
    """Figures on latents by system."""

    picture: Path | None
    """PESQ by signal-to-noise ratio."""

    examples: list
    """Of ``(heading, path of spectrograms, [(version, path of a sound), …])``; of the test, or else of the
    last epoch."""

    settings: dict
    """Plain settings of the training, text by key."""

    rows: list
    """Measures of the training, a dict of numbers per epoch."""

    log: list
    """Lines of the training log."""

    missing: list
    """What was looked for and not found, in words."""


def is_enhancement_run(folder: str | Path) -> bool:
    """Whether a folder is the output of a training or a test of an enhancer or a vocoder, not of windows.

    Arguments
    ---------
    folder : str or Path

    Returns
    -------
    bool
    """
    folder = Path(folder)
    stated = folder / "hyperparams.yaml"
    task = read_settings(stated, ["task"]).get("task") if stated.is_file() else None
    if task is not None:
        return task in ("enhancement", "restoration", "vocoder")
    # A test of an enhancer has no yaml, and trainings of before stated no task.
    return _test_folder(folder) is not None or any(folder.glob("samples/*/noisy.wav"))


def read_enhancement_run(folder: str | Path, name: str | None = None) -> EnhancementRun:
    """Finds what a training or a test of an enhancer has left.

    Arguments
    ---------
    folder : str or Path
        Output folder of a test, or of a training, with that of its test inside under ``test``.
    name : str
        How to call it, the folder's name by default.

    Returns
    -------
    EnhancementRun
        What is there. A file that can't be used counts as missing.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If nothing of a test or a training is in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; expected the output folder of a training or a test"
        )
    missing: list[str] = []
    scores, variation, picture, examples = None, {}, None, []
    test = _test_folder(folder)
    if test is not None:
        scores = read_or_note(test / "scores.csv", read_scores, None, missing)
        variation = read_or_note(test / "latents.csv", lambda path: read_variation(path.parent), {}, [])
        if scores is not None and len(scores.buckets()) > 1:
            picture = _checked(test / "pesq_by_snr.png", b"\x89PNG", missing)
        listed = read_or_note(
            test / "examples" / "examples.csv", lambda path: read_examples(test), [], missing
        )
        examples = [_usable(example, missing) for example in listed]
    settings, rows, log = {}, [], []
    trained = any((folder / file).is_file() for file in TRAINING_FILES)
    if trained:
        settings = read_or_note(folder / "hyperparams.yaml", read_settings, {}, missing)
        rows = read_or_note(folder / "measures.csv", read_measures, [], missing)
        log = read_or_note(folder / "train_log.txt", _lines, [], missing)
    examples = examples or _epoch_examples(folder)
    if test is None and not (trained and examples):
        raise ValueError(
            f"{folder}: expected the output folder of a training or a test of an enhancer, but found neither"
        )
    return EnhancementRun(
        name or folder.resolve().name, scores, variation, picture, examples, settings, rows, log, missing
    )


def write_enhancement_report(
    folders: Sequence[str | Path], path: str | Path, title: str = "Enhanced speech"
) -> Path:
    """Writes the page of one or several trainings or tests of enhancers.

    The page needs nothing else: pictures and sounds are inside, and no script runs.

    Arguments
    ---------
    folders : sequence of str or Path
        Output folders.
    path : str or Path
        The html file; one that was there before is replaced in one step.
    title : str
        Heading of the page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_enhancement_run()`; also if there is no folder.
    OSError
        If the file can't be written.
    """
    folders = [Path(folder) for folder in folders]
    if not folders:
        raise ValueError("folders: expected at least one output folder of a training or a test, but got none")
    runs = [
        read_enhancement_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)
    ]
    return write_page(path, title, [*map(_section, runs), curves(runs, noisy_column, "noisy speech")])


def _section(run: EnhancementRun) -> str:
    """One run: scores, examples, settings, log."""
    parts = [f"<section><h2>{escape(run.name)}</h2>", missing_files(run.missing)]
    if run.scores is not None:
        parts.append(words_table(ReportTable(caption(run.scores), header(run.scores), cells(run.scores))))
        notes = "".join(f"<li>{escape(line)}</li>" for line in noted(run.scores))
        if notes:
            parts.append(
                f"<details><summary>To be noted of single utterances</summary><ul>{notes}</ul></details>"
            )
    parts += [
        f"<p>{escape(system)}: {escape(describe_variation(figures))}</p>"
        for system, figures in run.variation.items()
    ]
    if run.picture:
        parts.append(
            figure(run.picture, "Mean PESQ by signal-to-noise ratio, with standard errors", "narrow")
        )
    for heading, picture, sounds in run.examples:
        parts.append(f"<h2>{escape(heading)}</h2>")
        if picture:
            parts.append(figure(picture, f"Spectrograms of {heading}", size="wide"))
        parts.append(players(sounds))
    return "".join(
        [*parts, settings_list(run.settings), epochs_table(run.rows), log_text(run.log), "</section>"]
    )


def _test_folder(folder: Path) -> Path | None:
    return next((place for place in (folder / TEST_FOLDER, folder) if (place / "scores.csv").is_file()), None)


def _usable(example: Any, missing: list[str]) -> tuple:
    """An example without the files that aren't there."""
    heading, picture, sounds = example
    sounds = [(version, path) for version, path in sounds if _checked(path, b"RIFF", missing)]
    return heading, _checked(picture, b"\x89PNG", missing), sounds


def _checked(path: Path, start: bytes, missing: list[str]) -> Path | None:
    if begins(path, start):
        return path
    missing.append(f"{path.parent.name}/{path.name}")
    return None


def _epoch_examples(folder: Path) -> list:
    """Examples of the newest epoch of a training; its spectrograms stand with the first one."""
    examples: list[tuple] = []
    pictures = by_epoch(folder / "spectrograms", ".png")
    for place in sorted(folder.glob("samples/*"), key=_position):
        sounds = by_epoch(place, ".wav")
        if sounds:
            epoch = max(sounds)
            versions = [("noisy", place / "noisy.wav"), (f"output, epoch {epoch}", sounds[epoch])]
            versions = [*versions, ("clean", place / "clean.wav")]
            picture = None if examples else pictures.get(epoch)
            heading = place.name.split("_", 1)[-1]
            examples.append((heading, picture, [item for item in versions if begins(item[1], b"RIFF")]))
    return examples


def _position(place: Path) -> tuple[float, str]:
    number = place.name.split("_", 1)[0]
    return (int(number) if number.isdigit() else math.inf, place.name)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
