"""Random numbers by counting, against an independent SplitMix64 and what their distributions promise."""

import math

import pytest
import torch

from sb_resizegan.utils.counter_random import CounterRandom, draw_integers, draw_normal, draw_uniform

MASK = 2**64 - 1


def splitmix64(key, n):
    """The n-th number (from 1) in integers of any size."""
    x = (key + n * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


@pytest.mark.parametrize("key", [0, 1234567, 2**63 - 1])
def test_equals_the_definition(key):
    random = CounterRandom(key)
    found = [*random.uniform(3).tolist(), *random.uniform(2).tolist()]
    assert found == [(splitmix64(key, n) >> 40) / 2**24 for n in range(1, 6)]
    assert CounterRandom(key).integers(-3, 4, 5).tolist() == [
        -3 + ((splitmix64(key, n) >> 32) * 7 >> 32) for n in range(1, 6)
    ]


def test_published_values():
    # Of the seed 1234567, as in the tests of other implementations of SplitMix64.
    assert [splitmix64(1234567, n) for n in (1, 2, 3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_distributions():
    random = CounterRandom(7)
    uniform, normal = random.uniform(100000), random.normal(100000)
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 4 / math.sqrt(12e5)
    assert abs(uniform.var() - 1 / 12) < 1e-3
    assert abs(normal.mean()) < 4 / math.sqrt(1e5) and abs(normal.var() - 1) < 0.02
    assert abs((normal**4).mean() - 3) < 0.15 and normal.isfinite().all()
    counts = random.integers(-2, 3, 100000).add(2).bincount(minlength=5)
    assert ((counts / 1e5 - 0.2).abs() < 4 * math.sqrt(0.16 / 1e5)).all()


def test_streams_and_numbers_are_uncorrelated():
    rows = torch.stack([CounterRandom(key).uniform(20000) for key in (1, 2, 3)])
    rows = torch.cat([rows, rows[:1].roll(1, 1)])
    assert (torch.corrcoef(rows) - torch.eye(4)).abs().max() < 0.03


def test_ranks_share_out_what_one_draws():
    joint = CounterRandom(5)
    ranks = [CounterRandom(5, rank=rank, world_size=3) for rank in range(3)]
    draws = [
        lambda random, rows: random.uniform(rows, 2),
        lambda random, rows: random.normal(rows),
        lambda random, rows: random.integers(0, 100, 1, shared=True).expand(rows),
        lambda random, rows: random.integers(0, 100, rows),
    ]
    for draw in draws:
        assert torch.equal(torch.cat([draw(rank, 4) for rank in ranks]), draw(joint, 12))


def test_all_sources_give_the_same_shapes():
    for source in (None, torch.Generator(), CounterRandom(1)):
        cpu = torch.device("cpu")
        assert draw_uniform(source, cpu, 2, 3).shape == draw_normal(source, cpu, 2, 3).shape == (2, 3)
        assert draw_integers(source, 0, 5, 4).dtype == torch.int64
