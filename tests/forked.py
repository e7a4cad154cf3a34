"""A process that is killed at a moment of its work; forked, for a new interpreter imports for seconds."""

import multiprocessing
from collections.abc import Callable
from typing import Any

import torch


def kill_at_work(work: Callable, *arguments: Any, seconds: float) -> None:
    """Forks a process, lets it work for a time, and ends it with SIGKILL.

    Arguments
    ---------
    work : callable
        Called with a function that it has to call once it is well under way, and the arguments. It must not
        come to an end.
    *arguments
        For ``work``.
    seconds : float
        How long it goes on from then on.
    """
    context = multiprocessing.get_context("fork")
    hears, tells = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, tells, arguments), daemon=True)
    process.start()
    tells.close()
    try:
        assert hears.poll(120), "the process did not get under way"
        hears.recv()
        process.join(seconds)
        assert process.exitcode is None, f"the process ended by itself, with status {process.exitcode}"
    finally:
        process.kill()
        process.join()
        hears.close()


def _work(work, tells, arguments):
    torch.set_num_threads(1)  # the threads of the other process are not here
    work(lambda: tells.send("under way"), *arguments)
