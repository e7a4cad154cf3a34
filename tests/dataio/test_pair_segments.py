"""Segments keep both sides aligned, come evenly from all utterances, depend on seed and number alone."""

import json
import pickle

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.dataio.audio import UnusableAudioError
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.pair_segments import PairedSegments
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.training.loader import WindowStream
from tests.paired_trees import file_size_limit, noisy_of, speech_pieces, write, write_folders, write_pair

RATE = 16000


@pytest.fixture(scope="module")
def corpus(speech_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_folders(folder / "data", speech_pieces(speech_files, 6), [f"{n}.wav" for n in range(6)], 24000)
    prepare_pairs(folder / "data", folder / "manifests", split="train")
    return folder


@pytest.fixture(scope="module")
def make_segments(corpus):
    return lambda samples=8000, **options: PairedSegments(corpus / "manifests/train.json", samples, **options)


@pytest.fixture(scope="module")
def segments(make_segments):
    return make_segments()


def equal(batch, other):
    return all(torch.equal(*tensors) for tensors in zip(batch, other, strict=True))


def counting_segments(folder, lengths, segment_samples):
    """Samples tell utterance and place in it, number + place / 2 ** 16; the noisy side is the negative."""
    entries = {}
    for number, length in enumerate(lengths):
        places = (1 + number + np.arange(length) / 2**16).astype(np.float32)
        for side, sign in (("clean", 1), ("noisy", -1)):
            write(folder / side / f"{number}.wav", sign * places, subtype="FLOAT")
        paths = {side: str(folder / side / f"{number}.wav") for side in ("clean", "noisy")}
        entries[str(number)] = {**paths, "length": length / RATE}
    (folder / "all.json").write_text(json.dumps(entries))
    return PairedSegments(folder / "all.json", segment_samples)


def test_sides_are_aligned_and_contiguous(tmp_path):
    segments = counting_segments(tmp_path, [3000, 1000, 5000], 700)
    noisy, clean, lengths = segments.batch(0, 500, seed=0)
    assert noisy.shape == clean.shape == (500, 700)
    assert noisy.dtype == clean.dtype == lengths.dtype == torch.float32
    assert torch.equal(noisy, -clean)
    assert torch.equal(lengths, torch.ones(500))
    places = clean.double()
    torch.testing.assert_close(places.diff(dim=1), torch.full((500, 699), 2.0**-16, dtype=torch.float64))
    numbers, firsts, lasts = places[:, 0].floor(), places[:, 0] % 1 * 2**16, places[:, -1] % 1 * 2**16
    assert set(numbers.tolist()) == {1, 2, 3}
    ends = torch.tensor([0, 3000, 1000, 5000])[numbers.long()]
    assert (firsts >= 0).all()
    assert (lasts < ends).all()


def test_utterances_come_by_their_length_and_first_samples_evenly(tmp_path):
    segments = counting_segments(tmp_path, [900, 100, 2000], 400)
    clean = torch.cat([segments.batch(n, 1000, seed=0).clean[:, 0] for n in range(30)]).double()
    shares = torch.bincount(clean.long(), minlength=4)[1:] / len(clean)
    np.testing.assert_allclose(shares, [0.3, 1 / 30, 2 / 3], atol=0.012)
    firsts = (clean[clean.long() == 1] % 1 * 2**16).long()
    counts = torch.bincount(firsts, minlength=501).double()
    assert len(counts) == 501
    # A Poisson count's variance is its mean.
    assert counts.var() == pytest.approx(counts.mean(), rel=0.25)
    assert (clean[clean.long() == 2] == 2).all()


def test_short_utterances_are_padded_at_the_end(tmp_path):
    segments = counting_segments(tmp_path, [100, 250], 400)
    noisy, clean, lengths = segments.batch(0, 64, seed=3)
    samples = torch.tensor([0, 100, 250])[clean[:, 0].long()]
    assert set(samples.tolist()) == {100, 250}
    torch.testing.assert_close(lengths, samples / 400)
    inside = torch.arange(400) < samples[:, None]
    assert ((clean != 0) == inside).all()
    assert ((noisy != 0) == inside).all()


def test_batch_is_a_function_of_seed_and_number(segments, make_segments):
    batch = segments.batch(5, 8, seed=1)
    assert isinstance(batch, NoisyBatch)
    state = torch.get_rng_state()
    assert equal(make_segments().batch(5, 8, seed=1), batch)
    assert torch.equal(torch.get_rng_state(), state)
    for n, seed in ((6, 1), (5, 2), (1, 5)):
        assert not equal(segments.batch(n, 8, seed=seed), batch)


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_out_one_joint_batch(segments, world_size):
    joint = segments.batch(3, 16, seed=1)
    parts = [segments.batch(3, 16 // world_size, 1, rank, world_size) for rank in range(world_size)]
    assert equal([torch.cat(tensors) for tensors in zip(*parts, strict=True)], joint)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_stream_hands_them_out_and_goes_on_anywhere(segments, num_workers):
    whole = list(WindowStream(segments, batch_size=4, batches_per_epoch=6, seed=2))
    assert len(whole) == 6
    stream = WindowStream(segments, batch_size=4, batches_per_epoch=6, seed=2, num_workers=num_workers)
    stream.set_start(4, done_in_epoch=4)
    rest = list(stream)
    assert len(rest) == 2
    assert isinstance(rest[0], NoisyBatch)
    assert all(equal(batch, other) for batch, other in zip(rest, whole[4:], strict=True))


def test_file_and_memory_hold_the_same(segments, make_segments, tmp_path):
    mapped = make_segments(max_memory_gb=0.0, cache_folder=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = make_segments(samples=9000, max_memory_gb=0.0, cache_folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    expected = segments.batch(7, 32, seed=0)
    assert equal(mapped.batch(7, 32, seed=0), expected)
    # To a worker process goes the file's name, not its megabytes.
    message = pickle.dumps(mapped)
    assert len(message) < 10_000
    assert equal(pickle.loads(message).batch(7, 32, seed=0), expected)
    assert again.batch(7, 32, seed=0).noisy.shape == (32, 9000)
    make_segments(sample_rate=8000, max_memory_gb=0.0, cache_folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(before)


def test_half_written_file_is_not_used(segments, make_segments, tmp_path):
    make_segments(max_memory_gb=0.0, cache_folder=tmp_path)
    (samples,) = tmp_path.glob("*.f32")
    samples.write_bytes(samples.read_bytes()[:1000])
    samples.with_name(f".{samples.stem}.abcd.f32").write_bytes(b"left by a process that was killed")
    mapped = make_segments(max_memory_gb=0.0, cache_folder=tmp_path)
    assert equal(mapped.batch(7, 32, seed=0), segments.batch(7, 32, seed=0))
    assert not list(tmp_path.glob(".*.f32"))


def test_full_disk_leaves_nothing(segments, make_segments, tmp_path):
    with file_size_limit(100_000), pytest.raises(OSError, match="cannot be kept in the cache folder"):
        make_segments(max_memory_gb=0.0, cache_folder=tmp_path)
    assert not list(tmp_path.glob("*.f32")) + list(tmp_path.glob("*.json")) + list(tmp_path.glob(".*.f32"))
    mapped = make_segments(max_memory_gb=0.0, cache_folder=tmp_path)
    assert equal(mapped.batch(0, 4, seed=0), segments.batch(0, 4, seed=0))


def test_files_that_went_bad_are_named(speech_files, tmp_path):
    (speech,) = speech_pieces(speech_files, 1)
    write_folders(tmp_path / "data", [speech, speech], ["a.wav", "b.wav"])
    prepare_pairs(tmp_path / "data", tmp_path / "out", split="train")

    def check(message):
        with pytest.raises(UnusableAudioError, match=message):
            PairedSegments(tmp_path / "out/train.json", 8000, data_root=tmp_path / "data")

    write(tmp_path / "data/noisy/b.wav", noisy_of(speech)[:-500])
    check(r"noisy/b\.wav: different lengths: 19500 samples, but 20000 in .*clean/b\.wav")
    write(tmp_path / "data/noisy/b.wav", np.where(np.arange(20000) == 9, np.nan, speech), subtype="FLOAT")
    check(r"noisy/b\.wav: not finite")
    (tmp_path / "data/noisy/b.wav").unlink()
    check(r"noisy/b\.wav: unreadable")


def test_lengths_within_the_tolerance_are_cut(speech_files, tmp_path):
    (speech,) = speech_pieces(speech_files, 1)
    write_pair(tmp_path / "clean/a.wav", tmp_path / "noisy/a.wav", speech)
    write(tmp_path / "noisy/a.wav", noisy_of(speech)[:-80])
    prepare_pairs(tmp_path, tmp_path / "out")
    segments = PairedSegments(tmp_path / "out/train.json", 40000, data_root=tmp_path)
    noisy, clean, lengths = segments.batch(0, 1, seed=0)
    assert float(lengths[0] * 40000) == pytest.approx(len(speech) - 80, abs=0.01)
    np.testing.assert_allclose(clean[0, : len(speech) - 80], speech[:-80], atol=2**-15)
    assert not noisy[0, len(speech) - 80 :].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected at least one recording"),
        ("[1]", "expected entries by id"),
        ("{", "not a json manifest"),
        (
            '{"a": {"wav": "a.wav", "length": 1.0}}',
            r"'a': expected clean_wav, noisy_wav and length, but lacks",
        ),
        ('{"a": {"clean": "{data_root}/c", "noisy": "n", "length": 1}}', r"data_root: .*needs {data_root}"),
    ],
)
def test_wrong_manifests_are_named(tmp_path, text, message):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        PairedSegments(tmp_path / "bad.json", 8000)
    assert "bad.json" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("samples", 0), ("samples", 2.5), ("sample_rate", 0), ("max_memory_gb", float("nan"))]
)
def test_wrong_options_are_named(make_segments, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        make_segments(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("n", -1), ("seed", -1), ("seed", 0.5), ("batch_size", 0), ("rank", 1), ("world_size", 0)],
)
def test_wrong_batch_arguments_are_named(segments, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        segments.batch(**{"n": 0, "batch_size": 4, "seed": 0, key: value})


def test_segments_are_those_of_the_files(corpus, segments):
    """Each is found again in its utterance, both sides at the same place."""
    paths = (corpus / "manifests/resampled").iterdir()
    files = [(path.name.split("-")[0], soundfile.read(path, dtype="float32")[0]) for path in paths]

    def find(row):
        return [
            (name, start)
            for name, audio in files
            for start in np.flatnonzero(audio[: len(audio) - len(row) + 1] == row[0]).tolist()
            if np.array_equal(audio[start : start + len(row)], row)
        ]

    batch = segments.batch(0, 6, seed=9)
    for noisy, clean in zip(batch.noisy.numpy(), batch.clean.numpy(), strict=True):
        assert len(find(noisy)) == 1
        assert find(noisy) == find(clean)
