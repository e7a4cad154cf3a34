"""Recordings in shards: they hold what one file holds, and what is done is done once."""

import os
import pickle
import shutil

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio import recordings_cache
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.sample_shards import MappedSamples

RATE = 16000


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of about three files."""
    shards = recordings_cache.in_shards
    monkeypatch.setattr(recordings_cache, "in_shards", lambda files, names: shards(files, names, usual=3))


def test_shards_hold_what_one_file_holds(small_corpus, tmp_path, monkeypatch, small_shards):
    sharded = Recordings(small_corpus, cache_folder=tmp_path)
    assert len(list((tmp_path / "recordings").glob("*.i16"))) > 2
    monkeypatch.setattr(recordings_cache, "in_shards", lambda files, names: [files])
    whole = Recordings(small_corpus, cache_folder=tmp_path / "whole")
    assert sharded.names == whole.names
    for number in range(len(whole)):
        np.testing.assert_array_equal(sharded.read(number), whole.read(number))
        np.testing.assert_array_equal(sharded.read(number, 100, 50), whole.read(number, 100, 50))
    assert [sharded.locate(place) for place in (0, 0.3, 0.999)] == [
        whole.locate(place) for place in (0, 0.3, 0.999)
    ]


def test_a_changed_file_has_its_shard_decoded_anew(small_corpus, tmp_path, small_shards, count_decoded):
    folder = tmp_path / "speech"
    shutil.copytree(small_corpus, folder)
    before = Recordings(folder, cache_folder=tmp_path)
    decoded = len(count_decoded)
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").glob("*.i16")}
    changed = folder / before.names[7]
    soundfile.write(changed, soundfile.read(changed)[0][::-1], RATE)
    after = Recordings(folder, cache_folder=tmp_path)
    assert 1 <= len(count_decoded) - decoded < len(before)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").glob("*.i16")}
    assert len(kept) == len(shards) and len(kept.items() & shards.items()) == len(shards) - 1
    np.testing.assert_allclose(after.read(7), before.read(7)[::-1], atol=1e-4)


def test_an_interrupted_preparation_goes_on(small_corpus, tmp_path, small_shards, count_decoded, monkeypatch):
    build, done = recordings_cache._build, []

    def killed(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(build(*arguments))
        return done[-1]

    monkeypatch.setattr(recordings_cache, "_build", killed)
    with pytest.raises(KeyboardInterrupt):
        Recordings(small_corpus, cache_folder=tmp_path)
    monkeypatch.setattr(recordings_cache, "_build", build)
    finished = sum(len(index["lengths"]) for index in done)
    before = len(count_decoded)
    assert len(Recordings(small_corpus, cache_folder=tmp_path)) == 20
    assert finished and len(count_decoded) - before == 20 - finished


def test_a_new_file_moves_no_other_shard():
    names = [f"{number:05}.wav" for number in range(3000)]
    before = recordings_cache.in_shards(names, names, usual=100, most=400)
    longer = sorted([*names, "01234a.wav"])
    after = recordings_cache.in_shards(longer, longer, usual=100, most=400)
    assert (
        [name for shard in after for name in shard] == longer
        and len(before) > 10
        and max(map(len, before)) <= 400
    )
    assert sum(shard not in before for shard in after) <= 2


def test_shards_take_no_file_descriptors_and_stay_when_files_are_replaced(tmp_path):
    paths = [tmp_path / f"{number}.i16" for number in range(50)]
    for number, path in enumerate(paths):
        np.full(3, number, dtype=np.int16).tofile(path)
    before = len(os.listdir("/proc/self/fd"))
    samples = MappedSamples(paths)
    assert len(os.listdir("/proc/self/fd")) - before < 5
    again = pickle.loads(pickle.dumps(samples))
    paths[7].unlink()
    assert samples[21:24].tolist() == again[21:24].tolist() == [7, 7, 7]
    with pytest.raises(IndexError, match="more than one file"):
        samples[2:4]
    with pytest.raises(ValueError, match="read-only"):
        samples[0:3][0] = 1
