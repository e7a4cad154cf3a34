"""Precision, recall, density, coverage and the kernel distance: definitions written out, planted defects."""

import pytest
import torch
from prdc import compute_prdc

from sb_resizegan.metrics.coverage import kernel_distance, measure_coverage, standard_features


def cloud(count, seed, size=6):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed)).double()


def test_agrees_with_the_definitions_point_by_point():
    own, real, k = cloud(40, 0) * 1.3 + 0.4, cloud(40, 1), 3

    def reach(points):
        return [sorted(float((p - q).norm()) for q in points)[k] for p in points]

    own_reach, real_reach = reach(own), reach(real)
    inside_real = [
        [float((r - g).norm()) < limit for g in own] for r, limit in zip(real, real_reach, strict=True)
    ]
    inside_own = [
        [float((r - g).norm()) < limit for g, limit in zip(own, own_reach, strict=True)] for r in real
    ]
    got = measure_coverage(own, real, k)
    assert got.precision == pytest.approx(sum(any(column) for column in zip(*inside_real, strict=True)) / 40)
    assert got.recall == pytest.approx(sum(any(row) for row in inside_own) / 40)
    assert got.density == pytest.approx(sum(map(sum, inside_real)) / (k * 40))
    assert got.coverage == pytest.approx(sum(any(row) for row in inside_real) / 40)


def test_agrees_with_prdc():
    own, real = cloud(200, 0) + 0.5, cloud(200, 1)
    expected = compute_prdc(real_features=real.numpy(), fake_features=own.numpy(), nearest_k=5)
    got = measure_coverage(own, real, 5)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(got, name) == pytest.approx(expected[name], abs=1e-9)


def test_ten_memorised_windows_are_precise_and_cover_little(real_windows, training_windows):
    copies = training_windows[:10].repeat(40, 1)
    copies = copies + 1e-3 * torch.randn(copies.shape, generator=torch.Generator().manual_seed(0))
    other = measure_coverage(*standard_features(training_windows[:400], real_windows[:400]))
    found = measure_coverage(*standard_features(copies, real_windows[:400]))
    assert other.coverage > 0.8
    assert other.recall > 0.8
    assert found.coverage < 0.2
    assert found.recall < 0.2


def test_noise_is_not_precise(real_windows):
    noise = 0.1 * torch.randn(200, 2048, generator=torch.Generator().manual_seed(0))
    found = measure_coverage(*standard_features(noise, real_windows))
    assert found.precision < 0.05
    assert found.density < 0.05


def test_kernel_distance_is_unbiased_and_sees_a_shift():
    values = [kernel_distance(cloud(50, 2 * n), cloud(50, 2 * n + 1)) for n in range(40)]
    mean = sum(values) / 40
    spread = (sum((value - mean) ** 2 for value in values) / 39) ** 0.5 / 40**0.5
    assert abs(mean) < 3 * spread
    assert min(values) < 0  # single values fall on both sides
    assert kernel_distance(cloud(50, 0) + 0.5, cloud(50, 1)) > max(values)


def test_kernel_distance_finds_a_tone_of_known_level(real_windows, training_windows):
    floor = kernel_distance(*standard_features(training_windows, real_windows))
    tone = 0.1 * torch.sin(2 * torch.pi * 4000 * torch.arange(2048) / 16000)  # 3 dB below the speech
    assert kernel_distance(*standard_features(training_windows + tone, real_windows)) > 10 * abs(floor)


def test_too_few_points():
    with pytest.raises(ValueError, match="neighbours: expected 1 to 4 for sets of 5"):
        measure_coverage(cloud(5, 0), cloud(9, 1), 5)
    with pytest.raises(ValueError, match="at least 2 points"):
        kernel_distance(cloud(1, 0), cloud(9, 1))
