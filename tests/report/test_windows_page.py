"""The report: everything is inside it, nothing is outside, and what a run lacks is named."""

import base64
import functools
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile
import torch
from matplotlib import image
from matplotlib.image import imread

from sb_resizegan.report.charts import line_chart
from sb_resizegan.report.measures_csv import read_measures, write_measures
from sb_resizegan.report.window_figures import spectrogram_figure
from sb_resizegan.report.windows_page import read_run, write_report


class Page(HTMLParser):
    """What a page is made of, and whether its elements are closed in order."""

    EMPTY = frozenset({"meta", "link", "img", "br", "line", "polyline", "circle"})

    def __init__(self, path):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.source = Path(path).read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def media(self, tag):
        """Decoded contents of all elements of a kind."""
        sources = [attributes["src"] for name, attributes in self.elements if name == tag]
        return [base64.b64decode(source.split(";base64,")[1], validate=True) for source in sources]

    @property
    def text(self):
        return " ".join(self.words)


def make_run(folder, level=0.1, epochs=3):
    real, generated = level * torch.randn(2, 8, 2048, generator=torch.Generator().manual_seed(0))
    (folder / "samples").mkdir(parents=True)
    soundfile.write(folder / "samples" / "real.wav", real.flatten().numpy(), 16000)
    for epoch in range(1, epochs + 1):
        soundfile.write(
            folder / "samples" / f"epoch_{epoch:04d}.wav", generated[:epoch].flatten().numpy(), 16000
        )
    spectrogram_figure(real, generated, folder / "spectrograms" / f"epoch_{epochs:04d}.png")
    rows = [
        {"epoch": e, "out_of_band_db": -7.25 * e, "out_of_band_real_db": -61.5, "frechet_log_mel": 90.0 / e}
        for e in range(1, epochs + 1)
    ]
    write_measures(rows, folder / "measures.csv")
    (folder / "train_log.txt").write_text("epoch: 1 - train loss: 2.5 <&>\n")
    (folder / "hyperparams.yaml").write_text(
        "# a comment\nupsampling: nearest # the article's\nseed: 1986\nboom: !apply:os.abort []\n"
        "batch_size: !ref <x>\nloss: !new:losses.WassersteinGP  # or another\n"
        "lowpass_hz:   # full band\ncritic_steps:\n"
    )
    return folder


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "nearest" / "1986")


def test_all_is_inside(run, tmp_path):
    page = Page(write_report([run], tmp_path / "new" / "report.html", title="Tones & <windows>"))
    (picture,) = page.media("img")
    assert imread(io.BytesIO(picture)).shape[2] >= 3
    real, generated = (soundfile.read(io.BytesIO(sound)) for sound in page.media("audio"))
    assert real[1] == generated[1] == 16000
    assert (len(real[0]), len(generated[0])) == (8 * 2048, 3 * 2048)
    for words in (
        "Tones & <windows>",
        "-21.8",
        "-61.5",
        "nearest",
        "1986",
        "WassersteinGP",
        "null",
        "train loss: 2.5 <&>",
        "out-of-band energy, dB",
    ):
        assert words in page.text
    assert "Not found" not in page.text
    assert "abort" not in page.source and "<x>" not in page.text


def test_nothing_is_outside(run, tmp_path):
    page = Page(write_report([run, make_run(tmp_path / "other")], tmp_path / "report.html"))
    without_data = re.sub(r"data:[\w/]*(;base64)?,[A-Za-z0-9+/=]*", "", page.source)
    assert not re.search(r"https?:|//|@import|url\(|<script|\bon\w+=", without_data)
    for _, attributes in page.elements:
        for key in ("src", "href"):
            assert attributes.get(key, "data:").startswith("data:")


def test_runs_stand_side_by_side_under_names_that_tell_them_apart(tmp_path):
    runs = [
        make_run(tmp_path / mode / "1986", epochs=n + 1) for n, mode in enumerate(("transpose", "nearest"))
    ]
    page = Page(write_report(runs, tmp_path / "report.html"))
    assert "transpose/1986" in page.text and "nearest/1986" in page.text
    assert len(page.media("img")) == 2 and len(page.media("audio")) == 4
    charts = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert [chart["aria-label"] for chart in charts] == [
        "out-of-band energy, dB over epochs",
        "Fréchet log-mel distance over epochs",
    ]


@pytest.mark.parametrize(
    "lost, named",
    [
        ("hyperparams.yaml", "hyperparams.yaml"),
        ("measures.csv", "measures.csv"),
        ("train_log.txt", "train_log.txt"),
        ("samples", "samples/real.wav, samples/epoch_NNNN.wav"),
        ("spectrograms", "spectrograms/epoch_NNNN.png"),
    ],
)
def test_what_is_missing_is_named(run, tmp_path, lost, named):
    (run / lost).rename(tmp_path / "elsewhere")
    assert f"Not found in this run: {named}." in Page(write_report([run], tmp_path / "report.html")).text


def test_damaged_files_count_as_missing(run, tmp_path):
    (run / "measures.csv").write_text("step,loss\n1,2\n")
    (run / "samples" / "real.wav").write_bytes(b"")
    (run / "samples" / "epoch_0003.wav").write_bytes(b"half")
    (run / "spectrograms" / "epoch_0002.png").write_bytes(
        (run / "spectrograms" / "epoch_0003.png").read_bytes()
    )
    found = read_run(run)
    assert found.epoch == 2
    assert found.generated.name == "epoch_0002.wav" and found.picture.name == "epoch_0002.png"
    page = Page(write_report([run], tmp_path / "report.html"))
    assert "expected a column 'epoch'" in page.text and "samples/real.wav" in page.text


def test_an_interrupted_row_and_text_in_a_table(tmp_path):
    (tmp_path / "measures.csv").write_text("epoch,a,b\n1,0.5,nan\n2,,words\n")
    assert read_measures(tmp_path / "measures.csv") == [{"epoch": 1, "a": 0.5}, {"epoch": 2}]
    (tmp_path / "measures.csv").write_text("epoch,a\n1,0.5\n,3\n")
    with pytest.raises(ValueError, match="line 3: no number in column 'epoch'"):
        read_measures(tmp_path / "measures.csv")


def test_no_runs(run, tmp_path):
    with pytest.raises(ValueError, match="at least one output folder"):
        write_report([], tmp_path / "report.html")
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        write_report([run, tmp_path / "nowhere"], tmp_path / "report.html")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match="bare: expected the output folder of a training"):
        write_report([tmp_path / "bare"], tmp_path / "report.html")
    with pytest.raises(ValueError, match=r"notes\.txt: expected a png file"):
        (tmp_path / "notes.txt").write_text("no picture")
        write_report([run], tmp_path / "report.html", figures=[("notes", tmp_path / "notes.txt")])
    assert not (tmp_path / "report.html").exists()


def test_charts_keep_all_points_inside():
    chart = line_chart("loss", [("one", [(1, -3.2), (5, 1e4)]), ("two", [(3, 7.0)])], dashed=[(1, -50.0)])
    points = re.findall(r"([\d.-]+),([\d.-]+)", " ".join(re.findall(r'points="([^"]*)"', chart)))
    assert len(points) == 4
    assert all(40 <= float(x) <= 350 and 30 <= float(y) <= 200 for x, y in points)
    assert line_chart("one point", [("a", [(4, 2.0)])]).count("<circle") == 1
    with pytest.raises(ValueError, match="nothing: expected at least one point"):
        line_chart("nothing", [("a", [])])


def test_command_line(run, tmp_path, call):
    call = functools.partial(call, "report")
    done = call(run)
    assert done.returncode == 0, done.stderr
    assert len(Page(run / "report.html").media("audio")) == 2
    assert call(run, "--figure", tmp_path / "windows.png").returncode == 0
    assert image.imread(tmp_path / "windows.png")[..., :3].std() > 0.05
    failed = call(run, tmp_path / "nowhere")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ") and "nowhere: no such folder" in failed.stderr
    assert call().returncode == 2
