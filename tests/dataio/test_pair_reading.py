"""A pair is read whole, at the rate asked for, and what cannot be used is named."""

import json

import numpy as np
import pytest

from sb_resizegan.dataio.audio import UnusableAudioError, read_mono
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.utterances import read_pair, read_pair_manifest
from tests.paired_trees import speech_pieces, write, write_pair

RATE = 16000
SHORTER = 64  # samples that one side of the last pair lacks


@pytest.fixture(scope="module")
def corpus(speech_files, tmp_path_factory):
    """Three pairs in a list, one of them shorter on one side."""
    folder = tmp_path_factory.mktemp("pairs")
    lines = ["id,snr_db"]
    for number, speech in enumerate(speech_pieces(speech_files, 3)):
        write_pair(
            *(folder / f"test_pairs/{side}/u{number}.wav" for side in ("clean", "noisy")),
            speech,
            subtype="FLOAT",
        )
        lines.append(f"u{number},{5 * number if number else ''}")
    short = folder / "test_pairs/noisy/u2.wav"
    write(short, read_mono(short)[0][:-SHORTER], subtype="FLOAT")
    (folder / "test_pairs.csv").write_text("\n".join(lines))
    prepare_pairs(folder / "test_pairs.csv", folder / "out")
    return folder


@pytest.fixture
def entries(corpus):
    return read_pair_manifest(corpus / "out/test.json", corpus)


def test_both_sides_come_whole(corpus, entries):
    assert sorted(entries) == ["u0", "u1", "u2"]
    assert [entries[name].get("snr_db") for name in sorted(entries)] == [None, 5.0, 10.0]
    for name, entry in entries.items():
        noisy, clean = read_pair(entry, RATE)
        count = len(read_mono(corpus / f"test_pairs/clean/{name}.wav")[0]) - SHORTER * (name == "u2")
        for signal, side in ((noisy, "noisy"), (clean, "clean")):
            assert signal.dtype == np.float32
            assert len(signal) == count
            expected = read_mono(corpus / f"test_pairs/{side}/{name}.wav")[0]
            np.testing.assert_array_equal(signal, expected[:count])


def test_other_rate_is_resampled(corpus, entries):
    noisy, _ = read_pair(entries["u1"], 8000)
    expected = resample(read_mono(corpus / "test_pairs/noisy/u1.wav")[0], RATE, 8000)
    np.testing.assert_array_equal(noisy, expected[: len(noisy)])
    assert len(noisy) == len(expected)


def test_file_that_went_bad_is_named(entries, tmp_path):
    write(tmp_path / "bad.wav", np.full(20700, np.inf), subtype="FLOAT")
    with pytest.raises(UnusableAudioError, match=r"bad\.wav: not finite"):
        read_pair({**entries["u1"], "noisy": tmp_path / "bad.wav"}, RATE)
    write(tmp_path / "short.wav", np.zeros(400), subtype="FLOAT")
    with pytest.raises(UnusableAudioError, match=r"short\.wav: different lengths: 400 samples"):
        read_pair({**entries["u1"], "noisy": tmp_path / "short.wav"}, RATE)


def test_speechbrain_s_manifest_is_read_as_it_is(corpus, entries, tmp_path):
    """As its VoiceBank recipe writes it, with more in it than is wanted here."""
    for names in ({}, {"clean": "clean_wav", "noisy": "noisy_wav"}):
        other = {
            name: {**{names.get(key, key): value for key, value in entry.items()}, "words": "ASK HER"}
            for name, entry in entries.items()
        }
        (tmp_path / "other.json").write_text(json.dumps(other))
        read = read_pair_manifest(tmp_path / "other.json")
        assert {name: {**entry, "words": "ASK HER"} for name, entry in entries.items()} == read


def test_wrong_manifests_are_named(entries, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.json"):
        read_pair_manifest(tmp_path / "missing.json")
    del entries["u1"]["clean"]
    (tmp_path / "test.json").write_text(json.dumps(entries))
    with pytest.raises(
        ValueError,
        match=r"test\.json, 'u1': expected clean_wav.*, but lacks \['clean_wav'\]",
    ):
        read_pair_manifest(tmp_path / "test.json")
