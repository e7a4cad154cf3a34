"""What changes the sound does to tones and impulses what it should."""

import numpy as np
import pytest
from scipy.fft import irfft

from sb_resizegan.augment.perturbation import (
    change_speed,
    equalise,
    gain_contour,
    low_pass_response,
    room_responses,
)
from sb_resizegan.utils.random import Draws

RATE = 16000


@pytest.mark.parametrize("percent", [50, 90, 97, 100, 103, 110, 200])
def test_speed_moves_a_tone_and_keeps_its_level(percent):
    time = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    changed = change_speed(tone, percent)
    assert changed.dtype == np.float32 and len(changed) == -(-len(tone) * 100 // percent)
    expected = np.sin(2 * np.pi * 10 * percent * np.arange(len(changed)) / RATE)
    np.testing.assert_allclose(changed[800:-800], expected[800:-800], atol=5e-3)


def test_speed_aliases_nothing():
    tone = np.sin(2 * np.pi * 7500 * np.arange(RATE) / RATE).astype(np.float32)
    faster = change_speed(tone, 120)
    assert np.abs(faster[1000:-1000]).max() < 0.01


def test_equaliser_is_stable_moderate_and_changes():
    impulse = np.zeros(4096, dtype=np.float32)
    impulse[0] = 1
    gains = []
    for row in range(200):
        response = equalise(impulse, Draws(0, 0, row))
        assert response.dtype == np.float32 and np.abs(response[1000:]).max() < 1e-4
        gains.append(20 * np.log10(np.abs(np.fft.rfft(response))))
    gains = np.stack(gains)
    assert np.abs(gains).max() < 20 and 2 < gains.std() < 8


def test_room_is_split_at_50_ms_and_aligned():
    generator = np.random.default_rng(0)
    response = generator.normal(size=8000) * np.exp(-np.arange(8000) / 1500) * 0.05
    response[:300] *= 0.01
    response[300] = -0.5
    early, whole = (irfft(part, n=20000) for part in room_responses(response.astype(np.float32), RATE, 20000))
    assert early[0] == pytest.approx(1, abs=1e-6) and np.abs(early).argmax() == 0
    # 2.5 ms before the direct path lie at the end of the circle.
    np.testing.assert_allclose(whole[:7700], response[300:] / -0.5, atol=1e-6)
    np.testing.assert_allclose(whole[-40:], response[260:300] / -0.5, atol=1e-6)
    np.testing.assert_allclose(whole[7700:-40], 0, atol=1e-6)
    np.testing.assert_allclose(early[:800], whole[:800], atol=1e-6)
    np.testing.assert_allclose(early[800:-40], 0, atol=1e-6)


def test_response_of_one_sample():
    early, whole = room_responses(np.array([0.3], dtype=np.float32), RATE, 64)
    np.testing.assert_allclose(early, 1, atol=1e-6)
    np.testing.assert_allclose(whole, 1, atol=1e-6)


def test_low_pass_bands():
    response = low_pass_response(3000, RATE, 8001)
    assert (response[:2850] > 0.999).all() and response[3000] == pytest.approx(0.5)
    assert (response[3151:] == 0).all()


def test_gain_contour_changes_smoothly():
    contours = np.stack([gain_contour(Draws(0, 0, row), 32000, RATE) for row in range(100)])
    decibels = 20 * np.log10(contours)
    assert decibels.min() >= -10.001 and decibels.max() <= 0.001
    assert np.mean(np.ptp(decibels, axis=1) > 1) > 0.7
    # Three changes of 10 dB at once, within 50 ms.
    assert np.abs(np.diff(contours)).max() <= 3 * (1 - 10 ** (-10 / 20)) / 800
