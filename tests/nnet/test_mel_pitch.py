"""Pitch from mel spectra: right for tones of any pitch, weak for noise, and local in time."""

import math

import pytest
import torch

from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.nnet.mel_pitch import MelPitch

ANALYSIS = MelAnalysis()


def tones(hertz, harmonics=12, samples=16000):
    order = torch.arange(1, harmonics + 1)[:, None]
    time = torch.arange(samples) / 16000
    return 0.1 * (torch.sin(2 * math.pi * order * hertz * time + order.square()) / order).sum(0)[None]


@pytest.mark.parametrize("hertz", [80.0, 100.0, 137.0, 180.0, 243.0, 320.0, 400.0])
def test_harmonic_tones_have_their_pitch(hertz):
    f0, strength = MelPitch(ANALYSIS)(ANALYSIS(tones(hertz)))
    inner = f0[0, 4:-4]
    assert (1200 * torch.log2(inner / hertz)).abs().max() < 50
    # Harmonics that are near each other are half hidden in the bands.
    assert strength[0, 4:-4].min() > (0.35 if hertz < 100 else 0.5)


def test_noise_has_less_strength_than_any_tone():
    noise = 0.1 * torch.randn(8, 16000, generator=torch.Generator().manual_seed(0))
    _, strength = MelPitch(ANALYSIS)(ANALYSIS(noise))
    assert strength.mean() < 0.33 and strength.quantile(0.9) < 0.4


def test_silence_has_a_pitch_within_the_range_and_no_strength():
    f0, strength = MelPitch(ANALYSIS, 70.0, 300.0)(ANALYSIS(torch.zeros(1, 16000)))
    assert f0.min() >= 70 and f0.max() <= 300 and strength.max() < 0.1


def test_a_frame_depends_on_itself_alone():
    pitch, mel = MelPitch(ANALYSIS), torch.randn(1, 80, 60, generator=torch.Generator().manual_seed(1))
    whole, part = pitch(mel), pitch(mel[:, :, 20:41])
    for first, second in zip(whole, part, strict=True):
        torch.testing.assert_close(first[:, 20:41], second)


def test_a_range_that_is_none_is_named():
    for low, high in ((300.0, 200.0), (20.0, 400.0), (100.0, 5000.0)):
        with pytest.raises(ValueError, match="floor_hz and ceiling_hz: expected"):
            MelPitch(ANALYSIS, low, high)
