"""Segments are made of what the recordings hold, whole and aligned, and always hold speech or noise."""

import numpy as np
import pytest
import soundfile

from sb_resizegan.augment.segments import noise_segment, speech_segment
from sb_resizegan.dataio.activity import active_regions
from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.random import Draws

RATE = 16000


@pytest.fixture
def make_recordings(tmp_path):
    def make(*waveforms):
        for number, waveform in enumerate(waveforms):
            soundfile.write(tmp_path / f"{number}.wav", waveform, RATE, subtype="FLOAT")
        return Recordings(tmp_path, cache_folder=tmp_path)

    return make


@pytest.fixture(scope="module")
def corpus(corpus_folder, tmp_path_factory):
    return Recordings(corpus_folder, cache_folder=tmp_path_factory.mktemp("cache"))


def test_every_segment_holds_speech_at_its_level(corpus):
    levels = []
    for row in range(200):
        segment, first = speech_segment(corpus, Draws(0, 0, row), 2 * RATE)
        assert segment.shape == (2 * RATE,) and segment.dtype == np.float32 and 0 <= first < len(corpus)
        regions = active_regions(segment, RATE)
        active = np.concatenate([segment[start:end] for start, end in regions])
        assert len(active) > 0.05 * RATE
        levels.append(10 * np.log10(np.mean(active**2)))
    assert np.mean(levels) == pytest.approx(-20, abs=1) and np.std(levels) < 4


def test_a_moment_of_speech_may_lie_anywhere(make_recordings):
    """A burst of 0.1 s in 8 s of silence is found anywhere in segments of 1 s, but at their edges."""
    burst = np.concatenate([np.zeros(4 * RATE), np.tile([0.1, -0.1], 800), np.zeros(4 * RATE)])
    recordings = make_recordings(burst.astype(np.float32))
    centres = []
    for row in range(300):
        sounds = np.flatnonzero(np.abs(speech_segment(recordings, Draws(6, 0, row), RATE)[0]) > 0.01)
        centres.append(sounds.mean() / RATE)
    assert 0.02 < min(centres) < 0.2 and 0.8 < max(centres) < 0.98
    assert np.mean(centres) == pytest.approx(0.5, abs=0.05) and np.std(centres) > 0.15


def test_short_utterances_fill_the_segment_with_pauses_between(make_recordings):
    """Utterances of constant sound of 0.5 s: whole ones, and digital silence of 0.1 to 0.6 s between them."""
    utterance = np.tile([0.1, -0.1], 4000).astype(np.float32)
    recordings = make_recordings(utterance, 0.5 * utterance, 0.2 * utterance)
    pauses = []
    for row in range(60):
        segment, _ = speech_segment(recordings, Draws(1, 0, row), 4 * RATE)
        sounds = np.flatnonzero(np.abs(segment) > 0)
        breaks = np.flatnonzero(np.diff(sounds) > 800)
        pauses += np.diff(sounds)[breaks].tolist()
        starts, ends = sounds[np.append(0, breaks + 1)], sounds[np.append(breaks, len(sounds) - 1)]
        whole = (ends - starts)[:-1]
        np.testing.assert_allclose(whole, 8000, atol=20)
        # Faded edges apart, all is at one level, within 3 dB for those that follow.
        peaks = [np.abs(segment[start:end]).max() for start, end in zip(starts, ends, strict=True)]
        assert min(peaks) > 0.1 * 10 ** (-3.1 / 20) and max(peaks) < 0.1 * 10 ** (3.1 / 20)
    assert 0.09 * RATE < min(pauses) < 0.2 * RATE and 0.5 * RATE < max(pauses) < 0.61 * RATE


def test_some_segments_begin_and_end_in_silence(make_recordings):
    recordings = make_recordings(np.tile([0.1, -0.1], 80000).astype(np.float32))
    silent = np.zeros(2)
    for row in range(300):
        segment, _ = speech_segment(recordings, Draws(2, 0, row), RATE)
        sounds = np.flatnonzero(segment)
        assert sounds[0] <= RATE // 4 and sounds[-1] >= RATE - 1 - RATE // 4
        silent += sounds[0] > 160, sounds[-1] < RATE - 160
    assert (abs(silent / 300 - 0.15) < 0.06).all()


def test_long_noise_is_read_as_it_is(speech_files, make_recordings):
    waveform = read_mono(speech_files[0])[0][: 5 * RATE]
    recordings = make_recordings(waveform)
    whole = recordings.read(0)
    for row in range(20):
        draws = Draws(3, 0, row)
        recording, anchor = recordings.locate(draws.number())
        segment = noise_segment(recordings, recording, anchor, draws, RATE)
        windows = np.lib.stride_tricks.sliding_window_view(whole, RATE)
        place = np.flatnonzero((windows[:, :200] == segment[:200]).all(1))[0]
        np.testing.assert_array_equal(whole[place : place + RATE], segment)
        assert place <= anchor < place + RATE


def test_short_noise_loops_without_a_gap_or_a_click(make_recordings):
    noise = np.random.default_rng(0).normal(size=RATE // 2).astype(np.float32) * 0.1
    segment = noise_segment(make_recordings(noise), 0, 1000, Draws(4, 0), 4 * RATE)
    period = len(noise) - int(0.02 * RATE)
    np.testing.assert_array_equal(segment[period:], segment[:-period])
    power = segment[: period // 80 * 80].reshape(-1, 80).std(axis=1)
    assert power.min() > 0.06 and power.max() < 0.15


def test_loop_of_a_few_samples(make_recordings, tmp_path):
    soundfile.write(tmp_path / "tiny.wav", np.array([0.5, -0.5]), RATE)
    recordings = Recordings(tmp_path, min_seconds=0, cache_folder=tmp_path)
    segment = noise_segment(recordings, 0, 1, Draws(5, 0), 1000)
    assert segment.shape == (1000,) and np.abs(segment).min() > 0.4
