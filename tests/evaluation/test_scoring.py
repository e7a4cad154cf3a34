"""Scores of utterances: agreement with the packages, best and worst cases, order, what cannot be scored."""

import importlib.util
import math
import resource

import numpy as np
import pesq
import pystoi
import pytest
import soundfile
import torch
from speechbrain.nnet.losses import cal_si_snr

from sb_resizegan.evaluation.folder_scores import find_pairs, read_pair
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions, columns_of, installed_scores
from sb_resizegan.metrics import speech_scores
from sb_resizegan.metrics.lone_process import LoneProcess, ProcessDiedError

SCORED = ("si_sdr", "intelligibility", "official_pesq")
MEASURES = ("pesq_wb", "pesq_wb_official", "stoi", "estoi", "si_sdr_db")


@pytest.fixture(scope="module")
def pairs(speech_files):
    """Clean and noisy speech of three lengths."""
    rng = np.random.default_rng(0)
    clean = [
        soundfile.read(path, dtype="float32")[0][8000 : 40000 + 3000 * n]
        for n, path in enumerate(speech_files[:3])
    ]
    return clean, [(x + 0.02 * rng.standard_normal(len(x))).astype(np.float32) for x in clean]


@pytest.fixture(scope="module")
def scores(pairs):
    return score_utterances(*pairs, ScoringOptions(SCORED))


def test_scores_are_those_of_the_packages(pairs, scores):
    for reference, estimate, score in zip(*pairs, scores, strict=True):
        assert list(score) == [*MEASURES, "notes"] and not score["notes"]
        official = pesq.pesq(16000, reference, estimate, "wb")
        assert score["pesq_wb_official"] == pytest.approx(official, abs=1e-6)
        assert score["pesq_wb"] == pytest.approx(official, abs=5e-3)
        assert score["stoi"] == pytest.approx(pystoi.stoi(reference, estimate, 16000), abs=1e-5)
        assert score["estoi"] == pytest.approx(pystoi.stoi(reference, estimate, 16000, True), abs=1e-5)
        columns = [torch.from_numpy(x)[:, None, None] for x in (reference, estimate)]
        assert score["si_sdr_db"] == pytest.approx(-float(cal_si_snr(*columns)), abs=0.01)


def test_clean_speech_scores_highest_at_any_level(pairs):
    for score in score_utterances(pairs[0], [0.01 * x for x in pairs[0]], ScoringOptions(SCORED)):
        assert score["pesq_wb"] > 4.64 and score["pesq_wb_official"] > 4.64
        assert score["stoi"] > 0.9999 and score["estoi"] > 0.9999 and score["si_sdr_db"] > 80


def test_order_and_processes_change_nothing(pairs, scores):
    options = ScoringOptions(SCORED, jobs=1, batch_size=1)
    turned = score_utterances(*(signals[::-1] for signals in pairs), options)
    for score, other in zip(scores, turned[::-1], strict=True):
        for name in MEASURES:
            assert score[name] == pytest.approx(other[name], abs=1e-5)


def test_what_cannot_be_scored_is_said_and_leaves_the_others_alone(pairs, scores):
    (clean, *_), (noisy, *_) = pairs
    bad = noisy.copy()
    bad[100] = np.nan
    references = [clean, clean, 0 * clean, clean, clean[:300], clean[4000:8800], np.zeros(0, np.float32)]
    estimates = [noisy, 0 * noisy, noisy, bad, noisy[:300], noisy[4000:8800], np.zeros(0, np.float32)]
    found = score_utterances(references, estimates, ScoringOptions(SCORED))
    for name in MEASURES:
        assert found[0][name] == pytest.approx(scores[0][name], abs=1e-5)
    for score, words in zip(
        found[1:5], ("silent degraded", "silent reference", "non finite", "too short"), strict=True
    ):
        assert f"PESQ refused: {words}" in score["notes"]
        assert all(math.isnan(score[name]) for name in MEASURES if name != "si_sdr_db")
    assert all(math.isnan(score["si_sdr_db"]) for score in found[1:4])
    assert any(note.startswith("stoi") for note in found[4]["notes"])
    # 0.3 s: long enough for PESQ, not for STOI.
    assert math.isnan(found[5]["stoi"]) and any(note.startswith("stoi") for note in found[5]["notes"])
    assert "PESQ refused: too short" in found[6]["notes"]


def test_dnsmos_is_there_if_its_package_is(pairs):
    importable = all(importlib.util.find_spec(name) for name in ("speechmos", "onnxruntime", "librosa"))
    assert ("dnsmos" in installed_scores()) == importable
    clean, noisy = pairs[0][:1], pairs[1][:1]
    (best,), (worse,) = (score_utterances(clean, x) for x in ([2 * clean[0]], noisy))
    columns = [name for name in columns_of(["dnsmos"]) if name.startswith("dnsmos")]
    assert [name for name in best if name.startswith("dnsmos")] == (columns if importable else [])
    for name in columns if importable else ():
        assert 1 <= worse[name] <= 5 and 1 <= best[name] <= 5
        # Noise does not always take away from the speech itself.
        assert worse[name] < best[name] or name == "dnsmos_sig"


def test_wrong_calls(pairs):
    clean, noisy = pairs
    with pytest.raises(ValueError, match="expected sample_rate 16000, but got 8000"):
        score_utterances(clean, noisy, sample_rate=8000)
    with pytest.raises(ValueError, match="as many references as estimates, but got 3 and 2"):
        score_utterances(clean, noisy[:2])
    with pytest.raises(ValueError, match="utterance 1: expected"):
        score_utterances(clean, [noisy[0], noisy[1][:-1], noisy[2]])
    with pytest.raises(ValueError, match="utterance 0: expected"):
        score_utterances([clean[0][None]], [noisy[0][None]])
    assert score_utterances([], []) == []


def test_the_official_package_takes_no_other_score_with_it(tmp_path, monkeypatch):
    """Its process dies over the second of three pairs: that one has no figure and a reason."""
    lone = speech_scores.__file__.replace("speech_scores", "lone_process")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, runpy\n"
        f"answer = runpy.run_path({lone!r})['answer']\n"
        "answer(lambda rate, clean, noisy: 2.5 if len(clean) != 4 * 20000 else os.kill(os.getpid(), 11))\n"
    )
    with LoneProcess(script) as process:
        monkeypatch.setattr(speech_scores, "_pesq_process", lambda: process)
        rng = np.random.default_rng(0)
        clean = [rng.standard_normal(length).astype(np.float32) for length in (19000, 20000, 21000)]
        options = ScoringOptions(scores=("si_sdr", "official_pesq"), jobs=0)
        found = score_utterances(clean, clean, options)
    assert [score["pesq_wb_official"] for score in found][::2] == [2.5, 2.5]
    assert math.isnan(found[1]["pesq_wb_official"])
    assert found[1]["notes"] == ["pesq package: its process ended by SIGSEGV"]
    assert all(score["pesq_wb"] > 4.5 and score["si_sdr_db"] > 80 for score in found)


def test_a_process_that_hangs_is_ended(tmp_path):
    lone = speech_scores.__file__.replace("speech_scores", "lone_process")
    script = tmp_path / "script.py"
    script.write_text(
        f"import time, runpy\nanswer = runpy.run_path({lone!r})['answer']\n"
        "answer(lambda seconds: time.sleep(seconds) or 'done')\n"
    )
    with LoneProcess(script) as process:
        with pytest.raises(ProcessDiedError, match="took longer than 5 s"):
            process.call([1000], seconds=5)
        assert process.call([0], seconds=60) == "done"


def test_a_pair_beyond_the_limits_is_refused_in_words():
    """An hour: PESQ and STOI say their limits, SI-SDR is computed."""
    clean = np.tile(np.random.default_rng(0).standard_normal(16000).astype(np.float32), 3600)
    noisy = clean + np.float32(0.1) * np.roll(clean, 1234)
    options = ScoringOptions(scores=("si_sdr", "intelligibility"), jobs=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (found,) = score_utterances([clean], [noisy], options)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    assert found["si_sdr_db"] == pytest.approx(20, abs=0.2)
    assert math.isnan(found["pesq_wb"]) and math.isnan(found["stoi"])
    assert found["notes"] == [
        "PESQ refused: 3600 s, the limit is 600 s",
        "stoi, estoi: 3600 s, the limit is 400 s",
    ]


def test_what_is_done_to_the_files_of_a_pair_is_named(tmp_path):
    rng = np.random.default_rng(0)
    for side, rate, shape in (("clean", 16000, (16000, 2)), ("noisy", 44100, (44000, 3))):
        (tmp_path / side).mkdir()
        soundfile.write(tmp_path / side / "a.wav", 0.1 * rng.standard_normal(shape), rate)
    pairs, problems = find_pairs(tmp_path / "clean", tmp_path / "noisy", resampling=True)
    assert problems == []
    assert pairs[0].notes == [
        "resampled from 16000 and 44100 Hz",
        "lengths differ: 16000 (reference) and 15964 samples (degraded) at 16000 Hz; scored over the shorter",
        "mixed down to one channel from 2 (reference) and 3 (degraded)",
    ]
    assert [len(signal) for signal in read_pair(pairs[0])] == [15964, 15964]
