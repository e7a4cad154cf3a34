"""Long recordings go by way of the disk: the same samples, in memory that does not grow with them."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio import long_signal, speech_windows, utterances
from sb_resizegan.dataio.activity import active_level, active_regions, frame_levels
from sb_resizegan.dataio.audio import read_mono, read_signal
from sb_resizegan.dataio.decoder import AudioHeader
from sb_resizegan.dataio.long_signal import LongSignal, blocks_of, is_long
from sb_resizegan.dataio.pair_segments import PairedSegments
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.resampling import low_pass, low_passed_blocks, resample
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.dataio.utterances import read_pair, read_utterances

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
        monkeypatch.setattr(long_signal, "LONG_SECONDS", seconds)
        monkeypatch.setattr(speech_windows, "LONG_SECONDS", seconds)
        folder = tmp_path / str(seconds)
        recordings = Recordings(tmp_path / "speech", cache_folder=folder)
        rooms = Recordings(tmp_path / "speech", impulse_responses=True, cache_folder=folder)
        train = SpeechWindows(tmp_path / "manifests" / "train.json", data_root=tmp_path / "speech")
        both[seconds] = recordings, rooms, train
    (short, short_rooms, short_windows), (long, long_rooms, long_windows) = both[600], both[1]
    for number in range(3):
        np.testing.assert_allclose(long.read(number), short.read(number), rtol=0, atol=1e-5)
        np.testing.assert_allclose(long_rooms.read(number), short_rooms.read(number), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(long_rooms.active_seconds, short_rooms.active_seconds)
    # The same windows, one for each first sample.
    assert long_windows.number_of_windows == short_windows.number_of_windows
    few = [w.batch(0, 64, seed=3).numpy() for w in (short_windows, long_windows)]
    np.testing.assert_allclose(few[1], few[0], rtol=0, atol=1e-4)


@pytest.fixture
def pair(bursts, tmp_path):
    """A manifest of one pair of 5 s, at another rate and of two lengths."""
    lengths = {"clean": 80000, "noisy": 79990}
    for (side, length), sign in zip(lengths.items(), (1, -1), strict=True):
        soundfile.write(tmp_path / f"{side}.wav", sign * bursts[:length], 22050, "FLOAT")
    entry = {side: str(tmp_path / f"{side}.wav") for side in lengths} | {"length": 79990 / 22050}
    (tmp_path / "all.json").write_text(json.dumps({"a": entry}))
    return tmp_path / "all.json", entry


def test_pairs_are_the_same_from_the_disk(pair, tmp_path, monkeypatch):
    manifest, entry = pair
    expected = read_pair(entry, RATE)
    (whole,) = read_utterances(manifest)
    batch = PairedSegments(manifest, 8000).batch(0, 16, seed=0)
    monkeypatch.setattr(long_signal, "LONG_SECONDS", 1)
    monkeypatch.setattr("sb_resizegan.dataio.pair_segments.LONG_SECONDS", 1)
    monkeypatch.setattr(utterances, "PART_SECONDS", 1)
    found = read_pair(entry, RATE, tmp_path)
    assert all(isinstance(signal, LongSignal) for signal in found)
    for signal, whole_signal in zip(found, expected, strict=True):
        np.testing.assert_array_equal(signal[:], whole_signal)
    segments = PairedSegments(manifest, 8000)
    assert isinstance(segments._store.samples, np.memmap)
    for tensor, other in zip(segments.batch(0, 16, seed=0), batch, strict=True):
        np.testing.assert_array_equal(tensor, other)
    parts = read_utterances(manifest)
    assert [part.name for part in parts] == ["a-001", "a-002", "a-003", "a-004"]
    assert max(len(part.clean) for part in parts) <= RATE < len(whole.clean)
    for side in ("clean", "noisy"):
        joined = np.concatenate([getattr(part, side) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, side))


def test_an_hour_of_a_pair_is_scored_in_little_memory(tmp_path):
    """The files of a pair of an hour, scored in a process that says its peak: two sides are 460 MB."""
    noise = np.random.default_rng(0).standard_normal((2, RATE * 60))
    for side, gain in (("clean", 0.0), ("noisy", 0.1)):
        (tmp_path / side).mkdir()
        with soundfile.SoundFile(tmp_path / side / "a.wav", "w", RATE, 1, "PCM_16") as audio:
            for _ in range(60):
                audio.write(0.1 * (noise[0] + gain * noise[1]))
    script = f"""
import resource
from sb_resizegan.evaluation.folder_scores import find_pairs, score_pairs
from sb_resizegan.evaluation.scoring_options import ScoringOptions
pairs, _ = find_pairs({str(tmp_path / "clean")!r}, {str(tmp_path / "noisy")!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
score_pairs(pairs, ScoringOptions(("si_sdr", "intelligibility", "official_pesq"), jobs=0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, pairs[0].scores["si_sdr_db"])
print(*pairs[0].notes, sep="; ")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    figures, notes = done.stdout.splitlines()
    kilobytes, si_sdr_db = figures.split()
    assert int(kilobytes) < 200_000 and float(si_sdr_db) == pytest.approx(20, abs=0.1)
    assert notes == (
        "PESQ refused: 3600 s, the limit is 600 s; stoi, estoi: 3600 s, the limit is 400 s; "
        "pesq_wb_official: 3600 s, the limit is 600 s"
    )


LENGTHS = [(RATE, 600 * RATE, False), (RATE, 600 * RATE + 1, True), (RATE, None, True)]
LENGTHS += [(400_000, 100 * 400_000, True)]


@pytest.mark.parametrize(("rate", "frames", "expected"), LENGTHS)
def test_what_is_long_is_told_by_time_and_by_samples(rate, frames, expected):
    assert is_long(AudioHeader("a.wav", rate, 1, frames, "WAV", "PCM_16")) is expected


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
