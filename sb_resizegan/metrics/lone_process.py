"""Calls into compiled packages that may crash: in a process that dies alone."""

import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

__all__ = ["LoneProcess", "ProcessDiedError", "answer"]


class ProcessDiedError(RuntimeError):
    """The process ended, or was ended, before it answered; the message says how."""


class LoneProcess:
    """Runs a script that answers calls, and starts it anew after it died.

    Each process that calls has a script of its own, also after a fork: two that share one would get each
    other's answers.

    Arguments
    ---------
    script : str or Path
        A Python file that calls `answer`. It is started by its path: it imports what it needs, and not this
        package.

    Example
    -------
    >>> script = getfixture("tmp_path") / "script.py"
    >>> _ = script.write_text('''
    ... import os, runpy
    ... answer = runpy.run_path(%r)["answer"]
    ... answer(lambda word: word.upper() if word else os.abort())
    ... ''' % __file__)
    >>> with LoneProcess(script) as process:
    ...     print(process.call(["yes"], seconds=60))
    ...     try:
    ...         process.call([""], seconds=60)
    ...     except ProcessDiedError as error:
    ...         print(error)
    ...     print(process.call(["again"], seconds=60))
    YES
    ended by SIGABRT
    AGAIN
    """

    def __init__(self, script: str | os.PathLike) -> None:
        self._command = [sys.executable, os.fspath(script)]
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._calls = 0

    def __enter__(self) -> "LoneProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def call(self, arguments: Sequence, seconds: float) -> Any:
        """Calls the script's function.

        Arguments
        ---------
        arguments : sequence
            What can be pickled.
        seconds : float
            How long it may take; a process that takes longer is ended.

        Returns
        -------
        object
            What the function returned.

        Raises
        ------
        ProcessDiedError
            If the process dies over it or takes too long. The next call starts another.
        """
        if self._owner != os.getpid():  # forked: what is here belongs to the parent
            self._owner, self._process, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            return self._call(arguments, seconds)

    def _call(self, arguments: Sequence, seconds: float) -> Any:
        if self._process is None:
            self._process = self._start()
        process = self._process
        assert process.stdin is not None  # opened as a pipe
        try:
            self._calls += 1
            process.stdin.write(_packed((self._calls, *arguments)))
            process.stdin.flush()
        except OSError:
            pass  # it died: its end says how
        try:
            found = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise ProcessDiedError(f"took longer than {seconds:g} s") from None
        if found is None:
            status = process.wait()
            self.close()
            how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
            raise ProcessDiedError(f"ended {how}")
        number, result = found
        if number != self._calls:
            self.close()
            raise ProcessDiedError(f"answered call {number} instead of {self._calls}")
        return result

    def close(self) -> None:
        """Ends the process, if there is one, and it is this one's."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._answers = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(process.stdout, self._answers), daemon=True).start()
        return process

    @staticmethod
    def _listen(stream: Any, answers: queue.SimpleQueue) -> None:
        """Passes answers on, and None when there are no more."""
        with stream:
            while (content := _read(stream)) is not None:
                answers.put(pickle.loads(content))
            answers.put(None)


def answer(function: Any) -> None:
    """The script's side: answers calls until nobody is there any more.

    Arguments
    ---------
    function : callable
        Takes what ``LoneProcess.call`` was given, returns what can be pickled.
    """
    # Whatever a package prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while (content := _read(sys.stdin.buffer)) is not None:
        number, *arguments = pickle.loads(content)
        answers.write(_packed((number, function(*arguments))))
        answers.flush()


def _packed(content: Any) -> bytes:
    content = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
    return struct.pack("<Q", len(content)) + content


def _read(stream: Any) -> bytes | None:
    head = stream.read(8)
    if len(head) < 8:
        return None
    content = stream.read(struct.unpack("<Q", head)[0])
    return content if len(content) == struct.unpack("<Q", head)[0] else None
