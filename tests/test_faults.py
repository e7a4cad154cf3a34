"""A small part of the campaign of faults, with seeds of its own: every trial survives."""

import concurrent.futures
import importlib
import os
import signal
import sys
import time

import pytest
import torch

from benchmarks import faults
from benchmarks.fault_parts.tally import Journal, Tally
from benchmarks.fault_parts.trials import in_child, in_warm_child


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
        ("packed", 1),
        ("settings", 6),
        ("models", 15),
        ("strangers", 12),
        ("kills", 1),
        ("disks", 6),
        ("crowds", 3),
    ],
)
def test_a_small_part_of_the_campaign_is_survived(part, count, tmp_path):
    tally = Tally(part, seed=1986 + count)
    faults.PARTS[part].run(tally, count, tmp_path)
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
    tally.add(1, "first", None, "refused")
    tally.add(2, "second", None, "refused", "hung for 20 s")
    text = faults.report([tally], "python benchmarks/faults.py")
    assert "| part | 2 | 1 | 1 refused | 0.0 | 0 |" in text
    assert "Not survived: 1." in text and "- part, second: hung for 20 s" in text


def test_a_campaign_goes_on_where_it_was_ended(tmp_path):
    """What is in the journal is not tried again, the rest comes with the same random numbers."""
    drawn = {}
    for count in (3, 5):
        tally = Tally("part", 1, Journal(tmp_path / "journal", 1))
        for key, rng in tally.trials(range(count)):
            assert key not in drawn
            drawn[key] = rng.random()
            tally.add(key, str(key), None, "well")
        with (tmp_path / "journal").open("a") as stream:
            stream.write('{"part": "pa')  # killed within a line
        (tmp_path / "journal").write_text((tmp_path / "journal").read_text() + "\n")
    assert tally.tried == 5 and len(set(drawn.values())) == 5
    assert {key: rng.random() for key, rng in Tally("part", 1).trials(range(5))} == drawn
    assert Journal(tmp_path / "journal", 2).records == {}
    assert list(Tally("part", until=0).trials(range(5))) == []


def test_waiting_for_a_processor_is_no_hang():
    """Four processes on one processor: each computes a quarter of the time, and only that counts."""

    def compute():
        begin = time.process_time()
        while time.process_time() - begin < 0.6:
            pass
        return time.monotonic()

    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            begin = time.monotonic()
            ends = list(pool.map(lambda _: in_child(compute), range(4)))
            took = time.monotonic() - begin
    finally:
        os.sched_setaffinity(0, allowed)
    assert [ended.how for ended in ends] == ["returned"] * 4
    assert took > 2.2 and all(0.55 < ended.seconds < took / 2 for ended in ends)


def test_a_process_is_killed_after_what_it_did_and_not_by_the_hour():
    for function in (lambda: [None for _ in iter(int, 1)], lambda: time.sleep(100)):
        ended = in_child(function, kill_after=0.3)
        assert ended.how == "SIGKILL" and 0.25 < ended.seconds < 0.6


def test_what_a_warm_child_imports_is_there_for_the_next():
    name = "xml.dom.expatbuilder"
    sys.modules.pop(name, None)
    ended = in_warm_child(lambda: importlib.import_module(name) and 7)
    assert (ended.how, ended.value, name in sys.modules) == ("returned", 7, True)
