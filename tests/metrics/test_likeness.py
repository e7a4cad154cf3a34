"""The row of likeness: floors of unseen speech, planted defects, floors that are kept."""

import pytest
import torch

from sb_resizegan.metrics.likeness import likeness_with_floor
from sb_resizegan.metrics.spectral_balance import low_frequency_energy
from sb_resizegan.metrics.summary import measure_windows

FEW = 160


@pytest.fixture(scope="module")
def unseen(real_windows, training_windows):
    """Speech in the place of generated windows."""
    return likeness_with_floor(training_windows[:FEW], real_windows, other=training_windows[FEW : 2 * FEW])


def test_speech_of_other_files_stands_at_the_floor(unseen):
    assert unseen["c2st_auc_low"] <= unseen["c2st_auc"] <= unseen["c2st_auc_high"]
    assert unseen["c2st_auc"] < 0.68
    for name in ("precision", "recall", "coverage"):
        assert unseen[name] == pytest.approx(unseen[f"{name}_floor"], abs=0.15)
    assert unseen["voicing"] == pytest.approx(unseen["voicing_floor"], abs=0.05)


def test_each_defect_shows_where_it_should(unseen, real_windows, training_windows):
    rng = torch.Generator().manual_seed(0)
    speech = training_windows[:FEW]
    noise = 0.1 * torch.randn(speech.shape, generator=rng)
    unvoiced = likeness_with_floor(noise, real_windows, floor=unseen)
    assert unvoiced["voicing_w1"] > 10 * unseen["voicing_w1"]
    assert unvoiced["c2st_auc"] > 0.99
    copies = speech[:10].repeat(FEW // 10, 1) + 1e-3 * torch.randn(speech.shape, generator=rng)
    memorised = likeness_with_floor(copies, real_windows, floor=unseen)
    assert memorised["recall"] < 0.3 < unseen["recall"]
    assert memorised["coverage"] < 0.3 < unseen["coverage"]


def test_floors_are_taken_over(unseen, real_windows, training_windows):
    row = likeness_with_floor(training_windows[:20], real_windows, floor=unseen)
    for name, value in row.items():
        if name.endswith("_floor"):
            assert value == unseen[name]


def test_a_tone_of_known_level_below_the_voice_is_measured(real_windows):
    tone = torch.sin(2 * torch.pi * 30 * torch.arange(2048) / 16000)
    clean = low_frequency_energy(real_windows)
    assert clean < -20
    # An RMS of 0.1 for the speech and 0.05 / sqrt(2) for the tone.
    expected = 10 * torch.log10(torch.tensor(0.00125 / (0.01 + 0.00125))).item()
    assert low_frequency_energy(real_windows + 0.05 * tone) == pytest.approx(expected, abs=0.5)


def test_the_pass_band_ends_below_the_skirt_of_the_low_pass(real_windows):
    """A gain above the pass band does not count, one inside does."""
    spectrum = torch.fft.rfft(real_windows)
    frequency = torch.fft.rfftfreq(2048, 1 / 16000)
    distances = []
    for low, high in ((1550, 1800), (1000, 1200)):
        gain = torch.where((frequency > low) & (frequency < high), 10.0, 1.0)
        changed = torch.fft.irfft(spectrum * gain)
        row = measure_windows(changed[:20], real_windows, cutoff_hz=1800.0)
        distances.append(row["spectral_distance_in_band_db"])
    plain = measure_windows(real_windows[:20], real_windows, cutoff_hz=1800.0)["spectral_distance_in_band_db"]
    assert distances[0] == pytest.approx(plain, abs=0.5)
    assert distances[1] > plain + 3
