"""What an evaluation leaves in a folder: tables, pictures, sounds; written, and found again."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sb_resizegan.evaluation.by_snr import choose_shown
from sb_resizegan.evaluation.pair_evaluation import EvaluationResult
from sb_resizegan.metrics.latents import describe_variation
from sb_resizegan.report.enhancement_figures import pesq_figure, utterances_figure
from sb_resizegan.report.measures_csv import write_measures
from sb_resizegan.report.score_table import write_scores
from sb_resizegan.report.sounds import folder_name, write_signal

__all__ = ["read_examples", "read_variation", "write_evaluation"]

LATENTS = "latents.csv"


def write_evaluation(
    result: EvaluationResult,
    folder: str | Path,
    shown: int = 4,
    save_audio: bool = False,
    remarks: Sequence[str] = (),
) -> Path:
    """Writes what an evaluation found.

    In ``folder`` it leaves ``scores.md`` (the table), ``scores.csv`` (a row for each utterance and system),
    ``pesq_by_snr.png`` where the ratios differ, ``latents.csv``, ``examples/`` (sounds and spectrograms of a
    few utterances, listed in ``examples.csv``) and, if wanted, ``enhanced/SYSTEM/NAME.wav``.
    `write_enhancement_report()` makes a page of it.

    Arguments
    ---------
    result : EvaluationResult
        What `evaluate()` found.
    folder : str or Path
        Made if need be.
    shown : int
        Utterances to look at and listen to, spread over the signal-to-noise ratios.
    save_audio : bool
        Whether to write all enhanced utterances.
    remarks : sequence of str
        Paragraphs to put below the table in ``scores.md``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        If a sound would lie outside the folder by the name of its system or utterance.

    Example
    -------
    >>> import numpy as np
    >>> from sb_resizegan.dataio.utterances import Utterance
    >>> from sb_resizegan.evaluation.system_scores import SystemScores
    >>> utterances = [Utterance("a", np.ones(8000), np.ones(8000), 0.0)]
    >>> scores = SystemScores.of(utterances, {"noisy": [{"pesq_wb": 1.5}]})
    >>> result = EvaluationResult(utterances, {"noisy": [np.ones(8000)]}, scores)
    >>> folder = write_evaluation(result, getfixture("tmp_path"))
    >>> sorted(path.name for path in folder.iterdir())
    ['examples', 'scores.csv', 'scores.md']
    """
    folder = Path(folder)
    sounds = _sound_paths(result, folder / "enhanced") if save_audio else {}
    if result.variation:
        rows = [{"system": name, **figures} for name, figures in result.variation.items()]
        write_measures(rows, folder / LATENTS)
    else:
        (folder / LATENTS).unlink(missing_ok=True)
    sentences = [f"{name}: {describe_variation(figures)}" for name, figures in result.variation.items()]
    write_scores(result.scores, folder, [*sentences, *remarks])
    if len(result.scores.buckets()) > 1:
        pesq_figure(result.scores, folder / "pesq_by_snr.png")
    else:
        (folder / "pesq_by_snr.png").unlink(missing_ok=True)
    _write_examples(result, choose_shown(result.utterances, shown), folder / "examples")
    for path, signal in sounds.items():
        write_signal(path, signal, result.sample_rate)
    return folder


def read_examples(folder: str | Path) -> list[tuple]:
    """The examples that `write_evaluation()` left.

    Arguments
    ---------
    folder : str or Path
        Its output folder.

    Returns
    -------
    list of tuple
        ``(name of the utterance, path of its spectrograms, [(version, path of a sound), …])``.

    Raises
    ------
    OSError, KeyError
        If there are none, or the list of them is damaged.
    """
    examples = Path(folder) / "examples"
    found: dict[str, tuple[str, Path, list]] = {}
    with open(examples / "examples.csv", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        for row in csv.DictReader(stream):
            place = examples / row["folder"]
            _, _, sounds = found.setdefault(row["folder"], (row["utterance"], place / "spectrograms.png", []))
            sounds.append((row["version"], place / row["file"]))
    return list(found.values())


def read_variation(folder: str | Path) -> dict[str, dict]:
    """What `write_evaluation()` found out about latents.

    Arguments
    ---------
    folder : str or Path
        Its output folder.

    Returns
    -------
    dict of str to dict
        Figures of `latent_variation()` by system; empty if there are none.
    """
    path = Path(folder) / LATENTS
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = list(csv.DictReader(stream))
    counts = ("latent_samples", "latent_utterances", "latent_pesq_utterances")
    return {
        row["system"]: {
            name: int(text) if name in counts else float(text)
            for name, text in row.items()
            if name != "system"
        }
        for row in rows
    }


def _write_examples(result: Any, shown: Sequence[int], examples: Path) -> None:
    rows = []
    for position, index in enumerate(shown):
        utterance = result.utterances[index]
        versions = {name: signals[index] for name, signals in result.outputs.items()}
        versions["clean"] = utterance.clean
        folder = folder_name(position, utterance.name)
        utterances_figure(
            {utterance.name: versions}, examples / folder / "spectrograms.png", result.sample_rate
        )
        for number, (version, signal) in enumerate(versions.items()):
            file = f"{folder_name(number, version)}.wav"
            write_signal(examples / folder / file, signal, result.sample_rate)
            rows.append({"folder": folder, "utterance": utterance.name, "version": version, "file": file})
    if rows:
        write_measures(rows, examples / "examples.csv")


def _sound_paths(result: Any, folder: Path) -> dict[Path, np.ndarray]:
    """All enhanced utterances by the path that each is written to."""
    sounds = {}
    for name, signals in result.outputs.items():
        if name == "noisy":
            continue
        for utterance, signal in zip(result.utterances, signals, strict=True):
            place = f"{name}/{utterance.name}.wav"
            if not (folder / place).resolve().is_relative_to(folder.resolve()):
                raise ValueError(
                    f"expected names of systems and utterances within a folder, but got {place!r}"
                )
            sounds[folder / place] = signal
    return sounds
