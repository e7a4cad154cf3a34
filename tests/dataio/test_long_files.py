"""Resampling in blocks is resampling; what is written is whole, at a safe level and in the right format."""

import resource

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio import long_files
from sb_resizegan.dataio.audio import UnusableAudioError, audio_blocks
from sb_resizegan.dataio.long_files import Spool, choose_format
from sb_resizegan.dataio.resampling import resample, resampled_blocks


@pytest.mark.parametrize(
    "rates",
    [(44100, 16000), (16000, 44100), (8000, 16000), (48000, 16000), (11025, 16001), (399_989, 16000)],
)
@pytest.mark.parametrize("total", [1, 100, 50001])
def test_blocks_resampled_are_the_whole_resampled(rates, total):
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((total, 2)).astype(np.float32)
    cuts = np.sort(rng.integers(0, total + 1, 7))
    joined = np.concatenate(list(resampled_blocks(np.split(signal, cuts), *rates)))
    whole = np.stack([resample(channel, *rates) for channel in signal.T], axis=1)
    np.testing.assert_allclose(joined, whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rates", [(44100, 16000), (44101, 16000), (16000, 44101)])
def test_silence_that_is_left_out_of_the_work_is_silence(rates):
    """Blocks of nothing but zeros beside others: what reaches over their edges comes all the same."""
    signal = np.zeros((60000, 1), dtype=np.float32)
    signal[20000:20100], signal[39999] = 0.5, 1.0
    blocks = np.split(signal, [10000, 20000, 20100, 30000, 40000])
    joined = np.concatenate(list(resampled_blocks(blocks, *rates)))
    whole = next(resampled_blocks([signal + 1], *rates)) - next(
        resampled_blocks([np.ones_like(signal)], *rates)
    )
    np.testing.assert_allclose(joined[: len(whole)], whole, rtol=0, atol=2e-6)


def test_a_rate_much_too_high_is_resampled_in_two_steps_without_aliasing():
    """399,989 Hz has no common divisor with 16,000: up to 7 kHz all stays, from 9 kHz on all goes."""
    rate = 399_989
    time = np.arange(rate // 4) / rate
    low = sum(np.sin(2 * np.pi * hertz * time) for hertz in (100, 3210, 7000))
    high = sum(np.sin(2 * np.pi * hertz * time) for hertz in (9000, 15_900, 25_000, 33_000, 123_456, 199_000))
    found = resample((low + high).astype(np.float32), rate, 16000)
    assert len(found) == np.ceil(len(time) * 16000 / rate)
    places = np.arange(len(found)) / 16000
    expected = sum(np.sin(2 * np.pi * hertz * places) for hertz in (100, 3210, 7000))
    np.testing.assert_allclose(found[100:-100], expected[100:-100], rtol=0, atol=3e-4)


def test_one_rate_is_left_alone():
    blocks = [np.ones((3, 1), dtype=np.float32)] * 2
    assert all(a is b for a, b in zip(resampled_blocks(iter(blocks), 16000, 16000), blocks, strict=True))


def write(path, subtype, peak, format="WAV"):
    with Spool(path.parent, 2) as spool:
        for block in np.split(np.linspace(-peak, peak, 2000, dtype=np.float32).reshape(-1, 2), 4):
            spool.append(block)
        gain = spool.save(path, 16000, format, subtype)
    return gain, soundfile.read(path, dtype="float64")[0]


@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24)])
def test_a_peak_above_full_scale_reduces_the_whole_file(tmp_path, subtype, step):
    gain, samples = write(tmp_path / "a.wav", subtype, peak=2.5)
    assert gain == pytest.approx(0.4)
    # Straight from end to end: nothing was clipped.
    np.testing.assert_allclose(samples.ravel(), np.linspace(-1, 1, 2000), rtol=0, atol=2 * step)


def test_numbers_with_a_floating_point_keep_their_peaks(tmp_path):
    gain, samples = write(tmp_path / "a.wav", "FLOAT", peak=2.5)
    assert gain == 1 and samples.max() == 2.5


def test_a_peak_below_full_scale_is_left_alone(tmp_path):
    gain, samples = write(tmp_path / "a.wav", "PCM_16", peak=0.999)
    assert gain == 1 and samples.max() == pytest.approx(0.999, abs=2**-15)


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")],
)
def test_every_format_is_written_in_full(tmp_path, format, subtype):
    write(tmp_path / "a.bin", subtype, peak=0.5, format=format)
    header = soundfile.info(tmp_path / "a.bin")
    assert (header.format, header.subtype, header.frames, header.channels) == (format, subtype, 1000, 2)


def test_what_a_wav_file_cannot_count_becomes_rf64(tmp_path, monkeypatch):
    monkeypatch.setattr(long_files, "LARGEST_WAV", 3999)
    write(tmp_path / "a.wav", "PCM_16", peak=0.5)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (("a.wav", "WAV", "PCM_24"), "b.wav", ("WAV", "PCM_24")),
        (("a.wav", "WAV", "DOUBLE"), "b.wav", ("WAV", "DOUBLE")),
        (("a.wav", "WAVEX", "FLOAT"), "b.WAV", ("WAVEX", "FLOAT")),
        (("a.wav", "WAV", "PCM_U8"), "b.wav", ("WAV", "PCM_16")),
        (("a.wav", "WAV", "ULAW"), "b.wav", ("WAV", "PCM_16")),
        (("a.wav", "WAV", "PCM_24"), "b.flac", ("FLAC", "PCM_24")),
        (("a.wav", "WAV", "FLOAT"), "b.flac", ("FLAC", "PCM_16")),
        (("a.wav", "WAV", "PCM_16"), "b.aif", ("AIFF", "PCM_16")),
        (("a.wav", "WAV", "PCM_16"), "b.opus", ("OGG", "OPUS")),
        (("a.opus", "OGG", "OPUS"), "b.opus", ("OGG", "OPUS")),
        (("a.mp3", "MP3", "MPEG_LAYER_III"), "b.mp3", ("MP3", "MPEG_LAYER_III")),
        (("a.mp3", "MP3", "MPEG_LAYER_III"), "b.wav", ("WAV", "PCM_16")),
    ],
)
def test_formats_are_kept_where_they_can_be(tmp_path, source, target, expected):
    name, format, subtype = source
    soundfile.write(tmp_path / name, np.zeros(1000), 16000, subtype, format=format)
    assert choose_format(soundfile.info(tmp_path / name), target) == expected


@pytest.mark.parametrize("target", ["b.txt", "b", "b.raw"])
def test_an_ending_without_a_format_is_refused(tmp_path, target):
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), 16000)
    with pytest.raises(ValueError, match=f"{target}: expected the ending of a sound format"):
        choose_format(soundfile.info(tmp_path / "a.wav"), target)


@pytest.mark.parametrize("room", [1000, 5000])
def test_a_full_disk_leaves_what_was_there(tmp_path, room):
    """``room`` bytes are too few for the samples, or enough for them and too few for the sound file."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"what was there")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(tmp_path, 1) as spool:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
            with pytest.raises(OSError, match=r"too large|could not be written"):
                spool.append(np.zeros((1200, 1), dtype=np.float32))
                spool.save(path, 16000, "WAV", "DOUBLE")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"what was there"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_rate_that_a_format_cannot_have_is_named(tmp_path):
    with Spool(tmp_path, 1) as spool:
        spool.append(np.zeros((1200, 1), dtype=np.float32))
        with pytest.raises(OSError, match=r"a.mp3: could not be written as MP3 .* at 96000 Hz"):
            spool.save(tmp_path / "a.mp3", 96000, "MP3", "MPEG_LAYER_III")
    assert list(tmp_path.iterdir()) == []


def test_samples_without_a_header_are_named(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(UnusableAudioError, match=r"a.raw: corrupt: expected wav, .* but it is none"):
        next(audio_blocks(tmp_path / "a.raw"))
