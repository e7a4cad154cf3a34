"""Voicing and pitch: known signals, agreement with Praat on real windows, planted defects."""

import math

import parselmouth
import pytest
import scipy.stats
import torch

from sb_resizegan.metrics.periodicity import measure_periodicity, wasserstein_1d

TIME = torch.arange(2048) / 16000


def voices(f0, seed=0):
    """Harmonics of ``f0`` (batch,), falling by 6 dB an octave, with random phases."""
    rng = torch.Generator().manual_seed(seed)
    order = torch.arange(1, 8)
    phase = (
        2 * math.pi * (f0[:, None, None] * order[:, None] * TIME + torch.rand(len(f0), 7, 1, generator=rng))
    )
    return (phase.sin() / order[:, None]).sum(dim=1) * 0.1


def test_pitch_of_harmonic_complexes_is_right_to_half_a_percent():
    f0 = torch.linspace(80, 390, 60)
    strength, found = measure_periodicity(voices(f0))
    assert ((found / f0 - 1).abs() < 0.005).all()
    assert (strength > 0.98).all()


def test_strength_of_noise_added_to_a_voice_is_its_share_of_the_energy():
    # Boersma 1993, equation 4: the height of the peak is the share of the periodic part.
    voice = voices(torch.full((64,), 200.0))
    noise = torch.randn(voice.shape, generator=torch.Generator().manual_seed(1))
    noise *= voice.std() / noise.std()
    for gain in (0.3, 0.6):
        share = 1 / (1 + gain**2)
        strength = measure_periodicity(voice + gain * noise).strength.mean()
        assert float(strength) == pytest.approx(share, abs=0.05)


def test_silence_has_no_voice_and_no_pitch():
    strength, f0 = measure_periodicity(torch.zeros(2, 2048))
    assert (strength == 0).all()
    assert f0.isnan().all()


def test_agrees_with_praat_on_real_windows(real_windows):
    strength, f0 = measure_periodicity(real_windows[:400])
    praat_strength, praat_f0 = [], []
    for window in real_windows[:400].double().numpy():
        pitch = parselmouth.Sound(window, 16000.0).to_pitch_ac(
            time_step=0.01, pitch_floor=75.0, pitch_ceiling=400.0, very_accurate=False
        )
        found = pitch.selected_array["frequency"]
        praat_strength.append(pitch.selected_array["strength"].mean())
        voiced = found[found > 0]
        praat_f0.append(float(torch.tensor(voiced).median()) if len(voiced) >= 3 else math.nan)
    praat_f0 = torch.tensor(praat_f0)
    both = ~(f0.isnan() | praat_f0.isnan())
    assert float((f0.isnan() == praat_f0.isnan()).double().mean()) > 0.9
    close = ((f0 / praat_f0)[both].log2().abs() < 1 / 12).double().mean()
    assert float(close) > 0.9  # within a semitone
    voiced = (~praat_f0.isnan()).numpy()
    assert scipy.stats.spearmanr(strength[voiced], torch.tensor(praat_strength)[voiced]).statistic > 0.8
    # What counts is that the distributions agree: three hertz is what two halves of one voice differ by.
    assert wasserstein_1d(f0, praat_f0) < 6


def test_distance_agrees_with_scipy():
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(70, generator=rng), 2 * torch.randn(31, generator=rng) + 1
    assert wasserstein_1d(a, b) == pytest.approx(scipy.stats.wasserstein_distance(a, b), rel=1e-6)
    assert wasserstein_1d(a, a) == 0
    assert math.isnan(wasserstein_1d(a, torch.tensor([math.nan])))


def test_noise_in_place_of_voicing_and_half_the_pitch_range_missing_are_found(real_windows, training_windows):
    real, other = measure_periodicity(real_windows), measure_periodicity(training_windows)
    floor = [wasserstein_1d(a, b) for a, b in zip(real, other, strict=True)]
    noise = measure_periodicity(torch.randn(256, 2048, generator=torch.Generator().manual_seed(0)) * 0.1)
    assert wasserstein_1d(noise.strength, real.strength) > 10 * floor[0]
    high = other.f0[other.f0 > other.f0.nanmedian()]
    assert wasserstein_1d(high, real.f0) > 3 * floor[1]


@pytest.mark.parametrize(("low", "high"), [(50.0, 400.0), (300.0, 200.0), (75.0, 9000.0)])
def test_range_of_pitch(low, high):
    with pytest.raises(ValueError, match="floor_hz and ceiling_hz"):
        measure_periodicity(torch.randn(2, 2048), floor_hz=low, ceiling_hz=high)
