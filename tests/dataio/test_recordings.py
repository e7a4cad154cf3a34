"""Recordings: what is read is what the files hold; faults are named; the second time nothing is decoded."""

import os
import pickle
import resource
import shutil

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.recordings import NoRecordingsError, Recordings

RATE = 16000


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def speech(speech_files):
    return read_mono(speech_files[0])[0][: 3 * RATE]


def test_holds_what_the_files_hold(small_corpus, cache):
    recordings = Recordings(small_corpus, cache_folder=cache)
    assert recordings.names == sorted(path.name for path in small_corpus.glob("*.wav"))
    assert recordings.skipped == {} and recordings.below_sample_rate == 0
    for number, name in enumerate(recordings.names):
        waveform, _ = read_mono(small_corpus / name)
        whole = recordings.read(number)
        assert whole.dtype == np.float32
        np.testing.assert_allclose(whole, waveform - waveform.mean(), atol=2e-5)
        np.testing.assert_array_equal(recordings.read(number, 1000, 500), whole[1000:1500])
        np.testing.assert_array_equal(recordings.read(number, len(whole) - 10, 500), whole[-10:])
    assert recordings.seconds == pytest.approx(sum(recordings.lengths) / RATE)


def test_quiet_and_overloaded_files_lose_nothing(speech, tmp_path):
    for name, gain in (("a_quiet.wav", 0.01), ("b_loud.wav", 20.0)):
        soundfile.write(tmp_path / name, gain * speech, RATE, subtype="FLOAT")
    recordings = Recordings(tmp_path, cache_folder=tmp_path)
    for number, gain in enumerate((0.01, 20.0)):
        error = recordings.read(number) / gain - (speech - speech.mean())
        assert np.mean(error**2) < 1e-8 * np.mean(speech**2)
    assert recordings.levels[1] / recordings.levels[0] == pytest.approx(2000, rel=1e-3)


def test_second_load_decodes_nothing_and_is_equal(small_corpus, tmp_path, count_decoded):
    first = Recordings(small_corpus, cache_folder=tmp_path)
    assert len(count_decoded) == len(first) == 20
    second = Recordings(small_corpus, cache_folder=tmp_path)
    assert len(count_decoded) == 20
    assert second.names == first.names
    for number in range(20):
        np.testing.assert_array_equal(second.read(number), first.read(number))
    for place in np.linspace(0, 0.999, 50):
        assert second.locate(place) == first.locate(place)


def change_a_file(folder, path):
    soundfile.write(path, 0.5 * read_mono(path)[0], RATE)


def add_a_file(folder, path):
    shutil.copy(path, folder / "z.wav")


def remove_a_file(folder, path):
    path.unlink()


@pytest.mark.parametrize("change", [change_a_file, add_a_file, remove_a_file])
def test_changed_files_are_decoded_anew(speech, tmp_path, count_decoded, change):
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, speech, RATE)
    Recordings(folder, cache_folder=tmp_path / "cache")
    change(folder, folder / "b.wav")
    changed = Recordings(folder, cache_folder=tmp_path / "cache")
    files = sorted(path.name for path in folder.iterdir())
    assert changed.names == files and len(count_decoded) == 2 + len(files)
    # The samples of before are not kept for ever.
    assert len(list((tmp_path / "cache" / "recordings").glob("*.i16"))) == 1


def test_other_options_are_other_samples(speech, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    lengths = [Recordings(tmp_path, rate, cache_folder=tmp_path).lengths[0] for rate in (16000, 8000, 16000)]
    assert lengths == [len(speech), len(speech) // 2, len(speech)]


@pytest.mark.parametrize("ending", ["i16", "npz"])
def test_damaged_cache_is_made_anew(speech, tmp_path, ending):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    before = Recordings(tmp_path, cache_folder=tmp_path / "cache").read(0)
    (path,) = (tmp_path / "cache" / "recordings").glob(f"*.{ending}")
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(Recordings(tmp_path, cache_folder=tmp_path / "cache").read(0), before)


def test_full_disk_is_named_and_leaves_nothing(small_corpus, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match=r"the samples of .*small_corpus.* cannot be kept in the cache"):
            Recordings(small_corpus, cache_folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "recordings").iterdir()) == []
    assert len(Recordings(small_corpus, cache_folder=tmp_path)) == 20


def test_other_rates_and_channels(speech, tmp_path):
    time = np.arange(8000) / 8000
    soundfile.write(tmp_path / "a_8k.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 8000)
    soundfile.write(tmp_path / "b_stereo.flac", np.stack([speech, np.zeros_like(speech)], 1), RATE)
    recordings = Recordings(tmp_path, cache_folder=tmp_path / "cache")
    assert recordings.source_rates.tolist() == [8000, RATE] and recordings.below_sample_rate == 1
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(recordings.read(0)[400:-400], tone[400:-400], atol=1e-3)
    np.testing.assert_allclose(recordings.read(1), (speech - speech.mean()) / 2, atol=1e-4)


def test_what_cannot_be_used_is_named(speech, tmp_path):
    folder = tmp_path / "speech"
    (folder / "deep").mkdir(parents=True)
    soundfile.write(folder / "deep" / "good.wav", speech, RATE)
    soundfile.write(folder / "short.wav", speech[:1600], RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(folder / "constant.wav", np.full(RATE, 0.5), RATE)
    soundfile.write(folder / "nan.wav", np.append(speech, np.nan), RATE, subtype="FLOAT")
    soundfile.write(folder / "huge.wav", 3e38 * (-1.0) ** np.arange(8000), 8000, subtype="FLOAT")
    soundfile.write(folder / "no_samples.wav", np.zeros(0), RATE)
    (folder / "no_bytes.wav").write_bytes(b"")
    (folder / "text.wav").write_text("not a wav file")
    (folder / "notes.txt").write_text("read me")
    soundfile.write(folder / "cut.flac", speech, RATE)
    (folder / "cut.flac").write_bytes((folder / "cut.flac").read_bytes()[:20000])
    (folder / "dangling.wav").symlink_to(folder / "nowhere.wav")
    recordings = Recordings(folder, cache_folder=tmp_path / "cache")
    assert recordings.names == ["deep/good.wav"]
    expected = {
        "corrupt": ["cut.flac", "text.wav"],
        "empty": ["no_bytes.wav", "no_samples.wav"],
        "not audio": ["notes.txt"],
        "not finite": ["huge.wav", "nan.wav"],
        "silent": ["constant.wav", "silent.wav"],
        "too short": ["short.wav"],
        "unreadable": ["dangling.wav"],
    }
    assert recordings.skipped == expected
    assert Recordings(folder, cache_folder=tmp_path / "cache").skipped == expected
    (folder / "deep" / "good.wav").unlink()
    with pytest.raises(NoRecordingsError, match=r"found none; left out: 2 corrupt, 2 empty, 1 not audio"):
        Recordings(folder, cache_folder=tmp_path / "cache")


def test_list_with_a_missing_file(speech, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    (tmp_path / "list.csv").write_text("path,speaker\na.wav,x\ngone/b.wav,y\n")
    recordings = Recordings(tmp_path / "list.csv", cache_folder=tmp_path / "cache")
    assert recordings.names == ["a.wav"] and recordings.skipped == {"missing": ["gone/b.wav"]}


def test_impulse_responses(tmp_path):
    """Of two channels the first counts, and a level of −80 dB is as good as any."""
    response = np.zeros((8000, 2), dtype=np.float32)
    response[100, 0], response[900, 0], response[500, 1] = 1e-4, 2e-5, 1.0
    soundfile.write(tmp_path / "room.wav", response, RATE, subtype="FLOAT")
    read = Recordings(tmp_path, impulse_responses=True, cache_folder=tmp_path).read(0)
    np.testing.assert_allclose(read, response[:, 0], atol=1e-7)


def test_moments_of_activity_are_equally_likely(speech, tmp_path):
    pause = np.zeros(2 * RATE, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([pause, speech, pause]), RATE)
    soundfile.write(tmp_path / "b.wav", np.concatenate([speech, speech]), RATE)
    recordings = Recordings(tmp_path, cache_folder=tmp_path / "cache")
    located = [recordings.locate(place) for place in np.arange(3000) / 3000]
    assert np.mean([recording for recording, _ in located]) == pytest.approx(2 / 3, abs=0.02)
    samples = [sample for recording, sample in located if recording == 0]
    assert min(samples) >= 2 * RATE - 320 and max(samples) < 2 * RATE + len(speech) + 320
    assert samples == sorted(samples)


def test_neighbours_are_the_others_of_a_folder(speech, tmp_path):
    for name in ("one/a.wav", "one/b.wav", "one/deep/x.wav", "one/c.wav", "two/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, speech, RATE)
    recordings = Recordings(tmp_path, cache_folder=tmp_path / "cache")
    for number, name in enumerate(recordings.names):
        found = {recordings.names[recordings.neighbour(number, place)] for place in np.arange(20) / 20}
        same = {other for other in recordings.names if os.path.dirname(other) == os.path.dirname(name)}
        assert found == (same - {name} or {name})


def test_split_by_file(corpus_folder, cache):
    recordings = Recordings(corpus_folder, cache_folder=cache)
    train, valid = recordings.split(0.1, seed=1)
    assert not set(train.names) & set(valid.names)
    assert sorted(train.names + valid.names) == sorted(recordings.names)
    assert len(valid) == pytest.approx(0.1 * len(recordings), rel=0.4)
    assert recordings.split(0.1, seed=2)[1].names != valid.names
    for part in (train, valid):
        for number in range(0, len(part), 20):
            whole = recordings.names.index(part.names[number])
            np.testing.assert_array_equal(part.read(number), recordings.read(whole))
            assert 0 <= part.neighbour(number, 0.5) < len(part)
        located = {part.names[part.locate(place)[0]] for place in np.arange(2000) / 2000}
        assert located <= set(part.names) and len(located) > 0.5 * len(part)


def test_split_needs_two_names(speech, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    recordings = Recordings(tmp_path, cache_folder=tmp_path / "cache")
    with pytest.raises(ValueError, match="expected at least two recordings of different names"):
        recordings.split(0.5)
    with pytest.raises(ValueError, match="valid_fraction: expected"):
        recordings.split(1.0)


def test_workers_get_the_file_by_name(small_corpus, cache):
    recordings = Recordings(small_corpus, cache_folder=cache)
    sent = pickle.dumps(recordings)
    assert len(sent) < 50_000
    np.testing.assert_array_equal(pickle.loads(sent).read(3), recordings.read(3))


@pytest.mark.parametrize(("key", "value"), [("sample_rate", 0), ("min_seconds", -1)])
def test_wrong_options_are_named(small_corpus, cache, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        Recordings(small_corpus, **{key: value}, cache_folder=cache)
