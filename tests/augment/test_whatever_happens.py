"""Noise that starts and stops, tones, other voices, level steps, silence, bands, clipping, codecs."""

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from sb_resizegan.augment.channels import BANDS_HZ, band_limited, clipped, coded
from sb_resizegan.augment.interruptions import level_step, silent_stretch, switched_gain
from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.augment.mixture_options import grouped_options
from sb_resizegan.augment.tonal import chirps, motor, tone
from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.utils.random import Draws

RATE = 16000
SECONDS = 3
SAMPLES = SECONDS * RATE
SEEDS = range(6)


def flatness(waveform):
    """Geometric over arithmetic mean of the spectrum, 0.1 to 7 kHz: 1 if white, small if tonal."""
    frequency, power = welch(waveform, RATE, nperseg=2048)
    power = power[(frequency > 100) & (frequency < 7000)] + 1e-20
    return float(np.exp(np.mean(np.log(power))) / np.mean(power))


@pytest.mark.parametrize("make", [chirps, motor, tone])
@pytest.mark.parametrize("seed", SEEDS)
def test_tonal_noise_has_its_power_in_few_places(make, seed):
    noise = make(Draws(seed, 0), SAMPLES, RATE)
    white = np.random.default_rng(seed).standard_normal(SAMPLES)
    assert noise.shape == (SAMPLES,) and noise.dtype == np.float32 and np.isfinite(noise).all()
    # Chirps pass over much of their range: their moments, of 32 ms, are what is tonal.
    frames = noise[: SAMPLES // 512 * 512].reshape(-1, 512)
    loudest = frames[np.square(frames).sum(1).argmax()]
    assert flatness(np.tile(loudest * np.hanning(512), 8)) < 0.2 * flatness(white)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_switches_between_all_and_nothing(seed):
    gain = switched_gain(Draws(seed, 0), SAMPLES, RATE)
    settled = (gain == 0) | (gain == 1)
    assert gain.min() == 0 and gain.max() == 1
    assert settled.mean() > 1 - 3 * 0.05 / SECONDS - 0.01
    assert np.abs(np.diff(gain)).max() <= 1 / (0.002 * RATE) + 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_level_steps_in_the_pause(seed):
    speech = np.random.default_rng(seed).standard_normal(SAMPLES).astype(np.float32)
    middle = slice(SAMPLES // 2 - 600, SAMPLES // 2 + 600)
    speech[middle] = 0
    gain = level_step(Draws(seed, 0), speech, RATE)
    step_db = 20 * np.log10(gain.max() / gain.min())
    assert 10 <= step_db <= 30 and {gain[0], gain[-1]} == {gain.min(), gain.max()}
    moving = np.flatnonzero(np.diff(gain))
    assert moving[-1] - moving[0] <= 0.02 * RATE
    # The pause is in reach of a moment drawn from the middle half of the segment.
    place = Draws(seed, 0)
    place.number()
    if abs(place.between(0.2, 0.8) - 0.5) * SECONDS < 0.2:
        assert middle.start <= moving[0] and moving[-1] <= middle.stop


def test_silence_lies_at_the_ends_and_between():
    stretches = [silent_stretch(Draws(seed, 0), SAMPLES, RATE) for seed in range(60)]
    assert all(0.1 * RATE <= part.stop - part.start <= RATE for part in stretches)
    begins, ends = sum(p.start == 0 for p in stretches), sum(p.stop == SAMPLES for p in stretches)
    assert begins > 8 and ends > 8 and begins + ends < 56


@pytest.mark.parametrize("seed", SEEDS)
def test_bands_are_what_they_say_and_add_no_delay(seed):
    white = np.random.default_rng(seed).standard_normal(SAMPLES).astype(np.float32)
    low, high = BANDS_HZ[Draws(seed, 0).below(len(BANDS_HZ))]
    (limited,) = band_limited(Draws(seed, 0), [white], RATE)
    frequency, gain_db = welch(white, RATE, nperseg=1024)[0], None
    gain_db = 10 * np.log10(welch(limited, RATE, nperseg=1024)[1] / welch(white, RATE, nperseg=1024)[1])
    inside = (frequency > low + 100) & (frequency < high - 100)
    outside = (frequency < low - 100) | (frequency > high + 100)
    assert np.abs(gain_db[inside]).max() < 1
    assert not outside.any() or gain_db[outside].max() < -20
    assert np.correlate(limited, white, "same").argmax() == SAMPLES // 2


def test_clipping_cuts_peaks_alone():
    speech = np.sin(np.arange(SAMPLES) / 20).astype(np.float32)
    for seed in SEEDS:
        cut = clipped(Draws(seed, 0), speech)
        limit_db = 20 * np.log10(np.abs(cut).max())
        assert -15 <= limit_db <= -3
        below = np.abs(speech) < np.abs(cut).max()
        assert (cut[below] == speech[below]).all()


@pytest.mark.parametrize("seed", range(8))
def test_coded_speech_resembles_what_was_sent_and_lies_where_it_lay(seed, small_corpus):
    path = max(small_corpus.rglob("*.wav"), key=lambda path: soundfile.info(path).duration)
    speech, rate = read_mono(path)
    speech = resample(speech, rate, RATE)
    speech = 0.5 * speech / np.abs(speech).max()
    received = coded(Draws(seed, 0), speech, RATE)
    assert received.shape == speech.shape and not np.array_equal(received, speech)
    correlation = np.correlate(np.pad(received, 50), speech, "valid")
    assert correlation.argmax() == 50
    assert correlation.max() / np.linalg.norm(received) / np.linalg.norm(speech) > 0.9


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Two voices, told apart by their pitch, with a folder each."""
    folder = tmp_path_factory.mktemp("voices")
    random = np.random.default_rng(0)
    for voice, hertz in (("low", 400.0), ("high", 3000.0)):
        (folder / voice).mkdir()
        for number in range(3):
            time = np.arange(2 * RATE) / RATE
            syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * time + random.uniform(0, 6))
            waveform = 0.2 * syllables * np.sin(2 * np.pi * hertz * time)
            soundfile.write(folder / voice / f"{number}.wav", waveform, RATE)
    return Recordings(folder, cache_folder=folder / "cache")


def mixtures(voices, segment_samples=SAMPLES, **options):
    quiet = dict.fromkeys(
        ("babble", "second_noise", "nearly_clean", "equaliser", "speed_change", "gain_change", "narrow_band"),
        0.0,
    )
    options = {**quiet, "coloured": 1.0, **options}
    return NoisyMixtures(voices, segment_samples=segment_samples, **grouped_options(**options))


def test_the_other_talker_is_another_voice_and_no_louder_than_the_wanted_one(voices):
    batch = mixtures(voices, coloured=0.0, talker=1.0, snr_db=(-5.0, 0.0)).batch(0, 8, 1)
    frequency = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    low = frequency < 1500
    for noisy, clean in zip(batch.noisy.numpy(), batch.clean.numpy(), strict=True):
        noise = noisy - clean
        power, wanted = np.abs(np.fft.rfft(noise)) ** 2, np.abs(np.fft.rfft(clean)) ** 2
        wanted_is_low = wanted[low].sum() > wanted[~low].sum()
        assert (power[low].sum() > power[~low].sum()) != wanted_is_low
        assert np.square(noise).sum() < np.square(clean).sum()


def test_level_steps_band_and_silence_are_the_same_on_both_sides(voices):
    plain = {"snr_db": (60.0, 60.0)}
    for option in ("level_step", "band", "silence"):
        batch = mixtures(voices, **plain, **{option: 1.0}).batch(0, 6, 1)
        error = (batch.noisy - batch.clean).square().sum() / batch.clean.square().sum()
        # The two sides still differ by the noise alone, 60 dB below, or less where the noise's band went.
        assert error < 10**-5.0
    silent = (batch.noisy == 0) & (batch.clean == 0)
    assert (silent.sum(1) >= 0.1 * RATE).all()


def test_clipping_and_codec_leave_the_target_alone(voices):
    plain = mixtures(voices, snr_db=(60.0, 60.0), level_db=(-20.0, -20.0)).batch(0, 6, 1)
    for option in ("clipping", "codec"):
        options = {"snr_db": (60.0, 60.0), "level_db": (-20.0, -20.0), option: 1.0}
        changed = mixtures(voices, **options).batch(0, 6, 1)
        assert changed.clean.equal(plain.clean)
        assert not changed.noisy.equal(plain.noisy)
        assert changed.noisy.abs().max() <= 0.99


def test_noise_stops(voices):
    batch = mixtures(voices, snr_db=(0.0, 0.0), switching=1.0).batch(0, 6, 1)
    noise = (batch.noisy - batch.clean).numpy()
    frames = np.square(noise).reshape(len(noise), -1, 480).sum(2)
    assert (frames.min(1) < 1e-6 * frames.max(1)).all()
