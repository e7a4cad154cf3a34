"""Mixtures are what was asked for: their SNR, level, band, room; and the same wherever they are made."""

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import fftconvolve

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.augment.mixture_options import grouped_options
from sb_resizegan.dataio.activity import active_regions
from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.training.loader import WindowStream

RATE = 16000
SEGMENT = 24000
# One noise and nothing else, so that each property can be looked at by itself.
PLAIN = {
    "second_noise": 0.0,
    "nearly_clean": 0.0,
    "equaliser": 0.0,
    "speed_change": 0.0,
    "gain_change": 0.0,
    "narrow_band": 0.0,
    "babble": 0.0,
    "coloured": 0.0,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def clean(small_corpus, cache):
    return Recordings(small_corpus, cache_folder=cache)


@pytest.fixture(scope="module")
def noise(tmp_path_factory, cache):
    """Long and short noises of different colours, loud and quiet."""
    folder = tmp_path_factory.mktemp("noise")
    generator = np.random.default_rng(0)
    for name, seconds, level in (("a.wav", 4, 0.1), ("b.wav", 0.7, 0.01), ("c.wav", 2, 0.05)):
        waveform = generator.normal(size=int(seconds * RATE)).astype(np.float32)
        soundfile.write(folder / name, level * waveform, RATE, subtype="FLOAT")
    return Recordings(folder, cache_folder=cache)


@pytest.fixture(scope="module")
def make_rooms(tmp_path_factory, cache):
    def make(*responses):
        folder = tmp_path_factory.mktemp("rooms")
        for number, response in enumerate(responses):
            soundfile.write(folder / f"{number}.wav", response, RATE, subtype="FLOAT")
        return Recordings(folder, impulse_responses=True, cache_folder=cache)

    return make


def mixtures(clean, noise=None, rirs=None, segment_samples=SEGMENT, **options):
    return NoisyMixtures(clean, noise, rirs, segment_samples, **grouped_options(**{**PLAIN, **options}))


def rows(batch):
    return zip(batch.noisy.double().numpy(), batch.clean.double().numpy(), strict=True)


def decibels(power):
    return 10 * np.log10(power)


def active_power(waveform):
    """Of the speech alone, brought to the level at which the segments are made."""
    regions = active_regions(waveform * 0.1 / np.sqrt(np.mean(waveform**2)), RATE)
    return np.mean(np.concatenate([waveform[start:end] for start, end in regions]) ** 2)


def power_above(waveform, cutoff_hz):
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) ** 2
    frequency = np.fft.rfftfreq(len(waveform), 1 / RATE)
    return decibels(power[frequency > cutoff_hz].sum() / power.sum())


@pytest.mark.parametrize("snr_db", [-5.0, 5.0, 20.0])
@pytest.mark.parametrize("kind", ["recorded", "babble", "coloured", "all at once"])
def test_snr_is_what_was_asked_for(clean, noise, kind, snr_db):
    options = {
        "recorded": {},
        "babble": {"babble": 1.0},
        "coloured": {"coloured": 1.0},
        "all at once": {"babble": 0.3, "coloured": 0.3, "second_noise": 1.0, "gain_change": 1.0},
    }[kind]
    if kind == "all at once":
        options |= {"equaliser": 1.0, "speed_change": 1.0, "narrow_band": 0.5}
    batch = mixtures(clean, noise, snr_db=(snr_db, snr_db), **options).fixed(24, seed=1)
    for noisy, target in rows(batch):
        assert decibels(active_power(target) / np.mean((noisy - target) ** 2)) == pytest.approx(
            snr_db, abs=0.1
        )


def test_what_is_added_is_noise_alone(clean, noise):
    batch = mixtures(clean, noise, snr_db=(0.0, 0.0)).fixed(40, seed=2)
    correlations = [np.corrcoef(noisy - target, target)[0, 1] for noisy, target in rows(batch)]
    assert np.abs(correlations).max() < 0.05 and abs(np.mean(correlations)) < 0.01


def test_ranges_are_used_evenly(clean, noise):
    batch = mixtures(clean, noise, snr_db=(-5.0, 20.0), level_db=(-40.0, -25.0)).fixed(200, seed=3)
    levels = [decibels(np.mean(noisy**2)) for noisy, _ in rows(batch)]
    ratios = [decibels(active_power(clean) / np.mean((noisy - clean) ** 2)) for noisy, clean in rows(batch)]
    for found, low, high in ((levels, -40, -25), (ratios, -5, 20)):
        assert low - 0.1 < min(found) < low + 1 and high - 1 < max(found) < high + 0.1
        assert np.mean(found) == pytest.approx((low + high) / 2, abs=0.05 * (high - low))


def test_loud_mixtures_are_scaled_and_not_clipped(clean, noise):
    batch = mixtures(clean, noise, level_db=(0.0, 0.0), snr_db=(10.0, 10.0)).fixed(20, seed=4)
    for noisy, target in rows(batch):
        assert max(np.abs(noisy).max(), np.abs(target).max()) == pytest.approx(0.99, abs=1e-5)
        # A clipped mixture has many samples at its peak.
        assert np.sum(np.abs(noisy) > 0.985) < 5
        assert decibels(active_power(target) / np.mean((noisy - target) ** 2)) == pytest.approx(10, abs=0.1)


def test_some_are_nearly_clean(clean, noise):
    batch = mixtures(clean, noise, nearly_clean=0.2).fixed(150, seed=5)
    ratios = np.array([decibels(active_power(c) / np.mean((x - c) ** 2)) for x, c in rows(batch)])
    assert np.mean(ratios > 34) == pytest.approx(0.2, abs=0.09)
    assert not ((ratios > 20.1) & (ratios < 34.9)).any() and ratios.max() < 60.5


def test_narrow_band_speech_comes_with_narrow_band_noise(clean, noise):
    options = {"bandwidth_hz": (3000.0, 4000.0), "snr_db": (0.0, 0.0)}
    for noisy, target in rows(mixtures(clean, noise, narrow_band=1.0, **options).fixed(20, seed=6)):
        assert power_above(noisy, 4250) < -60 and power_above(target, 4250) < -60
    full = mixtures(clean, noise, **options).fixed(20, seed=6)
    assert min(power_above(noisy, 4250) for noisy, _ in rows(full)) > -10


def test_files_of_8_khz_are_narrow_band_whatever_the_speed(speech_files, noise, tmp_path):
    for path in speech_files[:3]:
        waveform = resample(read_mono(path)[0], RATE, 8000)
        soundfile.write(tmp_path / path.name, waveform, 8000)
    narrow = Recordings(tmp_path, cache_folder=tmp_path)
    assert narrow.below_sample_rate == 3
    for speed in (0.8, 1.0, 1.2):
        options = {"speed_change": 1.0, "speed": (speed, speed), "snr_db": (0.0, 0.0)}
        for noisy, _ in rows(mixtures(narrow, noise, **options).fixed(8, seed=7)):
            assert power_above(noisy, 1.06 * 4000 * speed) < -60
            assert power_above(noisy, 0.94 * 4000 * speed) > -25


def test_two_noises_are_two(noise, clean):
    """A tone and white noise: with a second noise, some mixtures have both."""
    one = mixtures(clean, coloured=1.0, snr_db=(-60.0, -60.0)).fixed(60, seed=8)
    two = mixtures(clean, coloured=1.0, second_noise=1.0, snr_db=(-60.0, -60.0)).fixed(60, seed=8)

    def bend(batch):
        """How far each spectrum is from a power of the frequency, which one colour is."""
        power = np.abs(np.fft.rfft(batch.noisy.numpy(), axis=1)) ** 2
        octaves = [decibels(power[:, int(low) : int(2 * low)].mean(1)) for low in 150 * 2.0 ** np.arange(6)]
        return np.abs(np.diff(octaves, n=2, axis=0)).max(0)

    assert np.median(bend(two)) > 1.5 * np.median(bend(one))
    assert np.quantile(bend(two), 0.9) > 2 * np.quantile(bend(one), 0.9)


def test_speed_changes_pitch_and_not_the_length(small_corpus, tmp_path):
    time = np.arange(4 * RATE) / RATE
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(2 * np.pi * 1000 * time), RATE)
    tone = Recordings(tmp_path, cache_folder=tmp_path)
    batch = mixtures(tone, coloured=1.0, snr_db=(60.0, 60.0), speed_change=1.0, speed=(0.8, 1.25))
    peaks = np.abs(np.fft.rfft(batch.fixed(80, seed=9).clean.numpy(), axis=1)).argmax(1) * RATE / SEGMENT
    assert 800 - 1 <= peaks.min() < 830 and 1220 < peaks.max() <= 1250 + 1


def test_reverberated_target_is_aligned_and_early(clean, noise, make_rooms):
    """With one strong late reflection, the mixture holds it and the target doesn't."""
    response = np.zeros(8000, dtype=np.float32)
    response[[500, 700, 4500]] = 0.5, 0.2, 0.4
    options = {"snr_db": (100.0, 100.0), "level_db": (-30.0, -30.0)}
    dry = mixtures(clean, noise, **options).fixed(12, seed=10)
    wet = mixtures(clean, noise, rirs=make_rooms(response), reverberation=1.0, **options).fixed(12, seed=10)
    for (_, voice), (noisy, target) in zip(rows(dry), rows(wet), strict=True):
        early = voice + 0.4 * np.append(np.zeros(200), voice[:-200])
        late = 0.8 * np.append(np.zeros(4000), voice[:-4000])
        gain = target @ early / (early @ early)
        np.testing.assert_allclose(target, gain * early, atol=1e-3 * np.abs(target).max())
        np.testing.assert_allclose(noisy, gain * (early + late), atol=2e-3 * np.abs(noisy).max())
        lags = fftconvolve(target, voice[::-1])[SEGMENT - 400 : SEGMENT + 399]
        assert lags.argmax() == 399


def test_rooms_of_any_length(clean, noise, make_rooms):
    generator = np.random.default_rng(0)
    long = generator.normal(size=3 * RATE) * np.exp(-np.arange(3 * RATE) / 6000)
    rooms = make_rooms(long.astype(np.float32), np.append(np.ones(1), np.zeros(3999)).astype(np.float32))
    batch = mixtures(clean, noise, rirs=rooms, reverberation=1.0).fixed(10, seed=11)
    assert torch.isfinite(batch.noisy).all() and torch.isfinite(batch.clean).all()


def test_equaliser_colours_mixture_and_target_alike(clean, noise):
    options = {"snr_db": (100.0, 100.0), "level_db": (-30.0, -30.0)}
    plain = mixtures(clean, noise, **options).fixed(12, seed=12).clean
    batch = mixtures(clean, noise, equaliser=1.0, **options).fixed(12, seed=12)
    torch.testing.assert_close(batch.noisy, batch.clean, atol=1e-4, rtol=0)
    change = (batch.clean - plain).square().mean(1) / plain.square().mean(1)
    assert change.median() > 0.01


def test_everything_at_once_is_finite_and_full_size(clean, noise, make_rooms):
    response = (np.random.default_rng(1).normal(size=6000) * np.exp(-np.arange(6000) / 1000)).astype(
        np.float32
    )
    everything = dict.fromkeys(PLAIN, 1.0) | {"babble": 0.5, "coloured": 0.25, "nearly_clean": 0.1}
    source = mixtures(clean, noise, rirs=make_rooms(response), reverberation=1.0, **everything)
    batch = source.batch(0, 32, seed=13)
    assert isinstance(batch, NoisyBatch) and torch.equal(batch.lengths, torch.ones(32))
    for waveforms in batch[:2]:
        assert waveforms.shape == (32, SEGMENT) and waveforms.dtype == torch.float32
        assert torch.isfinite(waveforms).all() and waveforms.abs().max() < 0.991
        assert (waveforms.square().mean(1) > 0).all()


def equal(batch, other):
    return all(torch.equal(*pair) for pair in zip(batch, other, strict=True))


def test_a_batch_depends_on_its_number_and_seed_alone(clean, noise, cache, small_corpus):
    default = {"segment_samples": SEGMENT}
    source, again = (NoisyMixtures(clean, noise, **default) for _ in range(2))
    batch = source.batch(5, 4, seed=1)
    source.batch(6, 4, seed=1)
    torch.manual_seed(3)
    assert equal(again.batch(5, 4, seed=1), batch)
    first = source.batch(0, 4, seed=1)
    for other in (source.batch(6, 4, seed=1), source.batch(5, 4, seed=2), first):
        assert not any(torch.equal(*pair) for pair in zip(batch.noisy, other.noisy, strict=True))
    validation = source.fixed(4, seed=1)
    assert not any(torch.equal(*pair) for pair in zip(first.noisy, validation.noisy, strict=True))
    assert equal(source.fixed(2, seed=1), NoisyBatch(*(part[:2] for part in source.fixed(4, seed=1))))


def test_ranks_share_out_the_joint_batch(clean, noise):
    source = NoisyMixtures(clean, noise, segment_samples=SEGMENT)
    joint = source.batch(3, 6, seed=1)
    parts = [source.batch(3, 2, seed=1, rank=rank, world_size=3) for rank in range(3)]
    assert equal(NoisyBatch(*(torch.cat(part) for part in zip(*parts, strict=True))), joint)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_stream_is_the_same_for_any_number_of_workers(clean, noise, num_workers):
    source = NoisyMixtures(clean, noise, segment_samples=SEGMENT)
    stream = WindowStream(source, batch_size=3, batches_per_epoch=4, seed=1, num_workers=num_workers)
    stream.set_start(7)
    for n, batch in enumerate(stream, start=7):
        assert isinstance(batch, NoisyBatch)
        assert equal(batch.to("cpu"), source.batch(n, 3, seed=1))
    assert stream.position == 11


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("segment_samples", 0),
        ("snr_db", (20, -5)),
        ("snr_db", 5),
        ("level_db", (-40, 3)),
        ("babble", -0.1),
        ("second_noise", 1.5),
        ("nearly_clean", None),
        ("speed", (0.1, 1)),
        ("bandwidth_hz", (3000, 9000)),
    ],
)
def test_wrong_options_are_named(clean, noise, key, value):
    with pytest.raises(ValueError, match=f"^{key}: expected .* but got"):
        mixtures(clean, noise, **{key: value})


def test_options_that_do_not_fit_together(clean, noise, small_corpus, cache):
    with pytest.raises(ValueError, match="babble, coloured, tonal, talker: expected a sum of at most 1"):
        mixtures(clean, noise, babble=0.6, coloured=0.6)
    with pytest.raises(ValueError, match="babble, coloured: expected one above 0"):
        mixtures(clean)
    telephone = Recordings(small_corpus, sample_rate=8000, cache_folder=cache)
    for key in ("noise", "rirs"):
        with pytest.raises(ValueError, match=f"^{key}: expected the sampling rate of the clean speech"):
            NoisyMixtures(clean, **{key: telephone})


@pytest.mark.parametrize(
    ("key", "value"), [("n", -1), ("batch_size", 0), ("seed", 2**64), ("world_size", 0), ("rank", 1)]
)
def test_wrong_batches_are_named(clean, noise, key, value):
    with pytest.raises(ValueError, match=f"^{key}: expected"):
        mixtures(clean, noise).batch(**{"n": 0, "batch_size": 2, "seed": 0, key: value})
