"""Scores by trained models: worse speech scores worse, the same words are the same, nothing is downloaded.

They need the extra ``scores``. A test whose package isn't installed is skipped, and says so; with
``REQUIRE_SCORES=1`` in the environment, as continuous integration sets it, that is a failure.
"""

import importlib.util
import os

import numpy as np
import pytest
import soundfile

from sb_resizegan.metrics.learned_scores import edit_distance, words_of
from sb_resizegan.metrics.pair_score import Context
from sb_resizegan.metrics.speech_scores import SCORES, score_pair

LEARNED = ("plcmos", "distillmos", "wer", "speaker")


def needs(name):
    modules = SCORES[name].package.split(",")
    installed = all(importlib.util.find_spec(module.split(".")[0]) for module in modules)
    required = os.environ.get("REQUIRE_SCORES") == "1"
    return pytest.mark.skipif(not installed and not required, reason=f"{', '.join(modules)} is not installed")


@pytest.fixture(scope="module")
def speech(speech_files):
    """A few seconds of English, and the same with much noise."""
    clean = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in speech_files[:2]])[:96000]
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    return clean, clean + 2 * clean.std() * noise


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Who opens a connection fails."""
    import socket

    def refuse(*arguments, **options):
        raise AssertionError("a score opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@needs("distillmos")
def test_distillmos_prefers_clean_speech(speech):
    clean = speech[0]
    best, worse = (score_pair(clean, x, ["distillmos"]).figures["distillmos"] for x in speech)
    assert 1 <= worse < best - 0.5 and best <= 5.1


@needs("plcmos")
def test_plcmos_prefers_whole_speech_and_always_says_the_same(speech):
    clean = speech[0]
    gaps = clean * (np.arange(len(clean)) % 4000 > 1200)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    best, worse = (score_pair(clean, x, ["plcmos"]).figures["plcmos"] for x in (clean, gaps))
    assert 1 <= worse < best - 0.5 and best <= 5.1
    assert score_pair(clean, gaps, ["plcmos"]).figures["plcmos"] == worse
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


@needs("wer")
def test_words_of_the_clean_file_are_its_own_transcript(speech):
    clean, noisy = speech
    found = score_pair(clean, clean, ["wer"])
    assert found.figures["wer_percent"] == 0 and not found.notes
    assert score_pair(clean, noisy, ["wer"]).figures["wer_percent"] > 10


@needs("wer")
def test_a_transcript_takes_the_place_of_the_clean_file(speech):
    clean, _ = speech
    said = Context(transcript="nothing of the kind was ever spoken by anybody here")
    assert score_pair(clean, clean, ["wer"], said).figures["wer_percent"] > 50
    silent = score_pair(clean, clean, ["wer"], Context(transcript="…"))
    assert np.isnan(silent.figures["wer_percent"]) and "no words" in silent.notes[0]


@needs("speaker")
def test_a_voice_is_most_like_itself(speech):
    clean, _ = speech
    same = score_pair(clean, 0.5 * clean, ["speaker"]).figures["speaker_similarity"]
    # Played faster by a fifth: another voice.
    places = np.arange(0, len(clean) - 1, 1.2)
    faster = np.interp(places, np.arange(len(clean)), clean).astype(np.float32)
    other = score_pair(clean[: len(faster)], faster, ["speaker"]).figures["speaker_similarity"]
    assert same > 0.99 and other < 0.95


@needs("speaker")
def test_no_voice_no_similarity():
    faint = np.full(16000, 1e-4, dtype=np.float32)
    found = score_pair(faint, faint, ["speaker"])
    assert np.isnan(found.figures["speaker_similarity"]) and "speaker similarity" in found.notes[0]


def test_words_and_their_distance():
    said = words_of("One, two: three.")
    assert said == ["one", "two", "three"]
    assert edit_distance(said, words_of("ONE two three")) == 0
    assert edit_distance(said, []) == 3 and edit_distance([], said) == 3
    assert edit_distance(said, ["two", "three", "four"]) == 2


@pytest.mark.parametrize("name", LEARNED)
def test_a_missing_package_is_one_line_with_the_extra(name, monkeypatch):
    score = SCORES[name]._replace(package="no_such_module")
    words = score.missing()
    assert "no_such_module" in words and "sb_resizegan[scores]" in words and "\n" not in words
