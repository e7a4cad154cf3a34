"""Scores of systems and their table: means over what all systems have, buckets, files that say the same."""

import csv
import math

import pytest

from sb_resizegan.dataio.utterances import measured_snr_db
from sb_resizegan.evaluation.by_snr import snr_buckets
from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.report.score_table import markdown, noted, read_scores, write_scores

NAN = math.nan


def scores(*values, notes=()):
    return [{"pesq_wb": value, "si_sdr_db": 10 * value, "notes": list(notes)} for value in values]


@pytest.fixture
def table():
    return SystemScores(
        ["a|b", "c", "d", "e"],
        [0.0, 5.0, 0.0, NAN],
        {
            "noisy": scores(1.0, 2.0, 3.0, 1.5),
            "this model": scores(2.0, 2.5, NAN, 1.75, notes=["PESQ refused: silent degraded"]),
        },
        measured=["c"],
    )


def test_means_are_over_what_all_systems_have(table):
    means = {(row.bucket, row.system): row.means["pesq_wb"] for row in table.rows()}
    assert means == {
        ("all", "noisy"): 1.5,
        ("all", "this model"): pytest.approx(6.25 / 3),
        ("0 dB", "noisy"): 1.0,
        ("0 dB", "this model"): 2.0,
        ("5 dB", "noisy"): 2.0,
        ("5 dB", "this model"): 2.5,
        ("unknown", "noisy"): 1.5,
        ("unknown", "this model"): 1.75,
    }
    assert table.rows()[0].counts == {"pesq_wb": 3, "si_sdr_db": 3}
    assert "d, this model: PESQ refused: silent degraded; no PESQ-WB, SI-SDR, dB" in noted(table)


def test_markdown_and_csv_say_what_the_table_says(table, tmp_path):
    page, listing = write_scores(table, tmp_path / "new", more=["A paragraph."])
    text = page.read_text(encoding="utf-8")
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    header, rows = cells[0], cells[2:]
    assert [word.strip() for word in header] == ["SNR", "system", "utterances", "PESQ-WB", "SI-SDR, dB"]
    assert [word.strip() for word in rows[1]] == ["all", "this model", "4", "2.08 (of 3)", "20.8 (of 3)"]
    assert len(rows) == len(table.rows()) and all(len(row) == len(header) for row in rows)
    assert "A paragraph." in text and "The corpus states no SNR for 1 of 4 utterances" in text
    with open(listing, newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 8
    again = read_scores(listing)
    assert markdown(again, more=["A paragraph."]) == text


@pytest.mark.parametrize(
    "text, words",
    [
        ("epoch,loss\n1,2\n", "expected the columns"),
        (
            "utterance,system,snr_db,snr_source,notes\na,x,0,stated,\nb,y,0,stated,\n",
            "x has no scores of 'b'",
        ),
        ("utterance,system,snr_db,snr_source,notes\n", "expected utterances and systems"),
    ],
)
def test_files_that_are_no_scores(tmp_path, text, words):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_scores(tmp_path / "scores.csv")


def test_tables_that_do_not_fit_together():
    with pytest.raises(ValueError, match="this: expected one for each of 2 utterances, but got 1"):
        SystemScores(["a", "b"], [0, 0], {"this": scores(1.0)})
    with pytest.raises(ValueError, match="more than one 'a'"):
        SystemScores(["a", "a"], [0, 0], {"this": scores(1.0, 1.0)})


def test_ratios_of_a_corpus_are_buckets_and_measured_ones_gather_around_them():
    voicebank = [17.5, 2.5, 12.5, 7.5, 2.5]
    assert [label for label, _ in snr_buckets(voicebank)] == ["2.5 dB", "7.5 dB", "12.5 dB", "17.5 dB"]
    scattered = [value + 0.3 * (-1) ** n for n, value in enumerate(voicebank)]
    assert [indices for _, indices in snr_buckets(scattered)] == [[1, 4], [3], [2], [0]]
    assert snr_buckets([5.0, 5.0]) == []
    assert snr_buckets([math.inf, 1.0])[-1] == ("unknown", [0])


def test_measured_ratio_of_speech(utterances):
    for utterance, snr_db in zip(utterances, (10, 0, 5, 5, 0, 10), strict=True):
        # Speech and noise of two seconds are not quite uncorrelated.
        assert measured_snr_db(0.2 * utterance.noisy, utterance.clean) == pytest.approx(snr_db, abs=0.2)
    assert measured_snr_db(utterances[0].clean, utterances[0].clean) > 100
    assert math.isnan(measured_snr_db(utterances[0].noisy, 0 * utterances[0].clean))
