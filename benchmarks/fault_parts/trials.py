"""A trial: something is done in a process of its own, and its end is looked at."""

import contextlib
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["MOST_MB", "MOST_SECONDS", "Ended", "Tally", "in_child"]

MOST_SECONDS, MOST_MB = 20.0, 1024.0


class Ended(NamedTuple):
    """How a process ended."""

    how: str
    """"returned", "raised", "hung", or the name of the signal that ended it."""

    value: Any
    """What the function returned, or what it raised."""

    text: str
    """What it wrote to stdout and stderr."""

    seconds: float
    """How long it took."""

    mb: float
    """What its memory grew by, at its peak."""

    def fault(self) -> str | None:
        """What no trial may end with, in words, or None."""
        if self.how == "hung":
            return f"hung for {self.seconds:.0f} s"
        if self.how not in ("returned", "raised"):
            return f"ended by {self.how}"
        if self.mb > MOST_MB:
            return f"took {self.mb:.0f} MB"
        if self.how == "raised":
            return f"raised {self.value}"
        return "a traceback" if "Traceback (most recent call last)" in self.text else None


def in_child(
    function: Callable,
    *arguments: Any,
    seconds: float = MOST_SECONDS,
    kill_after: float | None = None,
    file_limit: int | None = None,
) -> Ended:
    """Calls a function in a forked process, so that nothing that it does can touch the campaign.

    Arguments
    ---------
    function : callable
        What to call. A ``SystemExit`` counts as what it returns.
    *arguments
        Its arguments.
    seconds : float
        How long it may take.
    kill_after : float, optional
        When SIGKILL comes, in seconds.
    file_limit : int, optional
        Bytes that a file may have: beyond, the system refuses to write, as it does on a full disk.

    Returns
    -------
    Ended
    """
    start = time.monotonic()
    # Pipes, for files would be limited too.
    (reader, writer), (words, output) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.close(words)
        _run(function, arguments, output, writer, file_limit)
    os.close(writer)
    os.close(output)
    limit = seconds if kill_after is None else min(seconds, kill_after)
    content, text = _read(reader, words, start + limit)
    is_late = content is None
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL if is_late else 0)
    _, status, usage = os.wait4(child, 0)
    took = time.monotonic() - start
    before, content = float((content or b"0").split(b"\n", 1)[0] or 0), (content or b"").partition(b"\n")[2]
    mb = max(0.0, usage.ru_maxrss / 1024 - before) if before else 0.0
    if is_late:
        how = "hung" if kill_after is None or kill_after > seconds else "SIGKILL"
        return Ended(how, None, text, took, mb)
    if os.WIFSIGNALED(status) or not content:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return Ended(signal.Signals(number).name if number else "exit", None, text, took, mb)
    how, value = pickle.loads(content)
    return Ended(how, value, text, took, mb)


def _run(function: Callable, arguments: tuple, output: int, writer: int, file_limit: int | None) -> None:
    """The child's life; never returns."""
    os.setpgid(0, 0)
    # What the process begins with is the campaign's own.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    os.write(writer, f"{pages * resource.getpagesize() / 2**20}\n".encode())
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = (open(n, "w", buffering=1, closefd=False) for n in (1, 2))  # noqa: SIM115
    try:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
        try:
            found = "returned", function(*arguments)
        except SystemExit as error:
            os.write(2, f"{'' if isinstance(error.code, int) else error.code or ''}\n".encode())
            found = "returned", error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException as error:
        found = "raised", "".join(traceback.format_exception_only(error)).strip()[:500]
    finally:
        sys.stdout.flush()
        with os.fdopen(writer, "wb") as stream:
            stream.write(pickle.dumps(found))
        os._exit(0)


def _read(reader: int, words: int, deadline: float) -> tuple[bytes | None, str]:
    """All that comes, or None if its end does not come in time; and what was written meanwhile."""
    found = {reader: b"", words: b""}
    is_done = False
    try:
        while not is_done:
            left = deadline - time.monotonic()
            ready = select.select([reader, words], [], [], left)[0] if left > 0 else []
            if not ready:
                break
            for descriptor in ready:
                piece = os.read(descriptor, 1 << 16)
                found[descriptor] += piece
                is_done = is_done or (descriptor == reader and not piece)
        while is_done and select.select([words], [], [], 0)[0] and (piece := os.read(words, 1 << 16)):
            found[words] += piece
    finally:
        os.close(reader)
        os.close(words)
    return found[reader] if is_done else None, found[words].decode(errors="replace")


class Tally:
    """Counts of what was tried and survived, and the faults in words.

    Arguments
    ---------
    name : str
        Of the part.
    """

    def __init__(self, name: str):
        self.name = name
        self.tried = 0
        self.outcomes: dict[str, int] = {}
        self.faults: list[str] = []
        self.longest = self.largest = 0.0

    def add(self, label: str, ended: Ended | None, outcome: str, fault: str | None = None) -> None:
        """Counts a trial: what became of it, and what is wrong with that, if anything is."""
        self.tried += 1
        if ended is not None:
            self.longest, self.largest = max(self.longest, ended.seconds), max(self.largest, ended.mb)
        if fault is not None:
            self.faults.append(f"{self.name}, {label}: {fault}")
        else:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def row(self) -> str:
        """A line of the table."""
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        survived = self.tried - len(self.faults)
        return (
            f"| {self.name} | {self.tried} | {survived} | {said} | {self.longest:.1f} | {self.largest:.0f} |"
        )
