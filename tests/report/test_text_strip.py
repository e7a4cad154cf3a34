"""The spectrogram of characters and the line of figures beside it."""

import io
import math
import sys

import torch

from sb_resizegan.report.text_strip import headline, print_epoch, spectrogram_strip


def test_a_rising_tone_rises():
    hertz = torch.linspace(200, 1800, 8)[:, None]
    tones = torch.sin(2 * math.pi * hertz * torch.arange(2048) / 16000)
    lines = spectrogram_strip(tones, 16000, 2000.0, columns=24, rows=10).splitlines()
    assert [len(line) for line in lines] == [24] * 10
    heights = [next(9 - i for i, line in enumerate(lines) if line[column] == "█") for column in range(24)]
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (1, 9)


def test_what_is_40_db_lower_is_blank_and_silence_too():
    loud = torch.sin(2 * math.pi * 300 * torch.arange(2048) / 16000)
    quiet = 0.005 * torch.sin(2 * math.pi * 1500 * torch.arange(2048) / 16000)
    lines = spectrogram_strip((loud + quiet)[None], 16000, 2000.0, columns=3, rows=4).splitlines()
    assert lines == ["   ", "   ", "   ", "███"]
    assert set(spectrogram_strip(torch.zeros(1, 2048), 16000, 2000.0, columns=3, rows=2)) == {" ", "\n"}


def test_the_line_leaves_out_what_a_row_has_not():
    line = headline({"spectral_distance_in_band_db": 1.234, "voicing": math.nan, "recall": 0.5})
    assert line == "pass band, dB 1.23"


def test_a_terminal_without_blocks_gets_points(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    noise = torch.randn(4, 2048, generator=torch.Generator().manual_seed(0))
    print_epoch(1, noise, noise, {"voicing": 0.5}, 16000, 2000.0)
    terminal.flush()
    assert b"#" in terminal.buffer.getvalue()
