"""A trial: something is done in a process of its own, and its end is looked at."""

import contextlib
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["MOST_MB", "MOST_SECONDS", "Ended", "in_child", "in_warm_child"]

MOST_SECONDS, MOST_MB = 20.0, 1024.0
POLL_SECONDS = 0.02  # how late a kill may come
FORKING = threading.Lock()


class Ended(NamedTuple):
    """How a process ended."""

    how: str
    """"returned", "raised", "hung", or the name of the signal that ended it."""

    value: Any
    """What the function returned, or what it raised."""

    text: str
    """What it wrote to stdout and stderr."""

    seconds: float
    """How long it computed and slept; what it waited for a processor does not count."""

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
        How long it may take. Here and below, time in which it waits for a processor does not count: on a busy
        machine the same trials come to the same ends.
    kill_after : float, optional
        When SIGKILL comes, in seconds.
    file_limit : int, optional
        Bytes that a file may have: beyond, the system refuses to write, as it does on a full disk.

    Returns
    -------
    Ended
    """
    # Of several threads, one at a time: a child that inherits another's writing ends would keep them open.
    with FORKING:
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
    clock = _Clock(child)
    content, text = _read(reader, words, lambda: limit - clock.seconds())
    is_late = content is None
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL if is_late else 0)
    _, status, usage = os.wait4(child, 0)
    took = usage.ru_utime + usage.ru_stime + clock.slept
    with contextlib.suppress(ProcessLookupError):  # processes that it started
        os.killpg(child, signal.SIGKILL)
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


def in_warm_child(function: Callable, *arguments: Any, **options: Any) -> Ended:
    """As `in_child`, and imports here what the function imported there: the next children find it.

    Arguments
    ---------
    function : callable
        See `in_child`.
    *arguments, **options
        See `in_child`.

    Returns
    -------
    Ended
    """

    def call() -> tuple[Any, list[str]]:
        try:
            value = function(*arguments)
        except SystemExit as error:
            os.write(2, f"{'' if isinstance(error.code, int) else error.code or ''}\n".encode())
            value = error.code if isinstance(error.code, int) else int(bool(error.code))
        specs = ((name, getattr(module, "__spec__", None)) for name, module in sys.modules.items())
        return value, [name for name, spec in specs if spec is not None and spec.has_location]

    ended = in_child(call, **options)
    if ended.how != "returned":
        return ended
    value, names = ended.value
    for name in names:
        # Parts of packages that cannot be had by themselves are imported with what needs them.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return ended._replace(value=value)


class _Clock:
    """Time in which a process computed or slept.

    On a busy machine the rest is spent waiting for a processor, and says nothing of the process.
    """

    def __init__(self, process: int):
        self._folder = Path(f"/proc/{process}")
        self._computed, self._asked = 0.0, time.monotonic()
        self.slept = 0.0

    def seconds(self) -> float:
        now, ready, ticks = time.monotonic(), False, 0
        try:
            ticks = sum(map(int, self._folder.joinpath("stat").read_text().rpartition(")")[2].split()[11:15]))
            for thread in self._folder.glob("task/*/stat"):
                ready = ready or thread.read_text().rpartition(")")[2].split()[0] == "R"
        except OSError:  # it, or one of its threads, has just ended
            ready = True
        computed = max(self._computed, ticks / os.sysconf("SC_CLK_TCK"))
        if not ready and computed == self._computed:
            self.slept += now - self._asked
        self._computed, self._asked = computed, now
        return computed + self.slept


def _read(reader: int, words: int, left: Callable[[], float]) -> tuple[bytes | None, str]:
    """All that comes, or None if its end does not come while time is left; and what was written meanwhile."""
    found = {reader: b"", words: b""}
    is_done = False
    try:
        while not is_done and (seconds := left()) > 0:
            for descriptor in select.select([reader, words], [], [], min(seconds, POLL_SECONDS))[0]:
                piece = os.read(descriptor, 1 << 16)
                found[descriptor] += piece
                is_done = is_done or (descriptor == reader and not piece)
        while is_done and select.select([words], [], [], 0)[0] and (piece := os.read(words, 1 << 16)):
            found[words] += piece
    finally:
        os.close(reader)
        os.close(words)
    return found[reader] if is_done else None, found[words].decode(errors="replace")
