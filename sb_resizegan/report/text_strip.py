"""What a terminal shows at the end of an epoch: a spectrogram of characters and the figures that count."""

import math
import sys

import torch

from sb_resizegan.metrics.measures import readable, reference_column, written

__all__ = ["headline", "print_epoch", "spectrogram_strip"]

SHADES = " ░▒▓█"
ASCII_SHADES = " .:*#"
RANGE_DB = 40.0
# In the order in which they are told, where a row has them.
HEADLINE = ("c2st_auc", "spectral_distance_in_band_db", "voicing")
NAMES = {"c2st_auc": "C2ST AUC", "spectral_distance_in_band_db": "pass band, dB", "voicing": "voicing"}


def spectrogram_strip(
    windows: torch.Tensor,
    sample_rate: int,
    max_hz: float,
    columns: int = 72,
    rows: int = 8,
    shades: str = SHADES,
) -> str:
    """Spectrogram of joined windows in characters: time to the right, frequency upwards.

    Arguments
    ---------
    windows : torch.Tensor
        ``(windows, time)``; so many of them are shown as have three columns each.
    sample_rate : int
        In Hz.
    max_hz : float
        Upper edge of the top row.
    columns, rows : int
        Characters in a line, and lines.
    shades : str
        Characters from the quietest to the loudest.

    Returns
    -------
    str
        Lines, the top one first; the shades cover 40 dB below the loudest.

    Example
    -------
    >>> tone = torch.sin(2 * math.pi * 250 * torch.arange(2048) / 16000).expand(4, -1)
    >>> print(spectrogram_strip(tone, 16000, 2000.0, columns=12, rows=4).replace(" ", "-"))
    ------------
    ------------
    ------------
    ████████████
    """
    each = 3
    windows = windows[: max(1, columns // each)].float()
    samples = windows.shape[1] // each
    pieces = windows[:, : each * samples].reshape(-1, samples)
    power = torch.fft.rfft(pieces * torch.hann_window(samples)).abs().square()
    frequency = torch.fft.rfftfreq(samples, 1 / sample_rate)
    band = torch.floor(frequency / max_hz * rows).long()
    # The loudest bin of a band, so that a harmonic is not lost among its neighbours.
    levels = torch.stack([power[:, band == row].amax(dim=1) for row in range(rows)])
    decibels = 10 * torch.log10(levels / levels.max().clamp(min=1e-20) + 1e-20)
    numbers = ((decibels / RANGE_DB + 1) * len(shades)).floor().clamp(0, len(shades) - 1).long()
    lines = ["".join(shades[number] for number in row) for row in numbers.tolist()]
    return "\n".join(reversed(lines))


def headline(row: dict[str, float]) -> str:
    """The figures that count, each beside what real speech has.

    Arguments
    ---------
    row : dict of str to float
        As of `measure_windows()`.

    Returns
    -------
    str
        One line.

    Example
    -------
    >>> headline({"c2st_auc": 0.912, "c2st_auc_floor": 0.5, "voicing": 0.85, "voicing_floor": 0.88})
    'C2ST AUC 0.912 (real 0.500), voicing 0.850 (real 0.880)'
    """
    parts = []
    for name in HEADLINE:
        if name in row and not math.isnan(row[name]):
            real = row.get(reference_column(name))
            beside = "" if real is None else f" (real {written(name, real)})"
            parts.append(f"{NAMES.get(name, readable(name))} {written(name, row[name])}{beside}")
    return ", ".join(parts)


def print_epoch(
    epoch: int,
    real: torch.Tensor,
    generated: torch.Tensor,
    row: dict[str, float],
    sample_rate: int,
    max_hz: float,
) -> None:
    """Prints the spectrograms of real and generated windows and the figures that count.

    Arguments
    ---------
    epoch : int
        Its number.
    real, generated : torch.Tensor
        ``(windows, time)``.
    row : dict of str to float
        As of `measure_windows()`.
    sample_rate : int
        In Hz.
    max_hz : float
        Upper edge of the spectrograms.

    Example
    -------
    >>> silence = torch.zeros(1, 2048)
    >>> print_epoch(3, silence, silence, {"voicing": 0.5}, 16000, 2000.0)   # doctest: +ELLIPSIS
    <BLANKLINE>
    real, up to 2000 Hz
    ...
    epoch 3: voicing 0.500
    """
    # A terminal that has no blocks gets points.
    shades = SHADES if "utf" in (sys.stdout.encoding or "").lower() else ASCII_SHADES
    for name, windows in (("real", real), (f"epoch {epoch}", generated)):
        print(f"\n{name}, up to {max_hz:g} Hz")
        print(spectrogram_strip(windows, sample_rate, max_hz, shades=shades))
    print(f"epoch {epoch}: {headline(row)}", flush=True)
