"""Measures of restored speech: each on signals whose figure is known."""

import math

import pytest
import torch
from scipy.stats import spearmanr

from sb_resizegan.metrics.lost_regions import (
    interval_coverage,
    log_spectrum_db,
    lost_distance_db,
    nominal_coverage,
    rank_correlation,
    spread_db,
    spread_map_db,
)

TIME, FRAMES = 16384, 65


def noise(count, seed=0):
    return torch.randn(count, TIME, generator=torch.Generator().manual_seed(seed))


def frames(where):
    mask = torch.zeros(257, FRAMES)
    mask[:, where] = 1
    return mask


def test_the_distance_counts_where_something_was_lost_and_nowhere_else():
    clean = noise(1)[0]
    restored = clean.clone()
    restored[: TIME // 2] *= 0.5
    assert lost_distance_db(clean, restored, frames(slice(0, 28))) == pytest.approx(6.02, abs=0.01)
    assert lost_distance_db(clean, restored, frames(slice(36, None))) == pytest.approx(0, abs=1e-3)
    assert math.isnan(lost_distance_db(clean, restored, frames(slice(0))))


def test_silence_is_as_far_off_as_the_range_allows():
    clean = noise(1)[0]
    far = lost_distance_db(clean, 0 * clean, frames(slice(None)))
    assert 40 < far <= 60


@pytest.mark.parametrize("gain_db", [-10.0, -30.0])
def test_the_spread_is_the_level_of_what_differs(gain_db):
    shared, own = noise(1, 1), noise(8, 2)
    own[:, : TIME // 2] = 0
    draws = shared + 10 ** (gain_db / 20) * own
    inside, outside = spread_db(draws, frames(slice(36, None)))
    # Two draws differ by two such noises; their own level rises too.
    expected = gain_db + 10 * math.log10(2) - 10 * math.log10(1 + 10 ** (gain_db / 10))
    assert inside == pytest.approx(expected, abs=0.3)
    assert spread_db(draws, frames(slice(28, None)))[1] == -math.inf
    assert outside < inside - 5  # the frames at the border alone


def test_the_map_is_zero_where_draws_agree():
    draws = noise(1, 1).repeat(6, 1)
    draws[:, TIME // 2 :] = noise(6, 2)[:, TIME // 2 :]
    spread = spread_map_db(draws)
    assert not spread[:, :28].any()
    # The logarithm of a chi-squared power with two degrees of freedom has a deviation of 5.57 dB.
    assert float(spread[2:-2, 36:].square().mean().sqrt()) == pytest.approx(5.57, abs=0.3)
    assert spread_map_db(draws[:, None].expand(6, 2, TIME)).shape == (2, 257, FRAMES)


def test_rank_correlation_is_that_of_scipy_and_nothing_gives_none():
    first, second = noise(2)[:, :500].round(decimals=1)  # with ties
    second = second + first
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, -first) == -1
    assert math.isnan(rank_correlation(first, 0 * first)) and math.isnan(rank_correlation([], []))
    with pytest.raises(ValueError, match="as many numbers"):
        rank_correlation(first, second[1:])


def test_draws_of_the_truth_s_distribution_cover_as_stated_and_others_do_not():
    everything = frames(slice(None))
    shares = [interval_coverage(noise(1, 50 + s)[0], noise(4, s), everything) for s in range(4)]
    assert sum(shares) / 4 == pytest.approx(nominal_coverage(4), abs=0.01)
    too_sure = noise(1, 9)[0] + 0.01 * noise(4, 1)
    assert interval_coverage(noise(1, 50)[0], too_sure, everything) < 0.1


def test_levels_are_those_of_the_samples():
    """White noise keeps its RMS in each bin."""
    level = log_spectrum_db(0.1 * noise(1)[0])
    assert 10 * math.log10(float((10 ** (level / 10)).mean())) == pytest.approx(-20, abs=0.2)
