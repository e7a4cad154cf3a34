"""The walks of ``docs/architecture.md`` lead through files and functions that are there, and downhill."""

import itertools
import re
from pathlib import Path

import pytest

from tests.test_layout import arrows

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STOPS = re.findall(r"`([\w/]+\.(?:py|yaml)):\s+([\w.]+)`", TEXT)
LISTS = re.findall(r"^1\. .*(?:\n\d\. .*)+", TEXT, re.MULTILINE)
WALKS = [re.findall(r"`(\w+)/[\w/]+\.py: ", steps) for steps in LISTS]


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_every_stop_is_there(file, name):
    path = ROOT / file if file.endswith(".yaml") else ROOT / "sb_resizegan" / file
    text = path.read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(rf"^\s*(?:def|class) {part}\b|^{part}(?::| =)", text, re.MULTILINE), (
            f"{file} has no {part}"
        )


def test_walks_do_not_climb_back():
    """No step leads to a room that lies above the room before: that imports from it, directly or not."""
    direct = arrows()

    def below(room):
        return direct[room].union(*(below(other) for other in direct[room]))

    assert len(WALKS) >= 3 and all(len(walk) > 2 for walk in WALKS)
    for walk in WALKS:
        for before, after in itertools.pairwise(walk):
            assert before not in below(after), f"from {before} up to {after}"
