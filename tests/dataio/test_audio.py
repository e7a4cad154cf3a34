"""Reading, resampling and the low-pass: physics and agreement with plain computations."""

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.activity import active_regions, frame_levels, level_gain
from sb_resizegan.dataio.audio import UnusableAudioError, read_mono
from sb_resizegan.dataio.resampling import low_pass, resample

RATE = 16000


def tone(frequency, rate=RATE, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


def level(waveform):
    """RMS in dB of the middle, away from where the signal begins and ends."""
    return 10 * np.log10(np.mean(waveform[2000:-2000].astype(np.float64) ** 2))


@pytest.mark.parametrize("lowpass_hz", [300.0, 1500.0, 5000.0])
def test_low_pass_kills_above_and_keeps_below(lowpass_hz):
    above, below = tone(1.1 * lowpass_hz), tone(0.9 * lowpass_hz)
    assert level(low_pass(above, RATE, lowpass_hz)) < level(above) - 59
    kept = low_pass(below, RATE, lowpass_hz)
    # Same phase, same level: the difference is what a delay of even a hundredth of a sample would exceed.
    assert np.abs(kept - below)[2000:-2000].max() < 1e-3


def test_low_pass_is_zero_phase():
    impulse = np.zeros(4001, dtype=np.float32)
    impulse[2000] = 1.0
    response = low_pass(impulse, RATE, 1500.0)
    np.testing.assert_allclose(response, response[::-1], atol=1e-7)
    assert response.argmax() == 2000


@pytest.mark.parametrize("length", [1, 7, 100, 3000])
def test_low_pass_keeps_any_length(length):
    assert low_pass(np.ones(length, dtype=np.float32), RATE, 1500.0).shape == (length,)


def test_null_and_nyquist_leave_the_signal_alone():
    noise = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    for lowpass_hz in (None, RATE / 2):
        np.testing.assert_array_equal(low_pass(noise, RATE, lowpass_hz), noise)


@pytest.mark.parametrize("lowpass_hz", [0, -1.0, 8000.1, float("nan"), float("inf"), "1500", True])
def test_wrong_low_pass_names_the_key(lowpass_hz):
    with pytest.raises(ValueError, match="lowpass_hz: expected null or a number above 0 and at most 8000"):
        low_pass(np.zeros(10, dtype=np.float32), RATE, lowpass_hz)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 47999, 16001])
def test_resampling_keeps_a_tone_in_place(rate):
    resampled = resample(tone(1000, rate), rate, RATE)
    expected = tone(1000)
    assert abs(len(resampled) - len(expected)) <= 1
    np.testing.assert_allclose(resampled[2000:14000], expected[2000:14000], atol=1e-3)


def test_resampling_does_not_alias():
    assert level(resample(tone(9000, 48000), 48000, RATE)) < -80


def test_channels_are_averaged(tmp_path):
    left, right = tone(500), tone(700)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 44100, subtype="FLOAT")
    waveform, rate = read_mono(tmp_path / "stereo.wav")
    assert rate == 44100
    np.testing.assert_allclose(waveform, (left + right) / 2, atol=1e-6)


def test_blocks_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr("sb_resizegan.dataio.audio.BLOCK_VALUES", 999)
    soundfile.write(tmp_path / "long.flac", tone(500), RATE)
    expected, _ = soundfile.read(tmp_path / "long.flac", dtype="float32")
    np.testing.assert_array_equal(read_mono(tmp_path / "long.flac")[0], expected)


def test_errors_carry_reason_and_name(tmp_path):
    soundfile.write(tmp_path / "inf.wav", np.array([0.0, np.inf, 0.0]), RATE, subtype="FLOAT")
    with pytest.raises(UnusableAudioError, match=r"inf\.wav: not finite") as raised:
        read_mono(tmp_path / "inf.wav")
    assert raised.value.reason == "not finite"


def test_active_regions_are_where_the_bursts_are():
    rng = np.random.default_rng(0)
    waveform = 1e-4 * rng.standard_normal(4 * RATE)
    for start in (RATE, 3 * RATE):
        waveform[start : start + 8000] += 0.2 * rng.standard_normal(8000)
    np.testing.assert_allclose(active_regions(waveform, RATE), [[16000, 24000], [48000, 56000]], atol=320)


def test_no_window_of_active_speech_is_all_pause(speech_files):
    for path in speech_files[:10]:
        waveform, rate = read_mono(path)
        levels = frame_levels(waveform, rate)
        for start, end in active_regions(waveform, rate, 2048):
            for window in range(start, end - 2048 + 1, 160):
                frames = levels[window // 320 : (window + 2048) // 320 + 1]
                assert frames.max() > levels.max() - 36


def test_a_click_does_not_hide_the_speech(speech_files):
    waveform, rate = read_mono(speech_files[0])
    quiet = 0.02 * waveform
    clicked = quiet.copy()
    clicked[1000] = 1.0
    assert np.diff(active_regions(clicked, rate)).sum() > 0.95 * np.diff(active_regions(quiet, rate)).sum()


def test_regions_grow_to_a_window_but_not_over_the_edges():
    waveform = np.zeros(5000)
    waveform[:100] = np.resize([0.5, -0.5], 100)
    waveform[4900:] = np.resize([0.5, -0.5], 100)
    assert active_regions(waveform, RATE, 2048).tolist() == [[0, 2048], [2952, 5000]]
    # Grown stretches that overlap are one.
    assert active_regions(waveform, RATE, 3000).tolist() == [[0, 5000]]
    assert len(active_regions(waveform, RATE, 5001)) == 0
    assert len(active_regions(np.zeros(5000), RATE, 2048)) == 0


def test_offset_is_not_taken_for_speech():
    assert len(active_regions(np.full(16000, 0.5), RATE)) == 0


def test_level_is_set_over_active_speech_and_limited_by_the_peak(speech_files):
    waveform, rate = read_mono(speech_files[0])
    regions = active_regions(waveform, rate)
    active = np.concatenate([waveform[start:end] for start, end in regions])
    scaled = level_gain(waveform, regions, -25.0, 0.95) * active
    assert 10 * np.log10(np.mean(scaled**2)) == pytest.approx(-25.0, abs=0.01)
    assert np.abs(level_gain(waveform, regions, 0.0, 0.95) * active).max() == pytest.approx(0.95, abs=1e-4)
