"""The report in a browser: players and pictures load, and nothing goes wrong on the page.

Needs Chromium (``apt-get install chromium``). Where it isn't installed the test is skipped, and says so; with
``REQUIRE_BROWSER=1`` in the environment, as continuous integration sets it, that is a failure.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
import soundfile
import torch

from sb_resizegan.dataio.audio import write_audio
from sb_resizegan.report.measures_csv import write_measures
from sb_resizegan.report.window_figures import spectrogram_figure
from sb_resizegan.report.windows_page import ReportTable, write_report

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# What loads shows in the title of the dumped page. A page of the report itself holds no script.
PROBE = """<script>
const media = [...document.querySelectorAll("audio, img")];
const state = e => e.tagName === "IMG" ? [e.naturalWidth, e.naturalHeight] : [e.readyState, e.duration];
const look = () => { document.title = JSON.stringify(media.map(e => [e.tagName, ...state(e)])); };
setInterval(look, 50);
</script></body>"""


@pytest.fixture(scope="module")
def browser():
    """Path of an installed Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        message = "no Chromium found: install Debian's package chromium to run this test"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def report(speech_files, tmp_path_factory):
    """The report of a run whose samples are real speech."""
    run = tmp_path_factory.mktemp("browser") / "nearest" / "1986"
    speech = torch.from_numpy(soundfile.read(speech_files[0], dtype="float32")[0])
    real, generated = speech[: 2 * 24 * 2048].view(2, 24, 2048)
    write_audio(run / "samples" / "real.wav", real.flatten(), 16000)
    write_audio(run / "samples" / "epoch_0002.wav", generated[:12].flatten(), 16000)
    spectrogram_figure(real, generated, run / "spectrograms" / "epoch_0002.png")
    rows = [{"epoch": e, "out_of_band_db": -7.25 * e, "out_of_band_real_db": -61.5} for e in (1, 2)]
    write_measures(rows, run / "measures.csv")
    table = ReportTable("Words & <numbers>", ["run", "dB"], [["nearest", "1.0 ± 0.1"]])
    return write_report([run], run / "report.html", tables=[table])


def visit(browser, page, profile):
    """The page after loading, and what the browser's console said."""
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_players_and_pictures_load(browser, report, tmp_path):
    probed = tmp_path / "probed.html"
    probed.write_text(report.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    page, console = visit(browser, probed, tmp_path / "profile")
    media = json.loads(re.search(r"<title>(.*?)</title>", page)[1].replace("&quot;", '"'))
    kinds = [kind for kind, *_ in media]
    assert sorted(kinds) == ["AUDIO", "AUDIO", "IMG"]
    assert "1.0 ± 0.1" in page and "Words &amp; &lt;numbers&gt;" in page
    durations = []
    for kind, first, second in media:
        if kind == "IMG":
            assert first > 600 and second > 300  # pixels
        else:
            assert first >= 1  # HAVE_METADATA: it has been decoded as far as to know its length
            durations.append(second)
    assert durations == [pytest.approx(24 * 2048 / 16000), pytest.approx(12 * 2048 / 16000)]
    assert console == []


def test_the_console_is_heard_and_a_broken_player_seen(browser, report, tmp_path):
    source = report.read_text(encoding="utf-8")
    broken = re.sub(r'(<audio[^>]*base64,)[^"]{40}', r"\g<1>AAAA", source, count=1)
    assert broken != source
    probed = tmp_path / "broken.html"
    probed.write_text(broken.replace("</body>", PROBE + "<script>nonsense()</script>"), encoding="utf-8")
    page, console = visit(browser, probed, tmp_path / "profile")
    media = json.loads(re.search(r"<title>(.*?)</title>", page)[1].replace("&quot;", '"'))
    assert next(state for kind, state, _ in media if kind == "AUDIO") == 0
    assert any("nonsense" in line for line in console)
