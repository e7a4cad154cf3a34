"""Names of any bytes come to pictures, pages and tables, and back out of the csv."""

import csv
import os

import numpy as np
import pytest

from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.report.enhancement_figures import utterances_figure
from sb_resizegan.report.html import write_page
from sb_resizegan.report.score_table import write_scores

NAMES = [
    "$x$ #1=2 'q' \"r\" <b>",
    "$\\frac{",
    "new\nline",
    "n" * 255,
    os.fsdecode(b"\xff\xfe"),
]


@pytest.fixture
def noise():
    return (0.1 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_any_name(name, noise, tmp_path):
    rows = {name: {name: noise, "clean": noise}}
    assert utterances_figure(rows, tmp_path / "a.png", title=name).stat().st_size > 1000


def test_a_page_and_tables_hold_any_name(tmp_path):
    path = write_page(tmp_path / "a.html", NAMES[0], [f"<p>{NAMES[4]}</p>"])
    assert "$x$ #1=2" in path.read_text(encoding="utf-8")
    scores = [{"pesq_wb": 1.0 + number, "notes": ["a note"]} for number in range(len(NAMES))]
    write_scores(SystemScores(NAMES, [0.0] * len(NAMES), {"noisy": scores}), tmp_path)
    assert "$x$ #1=2" in (tmp_path / "scores.md").read_text(encoding="utf-8")
    with open(tmp_path / "scores.csv", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = list(csv.reader(stream))
    assert set(NAMES) <= {row[0] for row in rows}
