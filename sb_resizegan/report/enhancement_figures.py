"""Pictures of enhancement: spectrograms of utterances side by side, PESQ over signal-to-noise ratio."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.report.drawing import COLOURS, save
from sb_resizegan.report.window_figures import DYNAMIC_RANGE_DB, joined_spectrogram

__all__ = ["pesq_figure", "utterances_figure"]

N_FFT, HOP = 512, 128
MOST_SECONDS = 15


def utterances_figure(
    rows: dict[str, dict], path: str | Path, sample_rate: int = 16000, title: str | None = None
) -> Path:
    """Spectrograms of several versions of utterances, a row an utterance, a column a version.

    In a row, 0 dB is the loudest bin of the last version; the scale ends 80 dB below. Of a long utterance the
    first 15 s are shown.

    Arguments
    ---------
    rows : dict of str to dict
        By the name of an utterance its versions: signals ``(time,)`` by name, the same names in every row. A
        signal that is not finite is shown as an empty panel that says so.
    path : str or Path
        Where to put the picture; its ending chooses the format.
    sample_rate : int
        In Hz.
    title : str
        Written above.

    Returns
    -------
    Path
        The picture.

    Example
    -------
    >>> path = getfixture("tmp_path") / "speech.png"
    >>> versions = {"noisy": np.random.randn(8000), "clean": np.random.randn(8000)}
    >>> utterances_figure({"a": versions}, path).name
    'speech.png'
    """
    if not rows:
        raise ValueError("rows: expected at least one utterance, but got none")
    columns = list(next(iter(rows.values())))
    width = max(6.0, 3.6 * len(columns))
    figure = Figure(figsize=(width, 0.5 + 1.9 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(columns), sharey=True, squeeze=False)
    for line, (name, versions) in zip(panels, rows.items(), strict=True):
        powers = {column: _power(signal, sample_rate) for column, signal in versions.items()}
        loudest = next((p.max() for p in reversed(powers.values()) if p is not None), 0.0)
        for axes, column in zip(line, columns, strict=True):
            power = powers[column]
            if power is None:
                axes.text(0.5, 0.5, "not finite", ha="center", va="center", transform=axes.transAxes)
                continue
            level = 10 * np.log10(np.maximum(power / max(loudest, 1e-20), 1e-20))
            axes.imshow(
                level,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=-DYNAMIC_RANGE_DB,
                vmax=0,
                extent=(0, level.shape[1] * HOP / sample_rate, 0, sample_rate / 2000),
                interpolation="antialiased",
            )
        line[0].set_ylabel(f"{name}\nkHz", fontsize=8)
    for axes, column in zip(panels[0], columns, strict=True):
        axes.set_title(column, loc="left", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("s", fontsize=8)
    for axes in panels.flat:
        axes.tick_params(labelsize=7)
    if title:
        figure.suptitle(title, fontsize=11)
    return save(figure, path, dpi=90)  # there is one for each epoch of a training


def pesq_figure(scores: SystemScores, path: str | Path) -> Path:
    """Mean PESQ by signal-to-noise ratio, a line a system; bars are standard errors over utterances.

    Arguments
    ---------
    scores : SystemScores
        PESQ of the ``pesq`` package is shown where it is there, else this package's.
    path : str or Path
        Where to put the picture; its ending chooses the format.

    Returns
    -------
    Path
        The picture.
    """
    measure = "pesq_wb_official" if "pesq_wb_official" in scores.measures else "pesq_wb"
    buckets = scores.buckets()
    buckets = buckets[1:] or buckets
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    shift = 0.06
    for number, system in enumerate(scores.systems):
        places: list[float] = []
        means: list[float] = []
        errors: list[float] = []
        for place, (_, indices) in enumerate(buckets):
            values = scores.values(system, indices, measure)
            if values:
                places.append(place + shift * (number - (len(scores.systems) - 1) / 2))
                means.append(float(np.mean(values)))
                spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
                errors.append(spread / math.sqrt(len(values)))
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(places, means, errors, color=colour, label=system, marker="o", markersize=4, capsize=2)
    axes.set_xticks(range(len(buckets)), [label for label, _ in buckets])
    axes.set_xlabel("signal-to-noise ratio")
    axes.set_ylabel("PESQ-WB")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)
    return save(figure, path)


def _power(signal: Any, sample_rate: int) -> np.ndarray | None:
    signal = torch.as_tensor(signal)[: MOST_SECONDS * sample_rate]
    if not torch.isfinite(signal).all():
        return None
    signal = torch.nn.functional.pad(signal, (0, max(0, N_FFT - len(signal))))
    return joined_spectrogram(signal[None], N_FFT, HOP)
