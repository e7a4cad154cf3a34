"""Pictures show what they should: pixels are compared, not file sizes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from sb_resizegan.report.measures_figure import measures_figure
from sb_resizegan.report.window_figures import (
    comparison_figure,
    joined_spectrogram,
    spectrogram_figure,
    spectrum_figure,
)


def noise(batch=16, level=0.1, seed=0):
    return level * torch.randn(batch, 2048, generator=torch.Generator().manual_seed(seed))


def tone(frequency, amplitude=1.0):
    return amplitude * torch.cos(2 * torch.pi * frequency / 16000 * torch.arange(2048, dtype=torch.float64))


def brightness(picture):
    return imread(picture)[..., :3].sum(axis=2)


def test_a_full_scale_sine_lies_in_its_row_at_0_db():
    power = joined_spectrogram(tone(2000).repeat(4, 1))
    assert (power.argmax(axis=0) == 64).all()
    assert power[64] == pytest.approx(1.0, abs=1e-9)


def test_joining_adds_no_clicks():
    """Windows that begin and end anywhere in a period have nothing far from their tone."""
    power = joined_spectrogram(torch.stack([tone(437.0 + k) for k in range(20)]))
    assert power[100:].max() < 1e-8


def test_the_scale_is_that_of_the_real_windows(tmp_path):
    quiet = spectrogram_figure(noise(), noise(level=1e-3), tmp_path / "quiet.png")
    loud = spectrogram_figure(noise(), noise(), tmp_path / "loud.png")
    first, second = brightness(quiet), brightness(loud)
    assert first.shape == second.shape
    middle = first.shape[0] // 2
    inside = slice(first.shape[1] // 10, first.shape[1] * 8 // 10)
    assert np.array_equal(first[60 : middle - 60, inside], second[60 : middle - 60, inside])
    assert second[middle + 40 : -60, inside].mean() > 2 * first[middle + 40 : -60, inside].mean()


def test_a_figure_is_the_same_twice(tmp_path):
    sets = {"real": noise(), "transpose": noise() + tone(4000), "nearest": noise(seed=1)}
    one = comparison_figure(sets, tmp_path / "one.png", title="the same")
    two = comparison_figure(sets, tmp_path / "two.png", title="the same")
    assert one.read_bytes() == two.read_bytes()
    assert (
        comparison_figure(dict(list(sets.items())[:2]), tmp_path / "less.png").stat().st_size
        != one.stat().st_size
    )


def test_silence_and_few_windows_can_be_drawn(tmp_path):
    silent = torch.zeros(1, 2048)
    assert brightness(spectrogram_figure(silent, silent, tmp_path / "a.png")).max() > 0
    assert brightness(spectrum_figure({"nothing": silent}, tmp_path / "b.png", factors=[4, 4])).max() > 0


def test_marked_tones_change_the_foot_of_the_spectrum_alone(tmp_path):
    sets = {"real": noise()}
    bare = brightness(spectrum_figure(sets, tmp_path / "bare.png"))
    marked = brightness(spectrum_figure(sets, tmp_path / "marked.png", factors=[4, 4, 4]))
    rows, _ = np.nonzero(bare != marked)
    legend, foot = rows < bare.shape[0] // 4, rows > bare.shape[0] * 3 // 4
    assert foot.any()
    assert (legend | foot).all()


def test_measures_over_epochs(tmp_path):
    rows = [
        {"epoch": e, "out_of_band_db": -10.0 * e, "out_of_band_real_db": -60.0, "x": e} for e in (1, 2, 3)
    ]
    picture = measures_figure(
        {"a": rows, "b": rows[:1]}, tmp_path / "c.png", ["out_of_band_db", "x"], title="c"
    )
    without = [
        {"epoch": row["epoch"], "out_of_band_db": row["out_of_band_db"], "x": row["x"]} for row in rows
    ]
    other = measures_figure(
        {"a": without, "b": without[:1]}, tmp_path / "d.png", ["out_of_band_db", "x"], title="c"
    )
    assert picture.read_bytes() != other.read_bytes()
    with pytest.raises(ValueError, match="no run has a measure 'loudness'"):
        measures_figure({"a": rows}, tmp_path / "e.png", ["loudness"])
    with pytest.raises(ValueError, match="at least one measure"):
        measures_figure({"a": rows}, tmp_path / "e.png", [])


def test_wrong_arguments_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="expected a picture's ending"):
        spectrogram_figure(noise(), noise(), tmp_path / "figure.wav")
    with pytest.raises(ValueError, match=r"generated: .* NaN"):
        spectrogram_figure(noise(), noise() * torch.nan, tmp_path / "figure.png")
    with pytest.raises(ValueError, match="at least one set"):
        comparison_figure({}, tmp_path / "figure.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OSError):
        spectrogram_figure(noise(2), noise(2), tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_pyplot_is_left_alone():
    code = "import sys, sb_resizegan.report.window_figures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
