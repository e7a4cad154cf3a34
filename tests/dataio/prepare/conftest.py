"""Corpora of pairs to prepare."""

import pytest

from tests.paired_trees import (
    speech_pieces,
    write_folders,
    write_voicebank,
)


@pytest.fixture(scope="module")
def pieces(speech_files):
    return speech_pieces(speech_files, 6)


@pytest.fixture
def folders(tmp_path, pieces):
    write_folders(tmp_path / "data", pieces, ["a.wav", "b.wav", "c.wav"])
    return tmp_path / "data"


@pytest.fixture
def studio(tmp_path, pieces):
    """VoiceBank-DEMAND at 48 kHz."""
    write_voicebank(tmp_path / "data", pieces, ["p226_001", "p230_001", "p287_002", "p239_003"])
    write_voicebank(tmp_path / "data", pieces[4:], ["p232_001"], "testset")
    return tmp_path / "data"
