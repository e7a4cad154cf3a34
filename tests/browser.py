"""A page in Chromium, by the browser's own protocol: what the page answers is awaited, however long it takes.

``--dump-dom`` with a budget of virtual time shows the page after a number of timers, not after its work: what
WebAssembly, decoders and the disk do takes no virtual time. Messages are those of the DevTools protocol,
https://chromedevtools.github.io/devtools-protocol, separated by NUL, on the descriptors 3 (in) and 4 (out).
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-pipe",
)
# What opens the two pipes under the numbers that Chromium reads.
START = 'exec "$@" 3<&{commands} {commands}<&- 4>&{answers} {answers}>&-'


def find_browser(*needed):
    """Path of an installed Chromium; skips the test, or fails it under ``REQUIRE_BROWSER=1``, without one.

    Arguments
    ---------
    *needed : Path
        Folders that have to be there as well.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    missing = [] if found else ["Chromium (Debian's package chromium)"]
    missing += [str(folder) for folder in needed if not folder.is_dir()]
    if missing:
        message = f"not installed: {', '.join(missing)}"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


class Page:
    """An open page.

    Attributes
    ----------
    console : list of str
        What the console said so far: messages, uncaught errors, and what could not be loaded.
    """

    def __init__(self, commands, answers, log, limit_s):
        self.console = []
        self._commands, self._answers, self._log, self._limit_s = commands, answers, log, limit_s
        self._received = b""
        self._number = 0
        self._seen = set()
        self._session = None

    def open(self, url):
        """Loads a page and waits for it."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self._seen.clear()
        failed = self._call("Page.navigate", url=url).get("errorText")
        assert not failed, f"{url}: {failed}"
        while "Page.loadEventFired" not in self._seen:
            self._receive(f"the load event of {url}")

    def evaluate(self, expression):
        """Value of a JavaScript expression as json gives it; a promise is awaited."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, _error_text(answer["exceptionDetails"])
        return answer["result"].get("value")

    def _call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._commands, left) :]
        while True:
            answer = self._receive(f"an answer to {method}")
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self, awaited):
        """The next message; of an event, what the console said is kept."""
        end = time.monotonic() + self._limit_s
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(0, end - time.monotonic()))
            data = os.read(self._answers, 1 << 16) if ready else b""
            if not data:
                what = "ended" if ready else f"said nothing for {self._limit_s} s"
                said = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise AssertionError(f"the browser {what}; expected {awaited}. Its log: {said}")
            self._received += data
        line, self._received = self._received.split(b"\0", 1)
        message = json.loads(line)
        method, details = message.get("method"), message.get("params", {})
        self._seen.add(method)
        if method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(part.get("value", part)) for part in details["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(_error_text(details["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.console.append(details["entry"]["text"])
        return message


def _error_text(details):
    return details.get("exception", {}).get("description") or details["text"]


def _pipe():
    """Both ends of a pipe, with numbers of two digits: 3 and 4 have to be free in the browser."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


@contextlib.contextmanager
def visit(browser, file, folder, limit_s=120):
    """Opens a file in a browser of its own for the time of a ``with`` block.

    Arguments
    ---------
    browser : str
        Path of Chromium.
    file : Path
        The page.
    folder : Path
        For the browser's profile and log; made.
    limit_s : float
        Longest silence of the browser, in seconds.

    Yields
    ------
    Page
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    (theirs_in, ours_out), (ours_in, theirs_out) = _pipe(), _pipe()
    start = START.format(commands=theirs_in, answers=theirs_out)
    words = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    log = folder / "log.txt"
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours_out)
        stack.callback(os.close, ours_in)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                ["bash", "-c", start, "bash", *words],
                pass_fds=(theirs_in, theirs_out),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        stack.callback(process.wait)
        stack.callback(os.killpg, process.pid, signal.SIGKILL)  # with its children
        os.close(theirs_in)
        os.close(theirs_out)
        page = Page(ours_out, ours_in, log, limit_s)
        page.open(Path(file).absolute().as_uri())
        yield page
