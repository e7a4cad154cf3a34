"""Pictures: spectrograms of joined windows, spectra with their stride tones, measures over training time.

Figures are drawn with the Agg canvas directly, so that importing this module or drawing sets no backend and
leaves ``matplotlib.pyplot`` alone. Files appear complete or not at all.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sb_resizegan.metrics.measures import readable, reference_column
from sb_resizegan.metrics.spectra import blackman_harris, check_waveforms, frequencies, mean_power_spectrum
from sb_resizegan.metrics.stride_tones import stride_tone_frequencies
from sb_resizegan.utils.files import replacing

__all__ = [
    "comparison_figure",
    "joined_spectrogram",
    "measures_figure",
    "spectrogram_figure",
    "spectrum_figure",
]

DYNAMIC_RANGE_DB = 80
COLOURS = ("#222222", "#d1495b", "#2e86ab", "#3a7d44", "#8e5aa8", "#e08e1b", "#6b6b6b")


def joined_spectrogram(waveforms, n_fft=512, hop_length=64):
    """Power spectrogram of windows set side by side.

    No frame reaches from one window into the next: what is seen are the windows, not the clicks of joining
    them.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    n_fft : int
        Length of a frame in samples, at most ``time``.
    hop_length : int
        Distance of frames in samples.

    Returns
    -------
    numpy.ndarray
        Power, ``(n_fft // 2 + 1, batch * frames)``; a sine of amplitude 1 gives 1.

    Example
    -------
    >>> joined_spectrogram(torch.rand(3, 2048)).shape
    (257, 75)
    """
    waveforms = check_waveforms(waveforms, min_samples=n_fft).cpu().double()
    window = blackman_harris(n_fft)
    frames = waveforms.unfold(1, n_fft, hop_length) * window
    power = torch.fft.rfft(frames).abs().square() * (4 / window.sum().square())
    return power.flatten(0, 1).T.numpy()


def spectrogram_figure(real, generated, path, sample_rate=16000, title=None, num_windows=64):
    """Real windows above generated ones, as the article shows them.

    Arguments
    ---------
    real, generated : torch.Tensor
        Windows, ``(batch, time)``.
    path : str or Path
        Where to put the picture; its ending chooses the format (``.png``, ``.svg``, ``.pdf``).
    sample_rate : int
        Sampling rate in Hz.
    title : str
        Written above.
    num_windows : int
        How many of each are drawn, at most.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    ValueError
        If the windows are of wrong shape or not finite.
    OSError
        If the file cannot be written.

    Example
    -------
    >>> path = getfixture("tmp_path") / "windows.png"
    >>> spectrogram_figure(torch.randn(8, 2048), torch.randn(8, 2048), path).name
    'windows.png'
    """
    return comparison_figure({"real": real, "generated": generated}, path, sample_rate, title, num_windows)


def comparison_figure(sets, path, sample_rate=16000, title=None, num_windows=64):
    """Spectrograms of several sets of windows, one above the other, on one colour scale.

    0 dB is the loudest bin of the first set; the scale ends 80 dB below.

    Arguments
    ---------
    sets : dict of str to torch.Tensor
        Windows ``(batch, time)`` by name, the real ones first.
    path : str or Path
        Where to put the picture; its ending chooses the format.
    sample_rate : int
        Sampling rate in Hz.
    title : str
        Written above.
    num_windows : int
        How many of each are drawn, at most.

    Returns
    -------
    Path
        The picture.
    """
    if not sets:
        raise ValueError("sets: expected at least one set of windows, but got none")
    powers = {}
    for name, waveforms in sets.items():
        check_waveforms(waveforms, name)
        powers[name] = (joined_spectrogram(waveforms[:num_windows]), min(num_windows, len(waveforms)))
    reference = next(iter(powers.values()))[0].max()
    figure = Figure(figsize=(9, 0.75 + 2.25 * len(powers)), layout="constrained")
    panels = figure.subplots(len(powers), 1, sharey=True, squeeze=False)[:, 0]
    for axes, (name, (power, count)) in zip(panels, powers.items(), strict=True):
        level = 10 * np.log10(np.maximum(power / max(reference, 1e-20), 1e-20))
        image = axes.imshow(
            level,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-DYNAMIC_RANGE_DB,
            vmax=0,
            extent=(0, count, 0, sample_rate / 2000),
            interpolation="antialiased",
        )
        axes.set_title(f"{name}, {count} windows joined", loc="left", fontsize=11)
        axes.set_ylabel("frequency in kHz")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panels[-1].set_xlabel("window")
    bar = figure.colorbar(image, ax=list(panels), pad=0.01, aspect=15 * len(powers))
    bar.set_label("level in dB re. the loudest of the first panel" if len(powers) > 1 else "level in dB")
    if title:
        figure.suptitle(title, fontsize=12)
    return save(figure, path)


def spectrum_figure(sets, path, sample_rate=16000, factors=None, title=None, n_fft=2048):
    """Long-term average spectra of several sets of windows, with the stride tones marked.

    Arguments
    ---------
    sets : dict of str to torch.Tensor
        Waveforms ``(batch, time)`` by name, the real ones first.
    path : str or Path
        Where to put the picture; its ending chooses the format.
    sample_rate : int
        Sampling rate in Hz.
    factors : sequence of int
        Upsampling factors, whose tones are marked by ticks. ``None`` marks nothing.
    title : str
        Written above.
    n_fft : int
        Length of the spectra, at most the length of the waveforms.

    Returns
    -------
    Path
        The picture.

    Example
    -------
    >>> path = getfixture("tmp_path") / "spectra.png"
    >>> spectrum_figure({"noise": torch.randn(8, 2048)}, path, factors=[4, 4]).name
    'spectra.png'
    """
    if not sets:
        raise ValueError("sets: expected at least one set of waveforms, but got none")
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    axis = frequencies(n_fft, sample_rate).numpy() / 1000
    spectra = {name: mean_power_spectrum(x, n_fft).numpy() for name, x in sets.items()}
    peak = max(next(iter(spectra.values())).max(), 1e-20)
    lowest, highest = 0.0, 0.0
    for (name, power), colour in zip(spectra.items(), _cycle(COLOURS), strict=False):
        level = 10 * np.log10(np.maximum(power / peak, 1e-12))
        axes.plot(axis, level, color=colour, linewidth=1.1, label=name)
        lowest, highest = min(lowest, level.min()), max(highest, level.max())
    axes.set_ylim(max(-110, lowest - 5), highest + 8)
    if factors is not None:
        tones = stride_tone_frequencies(sample_rate, factors, n_fft)
        first = min((tone.stage for tone in tones), default=0)
        for tone in tones:
            # Later stages, whose tones are rarer, get longer ticks.
            axes.axvline(
                tone.frequency / 1000,
                ymax=0.03 * (1 + tone.stage - first),
                color="#e08e1b",
                linewidth=1.6,
                label="stride tones" if tone is tones[0] else None,
            )
    axes.set_xlim(0, sample_rate / 2000)
    axes.set_xlabel("frequency in kHz")
    axes.set_ylabel(f"level in dB re. the peak of {next(iter(spectra))}")
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right", ncols=min(4, len(spectra) + 1), fontsize=9, framealpha=0.9)
    if title:
        axes.set_title(title, loc="left", fontsize=12)
    return save(figure, path)


def measures_figure(tables, path, columns, title=None):
    """Measures over epochs, one panel a measure, one curve a run.

    Arguments
    ---------
    tables : dict of str to list of dict
        Rows by the name of the run, as :func:`sb_resizegan.report.measures_csv.read_measures` gives them.
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


def save(figure, path, dpi=130):
    """Writes a figure; a file that was there before is replaced in one step.

    Arguments
    ---------
    figure : matplotlib.figure.Figure
        The figure.
    path : str or Path
        Its ending chooses the format. The folder is made if need be.
    dpi : int
        Pixels per inch.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    supported = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix[1:].lower() not in supported:
        raise ValueError(
            f"{path}: expected a picture's ending, one of {sorted(supported)}, but got {path.suffix!r}"
        )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path


def _draw_measure(axes, tables, column):
    """One measure of all runs, with the first run's figures of real data dashed."""
    curves = {name: _points(rows, column) for name, rows in tables.items()}
    if not any(curves.values()):
        raise ValueError(f"columns: no run has a measure {column!r}")
    for (name, points), colour in zip(curves.items(), _cycle(COLOURS[1:]), strict=False):
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=name, marker=".", markersize=4)
    real = next(filter(None, (_points(rows, reference_column(column)) for rows in tables.values())), None)
    if real:
        axes.plot(*zip(*real, strict=True), color=COLOURS[0], linestyle="--", linewidth=1, label="real")
    axes.set_title(readable(column), loc="left", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(alpha=0.25)


def _points(rows, column):
    return [(row["epoch"], row[column]) for row in rows if column in row]


def _cycle(colours):
    while True:
        yield from colours
