"""The report in a browser: players and pictures load, and nothing goes wrong on the page.

Needs Chromium (``apt-get install chromium``). Where it isn't installed the test is skipped, and says so; with
``REQUIRE_BROWSER=1`` in the environment, as continuous integration sets it, that is a failure.
"""

import re

import pytest
import soundfile
import torch

from sb_resizegan.dataio.sinks import write_audio
from sb_resizegan.report.measures_csv import write_measures
from sb_resizegan.report.window_figures import spectrogram_figure
from sb_resizegan.report.windows_page import ReportTable, write_report
from tests.browser import find_browser, visit

pytestmark = pytest.mark.browser

# Kind, and pixels of a picture or state and seconds of a player, once each has loaded or failed to.
PROBE = """(async () => {
  const media = [...document.querySelectorAll("audio, img")];
  const loaded = e => e.tagName === "IMG" ? e.complete : e.readyState > 0 || e.error;
  const names = ["load", "loadedmetadata", "error"];
  const wait = e => new Promise(done => names.forEach(name => e.addEventListener(name, done)));
  await Promise.all(media.filter(e => !loaded(e)).map(wait));
  const state = e => e.tagName === "IMG" ? [e.naturalWidth, e.naturalHeight] : [e.readyState, e.duration];
  return media.map(e => [e.tagName, ...state(e)]);
})()"""


@pytest.fixture(scope="module")
def browser():
    """Path of an installed Chromium."""
    return find_browser()


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


def test_players_and_pictures_load(browser, report, tmp_path):
    with visit(browser, report, tmp_path / "browser") as page:
        media = page.evaluate(PROBE)
        text = page.evaluate("document.body.innerText")
        assert page.console == []
    kinds = [kind for kind, *_ in media]
    assert sorted(kinds) == ["AUDIO", "AUDIO", "IMG"]
    assert "1.0 ± 0.1" in text and "Words & <numbers>" in text
    durations = []
    for kind, first, second in media:
        if kind == "IMG":
            assert first > 600 and second > 300  # pixels
        else:
            assert first >= 1  # HAVE_METADATA: it has been decoded as far as to know its length
            durations.append(second)
    assert durations == [pytest.approx(24 * 2048 / 16000), pytest.approx(12 * 2048 / 16000)]


def test_the_console_is_heard_and_a_broken_player_seen(browser, report, tmp_path):
    source = report.read_text(encoding="utf-8")
    broken = re.sub(r'(<audio[^>]*base64,)[^"]{40}', r"\g<1>AAAA", source, count=1)
    assert broken != source
    probed = tmp_path / "broken.html"
    scripts = "<script>nonsense()</script><script>console.warn('spoken')</script></body>"
    probed.write_text(broken.replace("</body>", scripts), encoding="utf-8")
    with visit(browser, probed, tmp_path / "browser") as page:
        media = page.evaluate(PROBE)
        assert next(state for kind, state, _ in media if kind == "AUDIO") == 0
        assert any("nonsense" in line for line in page.console)
        assert "spoken" in page.console
        with pytest.raises(AssertionError, match="ReferenceError: neither"):
            page.evaluate("neither.nor")
