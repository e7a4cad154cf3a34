"""Activations at twice the rate: what they leave alone, and what no longer folds back."""

import math

import pytest
import torch

from sb_resizegan.nnet.activations import Snake
from sb_resizegan.nnet.antialiasing import AntiAliased


def sine(cycles, time=1024):
    return torch.sin(2 * math.pi * cycles * torch.arange(time) / time)[None, None]


def level_db(x, cycles):
    """Power at a bin relative to a full sine."""
    spectrum = torch.fft.rfft(x[0, 0, 128:-128] * torch.hann_window(768)).abs() / 192
    return 20 * torch.log10(spectrum[round(cycles * 0.75)] + 1e-9).item()


def test_without_an_activation_what_passes_is_the_signal():
    layer = AntiAliased(torch.nn.Identity())
    x = sine(160) + 0.5  # a sixth of the rate
    torch.testing.assert_close(layer(x)[..., 16:-16], x[..., 16:-16], rtol=0, atol=0.02)


def test_harmonics_beyond_the_band_do_not_fold_back():
    # Of a sine at 0.39 of the rate Snake makes one at 0.78, which folds to 0.22.
    plain, layer = Snake(1), AntiAliased(Snake(1))
    folded = 1024 - 800
    assert level_db(plain(sine(400)), folded) > -12
    assert level_db(layer(sine(400)), folded) < level_db(plain(sine(400)), folded) - 35


def test_an_output_sample_depends_on_no_more_than_its_reach():
    layer = AntiAliased(Snake(2))
    x = torch.randn(1, 2, 101, requires_grad=True)
    layer(x)[0, 0, 50].backward()
    support = x.grad[0, 0].nonzero().squeeze(1)
    assert support.min() >= 50 - AntiAliased.reach and support.max() <= 50 + AntiAliased.reach
    assert x.grad[0, 1].abs().max() == 0


def test_any_length_keeps_its_length():
    for time in (1, 2, 7, 100):
        assert AntiAliased(Snake(3))(torch.randn(2, 3, time)).shape == (2, 3, time)


def test_wrong_inputs_are_named():
    with pytest.raises(ValueError, match=r"shape \(batch, channels, time\), but got \(2, 3\)"):
        AntiAliased(Snake(3))(torch.zeros(2, 3))
