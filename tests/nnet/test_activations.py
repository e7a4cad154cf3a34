"""The periodic activation: its formula, its period, and a rate that stays above zero."""

import math

import pytest
import torch

from sb_resizegan.nnet import Snake


def test_formula():
    x = torch.linspace(-5, 5, 101).view(1, 1, -1)
    layer = Snake(1, rate=3.0)
    torch.testing.assert_close(layer(x), x + torch.sin(3 * x) ** 2 / 3)


def test_less_the_identity_it_is_periodic():
    x = torch.linspace(-5, 5, 101).view(1, 1, -1)
    layer = Snake(1, rate=2.0)
    torch.testing.assert_close(layer(x + math.pi / 2) - (x + math.pi / 2), layer(x) - x, rtol=0, atol=1e-5)


def test_of_a_sine_it_makes_even_harmonics_only():
    """sin² of a sine is even: beside the sine itself there are 0, 2, 4, … times its frequency."""
    sine = torch.sin(2 * math.pi * 8 * torch.arange(512) / 512)
    power = torch.fft.rfft(Snake(1)(sine.view(1, 1, -1)).flatten()).abs().square()
    assert power[16] > 1e-3 * power[8]
    assert power[24] < 1e-8 * power[8]


def test_each_channel_learns_its_rate():
    layer = Snake(2)
    layer(torch.randn(3, 2, 50, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert (layer.log_rate.grad.abs() > 0).all()
    with pytest.raises(ValueError, match="rate: expected a finite number above 0"):
        Snake(2, rate=0.0)
