"""One page to look at and listen to: pictures, sounds, curves and figures of trainings, in a single file."""

import base64
import re
from html import escape
from pathlib import Path
from typing import NamedTuple

import soundfile
import torch

from sb_resizegan.charts import line_chart
from sb_resizegan.figures import comparison_figure
from sb_resizegan.metrics.tables import read_measures, readable, reference_column
from sb_resizegan.report_style import STYLE
from sb_resizegan.utils.files import replacing

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

    real: Path
    """Sound of real windows."""

    generated: Path
    """Sound of generated windows."""

    picture: Path
    """Spectrograms, real above generated."""

    log: list
    """Lines of its training log."""

    missing: list
    """What was looked for and not found, in words."""


class ReportTable(NamedTuple):
    """A table of words and numbers."""

    caption: str
    """What it shows."""

    header: list
    """Words above the columns."""

    rows: list
    """Of lists of words, as long as the header; the first one names the row."""


def read_run(folder, name=None):
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
    missing = []
    settings = _read(folder / "hyperparams.yaml", _settings, {}, missing)
    rows = _read(folder / "measures.csv", read_measures, [], missing)
    log = _read(
        folder / "train_log.txt", lambda path: path.read_text(errors="replace").splitlines(), [], missing
    )
    sounds, pictures = _by_epoch(folder / "samples", ".wav"), _by_epoch(folder / "spectrograms", ".png")
    # Sound and picture of one and the same epoch, where there is one.
    epoch = max(set(sounds) & set(pictures) or set(sounds) or set(pictures), default=0)
    real = folder / "samples" / "real.wav"
    files = {
        "real": (real if _begins(real, b"RIFF") else None, "samples/real.wav"),
        "generated": (sounds.get(epoch), "samples/epoch_NNNN.wav"),
        "picture": (pictures.get(epoch), "spectrograms/epoch_NNNN.png"),
    }
    missing += [words for path, words in files.values() if path is None]
    if not (settings or rows or log or any(path for path, _ in files.values())):
        raise ValueError(f"{folder}: expected the output folder of a training, but found none of its files")
    paths = {key: path for key, (path, _) in files.items()}
    return Run(name or folder.resolve().name, settings, rows, epoch, log=log, missing=missing, **paths)


def runs_figure(folders, path):
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
        As :func:`read_run`; also if a training has left no sound.
    """
    folders = [Path(folder) for folder in folders]
    runs = [read_run(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    sets = {}
    for run, folder in zip(runs, folders, strict=True):
        if run.real is None or run.generated is None:
            raise ValueError(f"{folder}: expected sounds in samples/, but found none")
        waveform, rate = soundfile.read(run.generated, dtype="float32")
        sets.setdefault("real", torch.from_numpy(soundfile.read(run.real, dtype="float32")[0]))
        sets[run.settings.get("upsampling", run.name)] = torch.from_numpy(waveform)
    samples = int(runs[0].settings.get("window_samples", 2048))
    return comparison_figure({name: sound.view(-1, samples) for name, sound in sets.items()}, path, rate)


def write_report(folders, path, title="Windows of speech", figures=(), tables=()):
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
        As :func:`read_run`; also if there is no folder or a figure is no png file.
    OSError
        If the file can't be written.
    """
    folders = [Path(folder) for folder in folders]
    if not folders:
        raise ValueError("folders: expected at least one output folder of a training, but got none")
    for _, picture in figures:
        if not _begins(Path(picture), b"\x89PNG"):
            raise ValueError(f"{picture}: expected a png file")
    runs = [read_run(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        # Without it a browser asks for favicon.ico when the page comes from a server.
        '<link rel="icon" href="data:,"></head><body><main>',
        f"<h1>{escape(title)}</h1>",
        *map(_words_table, tables),
        _table(runs),
        *(
            f"<figure>{_image(picture, text)}<figcaption>{escape(text)}</figcaption></figure>"
            for text, picture in figures
        ),
        _curves(runs),
        *map(_section, runs),
        "</main></body></html>",
    ]
    return _write(path, "\n".join(part for part in parts if part))


def _section(run):
    """One run: spectrograms, players, settings, log."""
    parts = [f"<section><h2>{escape(run.name)}</h2>"]
    if run.missing:
        parts.append(f'<p class="missing">Not found in this run: {escape(", ".join(run.missing))}.</p>')
    if run.picture:
        parts.append(
            f'<figure class="wide">{_image(run.picture, f"Spectrograms of {run.name}")}'
            f"<figcaption>Windows joined, real above generated, epoch {run.epoch}</figcaption></figure>"
        )
    sounds = [("real", run.real), (f"generated, epoch {run.epoch}", run.generated)]
    players = [
        f"<div><h3>{escape(label)}</h3>"
        f'<audio controls preload="metadata" src="{_data(sound, "audio/wav")}"></audio></div>'
        for label, sound in sounds
        if sound
    ]
    if players:
        parts.append(f'<div class="players">{"".join(players)}</div>')
    if run.settings:
        items = "".join(
            f"<div><dt>{escape(key)}</dt><dd>{escape(text)}</dd></div>" for key, text in run.settings.items()
        )
        parts.append(f"<dl>{items}</dl>")
    if run.rows:
        columns = list(dict.fromkeys(name for row in run.rows for name in row if name != "epoch"))
        head = "".join(f"<th>{escape(readable(name))}</th>" for name in ["epoch", *columns])
        body = "".join(
            f"<tr><th>{row['epoch']}</th>"
            + "".join(f"<td>{_number(row.get(name))}</td>" for name in columns)
            + "</tr>"
            for row in run.rows
        )
        parts.append(
            "<details><summary>Measures of every epoch</summary>"
            f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div></details>"
        )
    if run.log:
        parts.append(
            f"<details><summary>Training log</summary><pre>{escape(chr(10).join(run.log))}</pre></details>"
        )
    return "".join([*parts, "</section>"])


def _words_table(table):
    head = "".join(f"<th>{escape(words)}</th>" for words in table.header)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(words)}</td>' for words in row[1:])}</tr>"
        for row in table.rows
    )
    return (
        f'<section><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"<p><small>{escape(table.caption)}</small></p></section>"
    )


def _table(runs):
    """Last measures of all runs, a column a run, beside what real data have."""
    last = {run.name: run.rows[-1] for run in runs if run.rows}
    if not last:
        return ""
    columns = [name for name in dict.fromkeys(n for row in last.values() for n in row) if _is_measure(name)]
    head = "".join(
        f"<th>{escape(name)}<small>epoch {row['epoch']}</small></th>" for name, row in last.items()
    )
    body = []
    for column in columns:
        real = next(
            (row[reference_column(column)] for row in last.values() if reference_column(column) in row), None
        )
        cells = "".join(f"<td>{_number(row.get(column))}</td>" for row in last.values())
        body.append(
            f'<tr><th>{escape(readable(column))}</th>{cells}<td class="real">{_number(real)}</td></tr>'
        )
    return (
        '<section><h2>Measures</h2><div class="wide"><table><thead><tr><th></th>'
        f'{head}<th class="real">real speech</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></section>"
    )


def _curves(runs):
    """A chart for every measure, all runs in each."""
    runs = [run for run in runs if run.rows]
    columns = [
        name
        for name in dict.fromkeys(n for run in runs for row in run.rows for n in row)
        if _is_measure(name)
    ]
    if not columns:
        return ""
    charts = []
    for column in columns:
        curves = [(run.name, _points(run, column)) for run in runs]
        real = next(filter(None, (_points(run, reference_column(column)) for run in runs)), [])
        charts.append(f'<div class="chart">{line_chart(readable(column), curves, real)}</div>')
    names = "".join(f'<li class="curve-{n}">{escape(run.name)}</li>' for n, run in enumerate(runs))
    return (
        f'<section><h2>Over training time</h2><ul class="legend">{names}'
        '<li class="reference">real speech</li></ul>'
        f'<div class="charts">{"".join(charts)}</div></section>'
    )


def _is_measure(column):
    return column != "epoch" and not column.endswith(("_real_db", "_floor"))


def _points(run, column):
    return [(row["epoch"], row[column]) for row in run.rows if column in row]


def _number(value):
    return "–" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _names(folders):
    """The shortest ends of the folders' paths that tell them apart."""
    paths = [folder.resolve().parts for folder in folders]
    longest = max(map(len, paths))
    depths = [1] * len(paths)
    for _ in range(longest):
        names = ["/".join(parts[-depth:]) for parts, depth in zip(paths, depths, strict=True)]
        depths = [d + (names.count(name) > 1) for d, name in zip(depths, names, strict=True)]
    return names


def _settings(path):
    """Plain ``key: value`` lines, of an object its class; nothing that a yaml names is constructed."""
    lines = re.findall(r"^(\w+):[ \t]*([^\n#]*)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    # An empty value is yaml's other way to write null.
    found = {key: re.sub(r"^!new:.*?(\w+)$", r"\1", value.strip()) or "null" for key, value in lines}
    return {key: found[key] for key in SHOWN_KEYS if key in found and found[key][0] not in "!<*&"}


def _read(path, read, default, missing):
    """What ``read`` makes of a file. One that isn't there or is damaged is put on the list."""
    try:
        return read(path) if path.is_file() else _note(path.name, default, missing)
    except (OSError, ValueError) as error:
        return _note(f"{path.name} ({error})", default, missing)


def _note(words, default, missing):
    missing.append(words)
    return default


def _by_epoch(folder, ending):
    """Paths by the epoch in their names, of files that begin as they should."""
    start = {".wav": b"RIFF", ".png": b"\x89PNG"}[ending]
    found = {}
    for path in sorted(folder.glob(f"epoch_*{ending}")):
        match = re.fullmatch(r"epoch_(\d+)", path.stem)
        if match and _begins(path, start):
            found[int(match[1])] = path
    return found


def _begins(path, start):
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(start)) == start


def _image(path, text):
    return f'<img src="{_data(path, "image/png")}" alt="{escape(text)}">'


def _data(path, kind):
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def _write(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)
