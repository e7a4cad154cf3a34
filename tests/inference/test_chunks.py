"""Chunks joined equal one pass, to what a function remembers beyond their context."""

import numpy as np
import pytest
from scipy.signal import lfilter

from sb_resizegan.inference.chunks import SlidingWindow, process_in_chunks


def both_ways(part, decay=0.9):
    """Remembers what was and what is to come: 0.9 per sample, 60 dB in 66 samples."""
    forwards = lfilter([1], [1, -decay], part, axis=0)
    return forwards + lfilter([1], [1, -decay], part[::-1], axis=0)[::-1]


def joined(signal, function, chunk, context, fade, hop):
    blocks = np.array_split(signal, 9)
    return np.concatenate(list(process_in_chunks(blocks, len(signal), function, chunk, context, fade, hop)))


@pytest.mark.parametrize("total", [1, 99, 100, 101, 199, 1000, 1007, 5000])
def test_chunks_joined_are_one_pass(total):
    signal = np.random.default_rng(0).standard_normal((total, 2))
    one_pass = both_ways(signal)
    result = joined(signal, lambda part, first: both_ways(part), chunk=100, context=100, fade=20, hop=8)
    assert np.abs(result - one_pass).max() < 10 ** (-80 / 20) * np.abs(one_pass).max()


def test_without_context_they_are_not():
    signal = np.random.default_rng(0).standard_normal((1000, 1))
    one_pass = both_ways(signal)
    result = joined(signal, lambda part, first: both_ways(part), chunk=100, context=0, fade=0, hop=8)
    assert np.abs(result - one_pass).max() > 10 ** (-20 / 20) * np.abs(one_pass).max()


def test_a_join_is_a_cross_fade():
    """A function that gives the chunk's number: in between, the output goes straight from one to the next."""
    seen = []

    def number(part, first):
        seen.append(first)
        return np.full(part.shape, len(seen) - 1.0)

    result = joined(np.zeros((300, 1)), number, chunk=100, context=16, fade=20, hop=4)[:, 0]
    assert seen == [0, 84, 184]
    steps = np.diff(result)
    assert steps.max() == pytest.approx(1 / 20, abs=1e-6) and steps.min() == 0
    assert (result[:100] == 0).all() and (result[120:200] == 1).all() and (result[220:] == 2).all()


def test_chunks_begin_at_multiples_of_the_hop():
    seen = []
    joined(np.zeros((1003, 1)), lambda part, first: seen.append(first) or part, 100, 33, 10, 16)
    assert len(seen) > 9 and all(first % 16 == 0 for first in seen)


def test_no_more_is_held_than_a_chunk_needs():
    most = 0

    def watch(part, first):
        nonlocal most
        most = max(most, len(part))
        return part

    joined(np.zeros((10_000, 1)), watch, chunk=100, context=30, fade=10, hop=10)
    assert most == 100 + 2 * 30 + 10


def test_a_signal_that_ends_early_is_an_error():
    with pytest.raises(ValueError, match="ends after 10 samples, but 11 were expected"):
        SlidingWindow([np.zeros((10, 1))]).read(0, 11)
