"""Fréchet distance against closed forms and SciPy; copies of training windows against unseen speech."""

import numpy as np
import pytest
import scipy.linalg
import torch

from sb_resizegan.metrics.copies import nearest_neighbours
from sb_resizegan.metrics.distribution import (
    GaussianStatistics,
    frechet_distance,
    frechet_log_mel,
    frechet_with_noise_floor,
    log_mel_statistics,
)
from sb_resizegan.metrics.spectra import log_mel
from sb_resizegan.metrics.summary import measure_windows


def gaussian(size, seed, rank=None):
    rng = torch.Generator().manual_seed(seed)
    factor = torch.randn(size, rank or size, generator=rng, dtype=torch.float64)
    return GaussianStatistics(torch.randn(size, generator=rng, dtype=torch.float64), factor @ factor.T)


def with_noise(windows, level, seed=0):
    return windows + level * torch.randn(windows.shape, generator=torch.Generator().manual_seed(seed))


def test_distance_of_gaussians_in_closed_form():
    mean = torch.tensor([1.0, -2.0, 2.0])
    variances = torch.tensor([4.0, 9.0, 0.25])
    a = GaussianStatistics(torch.zeros(3), torch.eye(3))
    b = GaussianStatistics(mean, torch.diag(variances))
    assert frechet_distance(a, b) == pytest.approx(9 + (1 + 4 + 0.25), rel=1e-6)


def test_distance_agrees_with_scipys_matrix_root():
    a, b = gaussian(16, 0), gaussian(16, 1)
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
    expected = (a.mean - b.mean).square().sum() + (a.covariance + b.covariance).trace() - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_distance_is_symmetric_and_zero_for_itself_also_without_full_rank():
    a, b = gaussian(20, 0, rank=5), gaussian(20, 1, rank=7)
    assert frechet_distance(a, a) < 1e-6
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    still = GaussianStatistics(a.mean, torch.zeros(20, 20))
    assert frechet_distance(still, a) == pytest.approx(float(a.covariance.trace()), rel=1e-6)


def test_statistics_that_do_not_fit():
    with pytest.raises(ValueError, match="expected a mean of 3"):
        frechet_distance(gaussian(3, 0), gaussian(4, 0))
    broken = GaussianStatistics(torch.full((3,), torch.nan), torch.eye(3))
    with pytest.raises(ValueError, match="b: mean or covariance holds NaN"):
        frechet_distance(gaussian(3, 0), broken)
    with pytest.raises(ValueError, match="at least 2 waveforms"):
        log_mel_statistics(torch.rand(1, 2048))


def test_log_mel_of_a_full_scale_sine_is_about_zero_and_its_floor_holds():
    time = torch.arange(2048, dtype=torch.float64)
    mel = log_mel(torch.cos(2 * torch.pi * 1000 / 16000 * time)[None])
    assert -1.0 < float(mel.mean(dim=2).max()) < 1.5
    assert float(log_mel(torch.zeros(1, 2048)).unique()) == pytest.approx(np.log(1e-8))


def test_log_mel_distance_grows_with_noise(real_windows):
    distances = [
        frechet_log_mel(with_noise(real_windows, level), real_windows) for level in (0, 1e-3, 1e-2, 0.1)
    ]
    assert distances[0] < 1e-6
    assert distances == sorted(distances)
    assert distances[3] > 100 * max(distances[0], 1e-3)


def test_noise_floor_is_what_unseen_real_speech_scores(real_windows):
    unseen, reference = real_windows[:300], real_windows[300:]
    distance, floor = frechet_with_noise_floor(unseen, reference)
    assert 0.5 < distance / floor < 2
    assert frechet_with_noise_floor(unseen, reference) == (distance, floor)
    noisy, same_floor = frechet_with_noise_floor(with_noise(unseen, 0.02), reference)
    assert same_floor == floor
    assert noisy > 4 * floor


def test_missing_variety_is_seen(real_windows):
    collapsed = real_windows[:4].repeat(128, 1)
    distance, floor = frechet_with_noise_floor(collapsed, real_windows)
    assert distance > 5 * floor


def test_too_few_windows_for_a_floor(real_windows):
    with pytest.raises(ValueError, match="2 waveforms and 4 reference waveforms, but got 10 and 3"):
        frechet_with_noise_floor(real_windows[:10], real_windows[:3])


@pytest.mark.parametrize("shift, gain", [(0, 1.0), (3, 0.2), (17, -1.0), (40, 3.0)])
def test_copies_of_training_windows_are_found(training_windows, real_windows, shift, gain):
    copies = gain * torch.nn.functional.pad(training_windows[:200], (shift, 0))[:, :2048]
    result = nearest_neighbours(copies, training_windows, real_windows)
    assert (result.index == torch.arange(200)).double().mean() > 0.97
    assert result.auc > 0.98
    assert result.copied_fraction > 0.8


def test_noisy_copies_of_stretches_at_any_offset_are_found(training_windows, real_windows):
    stretches = training_windows[:256].reshape(64, -1)
    starts = torch.randint(0, 3 * 2048, (64,), generator=torch.Generator().manual_seed(0))
    copies = torch.stack([x[s : s + 2048] for x, s in zip(stretches, starts, strict=True)])
    result = nearest_neighbours(with_noise(copies, 0.003), stretches, real_windows)
    assert (result.index == torch.arange(64)).double().mean() > 0.95
    assert result.similarity.median() > 0.99
    assert result.copied_fraction > 0.9


def test_unseen_speech_is_not_called_a_copy(training_windows, real_windows):
    result = nearest_neighbours(real_windows[:512], training_windows, real_windows[512:])
    assert 0.4 < result.auc < 0.6
    assert result.copied_fraction < 0.05


def test_similarity_is_the_share_of_energy_that_is_copied(training_windows):
    """A quarter of the energy replaced by noise leaves a correlation of sqrt(3/4)."""
    mixed = training_windows[:64] * np.sqrt(0.75) + 0.1 * np.sqrt(0.25) * torch.randn(
        64, 2048, generator=torch.Generator().manual_seed(0)
    )
    result = nearest_neighbours(mixed, training_windows, mixed, max_shift=0)
    assert result.similarity.median() == pytest.approx(np.sqrt(0.75), abs=0.02)


def test_silent_windows_resemble_nothing(training_windows):
    silent = torch.zeros(3, 2048)
    assert nearest_neighbours(silent, training_windows, training_windows[:4]).similarity.tolist() == [0, 0, 0]
    among_silence = torch.cat([torch.zeros(20, 2048), training_windows[:2]])
    assert nearest_neighbours(training_windows[:2], among_silence, silent).index.tolist() == [20, 21]


def test_windows_that_do_not_fit(training_windows):
    with pytest.raises(ValueError, match="train: expected at least one waveform of at least 2048"):
        nearest_neighbours(training_windows[:2], training_windows[:, :1024], training_windows[:2])
    with pytest.raises(ValueError, match="held_out: expected windows of 2048 samples, but got 1024"):
        nearest_neighbours(training_windows[:2], training_windows, training_windows[:2, :1024])
    with pytest.raises(ValueError, match="max_shift: expected 0 to 2048"):
        nearest_neighbours(training_windows[:2], training_windows, training_windows[:2], max_shift=-1)


def test_a_row_of_measures_of_unseen_speech_is_inconspicuous(training_windows, real_windows):
    arguments = {"factors": [4, 4, 4, 4], "cutoff_hz": 1800, "train": training_windows[:256]}
    row = measure_windows(real_windows[:340], real_windows[340:], **arguments)
    assert all(type(value) is float for value in row.values())
    assert {"prominence_250hz_db", "prominence_1000hz_db", "prominence_4000hz_db"} < set(row)
    assert row["prominence_worst_db"] < 6
    assert row["out_of_band_db"] == pytest.approx(row["out_of_band_real_db"], abs=1.5)
    assert row["spectral_distance_db"] < 2
    assert row["frechet_log_mel"] < 2 * row["frechet_log_mel_floor"]
    assert row["nearest_neighbour_auc"] < 0.6


def test_a_row_of_measures_is_the_same_twice(training_windows, real_windows):
    arguments = {"factors": [4, 4, 4, 4], "cutoff_hz": 1800, "train": training_windows[:96]}
    first, second = (measure_windows(real_windows[:96], real_windows[96:288], **arguments) for _ in range(2))
    assert first == second
