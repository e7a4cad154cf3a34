"""Whole utterances come once each, in padded batches of bounded size."""

import json

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from sb_resizegan.dataio.audio import UnusableAudioError, read_mono, resample
from sb_resizegan.dataio.paired import prepare_pairs
from sb_resizegan.dataio.paired_utterances import PairBatch, PairedUtterances, read_pair_manifest
from tests.paired_trees import speech_pieces, write, write_pair

RATE = 16000


@pytest.fixture(scope="module")
def corpus(speech_files, tmp_path_factory):
    """Seven pairs in a list, of 1.25 to 1.5 s but for one of 6 s, one of them shorter on one side."""
    folder = tmp_path_factory.mktemp("pairs")
    pieces = speech_pieces(speech_files, 7)
    pieces[3] = read_mono(speech_files[0])[0][: 6 * RATE]
    lines = ["id,snr_db"]
    for number, speech in enumerate(pieces):
        paths = [folder / f"test_pairs/{side}/u{number}.wav" for side in ("clean", "noisy")]
        write_pair(*paths, speech, subtype="FLOAT")
        lines.append(f"u{number},{5 * number if number else ''}")
    short = folder / "test_pairs/noisy/u5.wav"
    write(short, read_mono(short)[0][:-64], subtype="FLOAT")
    (folder / "test_pairs.csv").write_text("\n".join(lines))
    prepare_pairs(folder / "test_pairs.csv", folder / "out")
    return folder


@pytest.fixture
def make_utterances(corpus):
    return lambda **options: PairedUtterances(corpus / "out/test.json", data_root=corpus, **options)


def test_each_pair_comes_once_and_whole(corpus, make_utterances):
    utterances = make_utterances(batch_seconds=4.5)
    seen = []
    for batch in utterances:
        assert isinstance(batch, PairBatch)
        assert batch.sample_rate == RATE
        assert batch.noisy.shape == batch.clean.shape
        assert batch.noisy.dtype == batch.clean.dtype == batch.lengths.dtype == torch.float32
        assert batch.lengths.max() == 1
        for row, name in enumerate(batch.ids):
            count = round(float(batch.lengths[row]) * batch.noisy.shape[1])
            for side in ("noisy", "clean"):
                expected = read_mono(corpus / f"test_pairs/{side}/{name}.wav")[0]
                assert count == len(expected) - (64 if (name, side) == ("u5", "clean") else 0)
                signal = getattr(batch, side)[row]
                np.testing.assert_array_equal(signal[:count], expected[:count])
                assert not signal[count:].any()
            assert batch.snr_db[row] == (None if name == "u0" else 5.0 * int(name[1:]))
        seen += batch.ids
    assert sorted(seen) == [f"u{number}" for number in range(7)]
    assert len(utterances) == len(list(utterances)) == len(utterances.batches)


@pytest.mark.parametrize(
    ("batch_seconds", "batch_size", "sizes"),
    [
        (4.6, 32, [3, 3, 1]),
        (60, 2, [2, 2, 2, 1]),
        (60, 32, [7]),
        (0.1, 32, [1] * 7),
    ],
)
def test_batches_are_bounded_and_of_like_length(make_utterances, batch_seconds, batch_size, sizes):
    batches = list(make_utterances(batch_seconds=batch_seconds, batch_size=batch_size))
    assert [len(batch.ids) for batch in batches] == sizes
    assert batches[-1].ids[-1] == "u3"
    for batch in batches:
        assert len(batch.ids) == 1 or batch.noisy.numel() <= batch_seconds * RATE
    longest = [batch.noisy.shape[1] for batch in batches]
    assert longest == sorted(longest)


def test_workers_hand_over_the_same_batches(make_utterances):
    utterances = make_utterances(batch_seconds=4.5)
    for batch, other in zip(DataLoader(utterances, batch_size=None, num_workers=1), utterances, strict=True):
        assert isinstance(batch, PairBatch)
        assert (batch.ids, batch.snr_db) == (other.ids, other.snr_db)
        assert torch.equal(batch.noisy, other.noisy)
        assert torch.equal(batch.clean, other.clean)


def test_other_rate_is_resampled(corpus, make_utterances):
    (batch,) = make_utterances(sample_rate=8000)
    row = batch.ids.index("u1")
    expected = resample(read_mono(corpus / "test_pairs/noisy/u1.wav")[0], RATE, 8000)
    np.testing.assert_array_equal(batch.noisy[row, : len(expected)], expected)
    assert batch.sample_rate == 8000


def test_file_that_went_bad_is_named_and_the_others_are_not_lost(corpus, tmp_path):
    entries = read_pair_manifest(corpus / "out/test.json", corpus)
    write(tmp_path / "bad.wav", np.full(20700, np.inf), subtype="FLOAT")
    entries["u1"]["noisy"] = str(tmp_path / "bad.wav")
    (tmp_path / "test.json").write_text(json.dumps(entries))
    utterances = PairedUtterances(tmp_path / "test.json", batch_size=1)
    bad = utterances.batches.index(["u1"])
    with pytest.raises(UnusableAudioError, match=r"bad\.wav: not finite"):
        utterances[bad]
    assert [len(utterances[n].ids) for n in range(7) if n != bad] == [1] * 6


def test_wrong_options_and_manifests_are_named(make_utterances, tmp_path):
    for key, value in (
        ("sample_rate", 0),
        ("batch_seconds", 0),
        ("batch_seconds", float("nan")),
        ("batch_size", 0),
    ):
        with pytest.raises(ValueError, match=f"{key}: expected"):
            make_utterances(**{key: value})
    with pytest.raises(FileNotFoundError, match=r"missing\.json"):
        PairedUtterances(tmp_path / "missing.json")
