"""Pictures of windows: spectrograms of joined ones, spectra with their stride tones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sb_resizegan.metrics.spectra import blackman_harris, check_waveforms, frequencies, mean_power_spectrum
from sb_resizegan.metrics.stride_tones import stride_tone_frequencies
from sb_resizegan.report.drawing import COLOURS, cycle, save

__all__ = [
    "comparison_figure",
    "joined_spectrogram",
    "spectrogram_figure",
    "spectrum_figure",
]

DYNAMIC_RANGE_DB = 80


def joined_spectrogram(waveforms: torch.Tensor, n_fft: int = 512, hop_length: int = 64) -> np.ndarray:
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


def spectrogram_figure(
    real: torch.Tensor,
    generated: torch.Tensor,
    path: str | Path,
    sample_rate: int = 16000,
    title: str | None = None,
    num_windows: int = 64,
) -> Path:
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


def comparison_figure(
    sets: dict[str, torch.Tensor],
    path: str | Path,
    sample_rate: int = 16000,
    title: str | None = None,
    num_windows: int = 64,
) -> Path:
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


def spectrum_figure(
    sets: dict[str, torch.Tensor],
    path: str | Path,
    sample_rate: int = 16000,
    factors: Sequence[int] | None = None,
    title: str | None = None,
    n_fft: int = 2048,
) -> Path:
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
    for (name, power), colour in zip(spectra.items(), cycle(COLOURS), strict=False):
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
