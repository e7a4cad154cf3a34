"""A small part of the campaign of faults, with seeds of its own: every trial survives."""

import os
import signal
import time

import pytest
import torch

from benchmarks import faults
from benchmarks.fault_parts.trials import Tally, in_child


@pytest.fixture(autouse=True)
def one_thread():
    """Forked processes inherit no threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("sounds", 60),
        ("settings", 6),
        ("models", 15),
        ("strangers", 12),
        ("kills", 1),
        ("disks", 6),
        ("crowds", 3),
    ],
)
def test_a_small_part_of_the_campaign_is_survived(part, count, tmp_path):
    function, _ = faults.PARTS[part]
    tally = function(count, seed=1986 + count, folder=tmp_path)
    assert tally.tried >= count and tally.faults == []


def test_the_campaign_notices_what_it_looks_for():
    """Crashes, hangs, memory, errors, tracebacks: each is called by its name, and what is well is not."""
    cases = {
        "ended by SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
        "hung for 1 s": lambda: time.sleep(100),
        "raised ValueError: wrong": lambda: _raise(ValueError("wrong")),
        "a traceback": lambda: os.write(2, b"Traceback (most recent call last):\n"),
        None: lambda: "well",
    }
    for fault, function in cases.items():
        assert in_child(function, seconds=1).fault() == fault
    greedy = in_child(lambda: len(bytearray(b"x") * (1200 << 20)), seconds=60)
    assert greedy.fault().startswith("took 1") and greedy.mb > 1100
    assert in_child(lambda: time.sleep(100), kill_after=0.2).how == "SIGKILL"


def _raise(error):
    raise error


def test_the_table_says_what_was_tried_and_survived():
    tally = Tally("part")
    tally.add("first", None, "refused")
    tally.add("second", None, "refused", "hung for 20 s")
    text = faults.report([tally], "python benchmarks/faults.py")
    assert "| part | 2 | 1 | 1 refused | 0.0 | 0 |" in text
    assert "Not survived: 1." in text and "- part, second: hung for 20 s" in text
