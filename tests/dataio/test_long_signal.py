"""Long recordings go by way of the disk: the same samples, in memory that does not grow with them."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio import long_signal, recordings_cache, speech_windows
from sb_resizegan.dataio.activity import active_level, active_regions, frame_levels
from sb_resizegan.dataio.audio import read_mono, read_signal
from sb_resizegan.dataio.long_signal import LongSignal, blocks_of
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.resampling import low_pass, low_passed_blocks, resample
from sb_resizegan.dataio.speech_windows import SpeechWindows

RATE = 16000


@pytest.fixture
def bursts():
    rng = np.random.default_rng(0)
    gains = np.repeat(rng.random(40) > 0.5, 2000)
    return (0.1 * gains * rng.standard_normal(80000)).astype(np.float32)


def test_slices_are_those_of_an_array(bursts, tmp_path):
    signal = LongSignal(np.array_split(bursts, [0, 3, 50000]), tmp_path)
    for part in (slice(None), slice(10, 20), slice(79990, 99999), slice(5, 5), slice(None, -10)):
        np.testing.assert_array_equal(signal[part], bursts[part])
    np.testing.assert_array_equal(np.concatenate(list(blocks_of(signal, 777))), bursts)
    assert list(tmp_path.iterdir()) == []


def test_activity_is_the_same_from_the_disk(bursts, tmp_path, monkeypatch):
    whole = frame_levels(bursts, RATE), active_regions(bursts, RATE, 2048)
    monkeypatch.setattr("sb_resizegan.dataio.activity.BLOCK", 1000)
    signal = LongSignal([bursts], tmp_path)
    np.testing.assert_array_equal(frame_levels(signal, RATE), whole[0])
    np.testing.assert_array_equal(active_regions(signal, RATE, 2048), whole[1])
    assert active_level(signal, whole[1]) == pytest.approx(active_level(bursts, whole[1]))


@pytest.mark.parametrize("total", [1, 100, 5001])
def test_the_low_pass_does_not_feel_the_blocks(total):
    signal = np.random.default_rng(1).standard_normal(total).astype(np.float32)
    cuts = np.sort(np.random.default_rng(2).integers(0, total + 1, 5))
    joined = np.concatenate(list(low_passed_blocks(np.split(signal, cuts), RATE, 1500)))
    np.testing.assert_allclose(joined, low_pass(signal, RATE, 1500), rtol=0, atol=1e-6)


def test_a_signal_read_in_blocks_is_the_whole_one(bursts, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.stack([bursts, 0 * bursts], axis=1), 44100, "FLOAT")
    expected = resample(*read_mono(tmp_path / "a.wav"), RATE)
    monkeypatch.setattr("sb_resizegan.dataio.audio.BLOCK_VALUES", 5000)
    found = read_signal(tmp_path / "a.wav", RATE)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rate", [RATE, 22050])
def test_trainings_get_the_same_of_long_recordings(bursts, rate, tmp_path, monkeypatch):
    (tmp_path / "speech").mkdir()
    for number in range(3):
        path = tmp_path / "speech" / f"{number}.wav"
        soundfile.write(path, 0.05 + np.roll(bursts, 777 * number), rate, "FLOAT")
    prepare_speech(tmp_path / "speech", tmp_path / "manifests")
    both = {}
    for seconds in (600, 1):
        monkeypatch.setattr(recordings_cache, "LONG_SECONDS", seconds)
        monkeypatch.setattr(speech_windows, "LONG_SECONDS", seconds)
        recordings = Recordings(tmp_path / "speech", cache_folder=tmp_path / str(seconds))
        train = SpeechWindows(tmp_path / "manifests" / "train.json", data_root=tmp_path / "speech")
        both[seconds] = recordings, train
    (short, short_windows), (long, long_windows) = both[600], both[1]
    for number in range(3):
        np.testing.assert_allclose(long.read(number), short.read(number), rtol=0, atol=1e-5)
    # The same windows, one for each first sample.
    assert long_windows.number_of_windows == short_windows.number_of_windows
    few = [w.batch(0, 64, seed=3).numpy() for w in (short_windows, long_windows)]
    np.testing.assert_allclose(few[1], few[0], rtol=0, atol=1e-4)


def test_hours_need_little_memory(tmp_path):
    """Two hours, cached and searched in a process that says its peak: four bytes a sample are 460 MB."""
    block = 0.1 * np.random.default_rng(0).standard_normal(RATE * 60)
    block[: RATE * 20] = 0
    with soundfile.SoundFile(tmp_path / "a.wav", "w", RATE, 1, "PCM_16") as audio:
        for _ in range(120):
            audio.write(block)
    script = f"""
import resource
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.prepare.speech import examine_file
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recordings = Recordings({str(tmp_path / "a.wav")!r}, cache_folder={str(tmp_path / "cache")!r})
assert examine_file(Path({str(tmp_path / "a.wav")!r}), 1)["length"] == 7200 == recordings.seconds
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250_000  # kB
    assert long_signal.LONG_SECONDS < 7200
