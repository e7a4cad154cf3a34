"""Processes that may die alone: whose answers they give."""

import os
import threading
import time

import pytest

from sb_resizegan.metrics import lone_process
from sb_resizegan.metrics.lone_process import LoneProcess


@pytest.fixture
def echo(tmp_path):
    script = tmp_path / "script.py"
    module = lone_process.__file__
    script.write_text(f"import runpy\nrunpy.run_path({module!r})['answer'](lambda word: word)\n")
    with LoneProcess(script) as process:
        yield process


def forked(function):
    """What a forked process returns as its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = function()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_process_neither_takes_nor_gives_the_answers_of_its_parent(echo):
    """Both call; each hears its own words, and the child's end leaves the parent's process alone."""
    assert echo.call(["parent"], seconds=60) == "parent"

    def child():
        said = [echo.call([f"child {number}"], seconds=60) for number in range(3)]
        echo.close()
        return 0 if said == ["child 0", "child 1", "child 2"] else 1

    assert forked(child) == 0
    assert [echo.call([number], seconds=60) for number in range(5)] == list(range(5))


def test_a_lock_that_was_held_at_the_fork_stops_nobody(echo):
    echo.call(["begin"], seconds=60)
    held = threading.Event()

    def hold():
        with echo._lock:
            held.set()
            time.sleep(2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert forked(lambda: 0 if echo.call(["child"], seconds=60) == "child" else 1) == 0
    thread.join()
