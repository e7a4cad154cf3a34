"""Recordings in shards: they hold what one file holds, and what is done is done once."""

import os
import pickle
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.dataio import recordings_cache, shard_plans
from sb_resizegan.dataio.growing_source import GrowingSource
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.sample_shards import MappedSamples
from sb_resizegan.training.loader import WindowStream

RATE = 16000


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of about three files."""
    shards = shard_plans.in_shards
    monkeypatch.setattr(shard_plans, "in_shards", lambda files, names: shards(files, names, usual=3))


def test_shards_hold_what_one_file_holds(small_corpus, tmp_path, monkeypatch, small_shards):
    sharded = Recordings(small_corpus, cache_folder=tmp_path)
    assert len(list((tmp_path / "recordings").glob("*.i16"))) > 2
    monkeypatch.setattr(shard_plans, "in_shards", lambda files, names: [files])
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
    before = shard_plans.in_shards(names, names, usual=100, most=400)
    longer = sorted([*names, "01234a.wav"])
    after = shard_plans.in_shards(longer, longer, usual=100, most=400)
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


def test_several_processes_share_the_shards(small_corpus, tmp_path):
    """Two commands at once: each shard is decoded by one of them, and both find all recordings."""
    program = (
        "import sys\n"
        "from sb_resizegan.dataio import recordings_cache as cache, shard_plans as plans\n"
        "from sb_resizegan.dataio.recordings import Recordings\n"
        "shards, decode = plans.in_shards, cache._decode\n"
        "plans.in_shards = lambda files, names: shards(files, names, usual=2)\n"
        "def counted(path, *options):\n"
        "    sys.stdout.write(f'{path}\\n')\n"  # in one piece: there are several threads
        "    return decode(path, *options)\n"
        "cache._decode = counted\n"
        "print(len(Recordings(sys.argv[1], cache_folder=sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", program, str(small_corpus), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [process.communicate(timeout=300)[0].split("\n") for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [part[-2] for part in lines] == ["20", "20"]
    decoded = [line for part in lines for line in part if line.endswith(".wav")]
    assert sorted(decoded) == sorted(map(str, small_corpus.glob("*.wav")))
    left = [path for path in (tmp_path / "recordings").glob(".*") if path.suffix != ".lock"]
    assert left == []


def test_what_a_part_of_a_corpus_holds_is_some_bytes_a_recording(small_corpus, tmp_path):
    recordings = Recordings(small_corpus, cache_folder=tmp_path)
    part = recordings.split(0.3)[0]
    stretches = len(part._moments._regions)
    held = [part._chosen, part._group_starts, part._moments._regions, part._moments._ends]
    assert sum(values.nbytes for values in held) <= 8 * (len(part) + 1) + 12 * stretches
    index = part._index
    mapped = {name: values for name, values in index.items() if values.size}
    assert set(mapped) >= {"letters", "name_ends", "lengths", "regions", "region_owners", "starts"}
    for values in mapped.values():
        assert not values.flags.owndata and not values.flags.writeable
    # A worker gets the file's name, not what is in it.
    assert len(pickle.dumps(part)) < 3000 + sum(values.nbytes for values in held)
    again = pickle.loads(pickle.dumps(part))
    assert again.names == part.names and again.locate(0.4) == part.locate(0.4)


def test_a_training_begins_with_a_share_and_takes_in_the_rest(
    small_corpus, tmp_path, small_shards, monkeypatch
):
    whole = Recordings(small_corpus, cache_folder=tmp_path / "whole")
    assert whole.complete
    decode, may_go_on = recordings_cache._decode, threading.Event()
    seen = []

    def held_up(path, *options):
        seen.append(path)
        if len(seen) > 12:
            assert may_go_on.wait(60)
        return decode(path, *options)

    monkeypatch.setattr(recordings_cache, "_decode", held_up)
    begun = []

    def load():
        begun.append(Recordings(small_corpus, cache_folder=tmp_path / "part", start_share=0.3))
        return NoisyMixtures(begun[-1], segment_samples=8000)

    stream = WindowStream(GrowingSource(load(), load), batch_size=2, batches_per_epoch=2, seed=1)
    (first,) = begun
    assert not first.complete and 6 <= len(first) < 20
    assert set(first.names) < set(whole.names)
    for number, name in enumerate(first.names):
        np.testing.assert_array_equal(first.read(number), whole.read(whole.names.index(name)))
    assert len(list(stream)) == 2 and len(begun) == 2 and not begun[1].complete
    may_go_on.set()
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "part" / "recordings").glob("*.npz"))) < len(
        list((tmp_path / "whole" / "recordings").glob("*.npz"))
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(list(stream)) == 2 and begun[2].complete and begun[2].names == whole.names
    assert len(seen) == 20  # each file once
    assert len(list(stream)) == 2 and len(begun) == 3
