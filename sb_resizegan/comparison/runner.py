"""Runs the trainings of a grid as processes, one by one or side by side, and says how far they are."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sb_resizegan.comparison.grid import GridRun, epochs_done, is_finished

__all__ = ["train_grid"]


def train_grid(
    runs: Sequence[GridRun],
    options: Sequence[str] = (),
    jobs: int = 1,
    threads: int | None = None,
    say: Callable[[str], Any] = print,
) -> dict[str, str]:
    """Trains runs, each in a process of its own; one that fails doesn't keep the others from being run.

    Arguments
    ---------
    runs : list of GridRun
        The runs.
    options : sequence of str
        More words for its command line.
    jobs : int
        How many at a time.
    threads : int
        For each; by default the processors are shared out where there are several jobs.
    say : callable
        Takes lines of progress.

    Returns
    -------
    dict of str to str
        Why a run failed, by its name; empty if none did.
    """
    if threads is None and jobs > 1:
        threads = max(1, (os.cpu_count() or 1) // jobs)
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    waiting: list[tuple[int, GridRun]] = []
    active: list[_Job] = []
    failed: dict[str, str] = {}
    for number, run in enumerate(runs, 1):
        if is_finished(run):
            say(f"[{number}/{len(runs)}] {run.name}: finished before")
        else:
            waiting.append((number, run))
    clock = _Clock(jobs)
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                job = _Job(*waiting.pop(0), options, environment)
                active.append(job)
                done = f"goes on after epoch {job.epochs}" if job.epochs else "begins"
                say(f"[{job.number}/{len(runs)}] {job.run.name}: {done}, {_left(clock, active, waiting)}")
            time.sleep(0.2)
            for job in list(active):
                ended = job.process.poll() is not None  # before the epochs are read: none comes after
                if job.new_epochs(clock):
                    total = job.run.hparams["number_of_epochs"]
                    say(
                        f"[{job.number}/{len(runs)}] {job.run.name}: epoch {job.epochs} of {total}, "
                        f"{_left(clock, active, waiting)}"
                    )
                if ended:
                    active.remove(job)
                    reason = job.failure()
                    if reason:
                        failed[job.run.name] = reason
                        say(f"[{job.number}/{len(runs)}] {job.run.name}: FAILED: {reason} (see {job.log})")
                    else:
                        say(f"[{job.number}/{len(runs)}] {job.run.name}: done")
    finally:
        for job in active:
            job.process.terminate()
        for job in active:
            job.process.wait()
    return failed


class _Clock:
    """How long epochs take."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.seconds, self.epochs = jobs, 0.0, 0

    def left(self, epochs: int, runs: int) -> float | None:
        """Seconds for so many epochs of so many runs, None while no epoch has ended."""
        return self.seconds / self.epochs * epochs / min(self.jobs, max(runs, 1)) if self.epochs else None


class _Job:
    """A training in its process."""

    def __init__(
        self, number: int, run: GridRun, options: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.number, self.run = number, run
        run.folder.mkdir(parents=True, exist_ok=True)
        self.log = run.folder / "console.txt"
        self.epochs, self.since = epochs_done(run), time.monotonic()
        given = {option.split("=")[0].lstrip("-") for option in options if option.startswith("--")}
        # What the command line sets for all is in the overrides too, and the parser takes no option twice.
        own = [f"--{key}={_word(value)}" for key, value in run.overrides.items() if key not in given]
        words = [sys.executable, "-m", "sb_resizegan", "train-gan", str(run.base), *own, *options]
        if "noprogressbar" not in given:
            words.append("--noprogressbar")
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def new_epochs(self, clock: _Clock) -> int:
        """Counts the epochs that have ended since the last call, and their time."""
        now = epochs_done(self.run)
        if now <= self.epochs:
            return 0
        new, self.epochs = now - self.epochs, now
        clock.seconds += time.monotonic() - self.since
        clock.epochs += new
        self.since = time.monotonic()
        return new

    def failure(self) -> str | None:
        """Why the ended process counts as failed, or None."""
        if self.process.returncode == 0 and is_finished(self.run):
            return None
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"exit status {self.process.returncode}; {lines[-1] if lines else 'no output'}"


def _word(value: Any) -> str:
    """A value as the command line takes it: a text as it is, anything else as yaml."""
    return value if isinstance(value, str) else json.dumps(value)


def _left(clock: _Clock, active: Sequence[Any], waiting: Sequence[Any]) -> str:
    runs = [job.run for job in active] + [run for _, run in waiting]
    done = sum(job.epochs for job in active)
    seconds = clock.left(sum(run.hparams["number_of_epochs"] for run in runs) - done, len(runs))
    if seconds is None:
        return f"{len(runs)} runs left"
    return f"{len(runs)} runs and about {seconds / 60:.0f} min left"
