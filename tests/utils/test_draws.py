"""Numbers by place: the same for the same place, unrelated for any other, evenly spread."""

import numpy as np
import pytest

from sb_resizegan.utils.checks import check_count, check_probability, check_range
from sb_resizegan.utils.random import Draws


def test_every_part_of_the_place_counts():
    place = {"seed": 3, "n": 5, "row": 7, "purpose": 0}
    numbers = Draws(**place).uniform(1000)
    np.testing.assert_array_equal(Draws(**place).uniform(1000), numbers)
    for part in place:
        others = Draws(**{**place, part: place[part] + 1}).uniform(1000)
        assert abs(np.corrcoef(numbers, others)[0, 1]) < 0.12
        assert not np.isin(others, numbers).any()


def test_single_numbers_are_spread_evenly():
    draws = Draws(seed=0, n=0)
    counts = np.bincount([draws.below(4) for _ in range(4000)], minlength=4)
    assert (abs(counts - 1000) < 120).all()
    between = [draws.between(-5, 20) for _ in range(4000)]
    assert min(between) >= -5 and max(between) < 20 and np.mean(between) == pytest.approx(7.5, abs=0.5)
    assert np.mean([draws.chance(0.2) for _ in range(4000)]) == pytest.approx(0.2, abs=0.025)
    assert not any(draws.chance(0.0) for _ in range(100)) and all(draws.chance(1.0) for _ in range(100))


@pytest.mark.parametrize("place", [{"seed": -1, "n": 0}, {"seed": 0, "n": 2**64}, {"seed": 0.5, "n": 0}])
def test_places_out_of_range(place):
    with pytest.raises(ValueError, match="expected a whole number from 0 to 2"):
        Draws(**place)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (check_count, (0,)),
        (check_count, (1.5,)),
        (check_count, (True,)),
        (check_probability, (1.1,)),
        (check_probability, (True,)),
        (check_probability, (float("nan"),)),
        (check_range, ((5, -5), -10, 10)),
        (check_range, ((-20, 5), -10, 10)),
        (check_range, (5, -10, 10)),
        (check_range, ((1, 2, 3), -10, 10)),
        (check_range, ((None, 2), -10, 10)),
        (check_range, ((float("nan"), 2), -10, 10)),
    ],
)
def test_options_out_of_range_are_named(check, arguments):
    with pytest.raises(ValueError, match=r"some_key: expected .* but got"):
        check("some_key", *arguments)
