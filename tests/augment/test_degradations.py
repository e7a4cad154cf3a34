"""What degradations take away, that the masks say so, and which settings are refused."""

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import welch

from sb_resizegan.augment.codec_passes import pass_g722, pass_mp3, pass_opus
from sb_resizegan.augment.damage import FILTERS, _gain, clip_hard, clip_soft, limit_band, quantise_mu_law
from sb_resizegan.augment.degradations import RANGES, Degradations, NoDegradationError
from sb_resizegan.augment.degraded_speech import DegradedSpeech
from sb_resizegan.augment.late_reverberation import reverberate
from sb_resizegan.augment.lost_information import lost_between
from sb_resizegan.augment.mixture_options import Changes, Noises
from sb_resizegan.augment.packet_loss import lose_packets
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.utils.random import Draws

RATE = 16000
SEEDS = range(5)
# Every degradation at a strength that shows.
STRONG = {
    "packet_loss": (0.2, 0.2),
    "bandwidth_hz": (3000, 3000),
    "hard_clipping_db": (20, 20),
    "soft_clipping_db": (20, 20),
    "opus_kbits": (8, 8),
    "mp3_kbits": (8, 8),
    "g722_kbits": (48, 48),
    "mu_law_bits": (4, 4),
    "late_reverberation_db": (-3, -3),
    "added_noise_db": (-5, -5),
}


@pytest.fixture(scope="module")
def speech(speech_files):
    """Three seconds of a voice, with a peak of 0.5."""
    signal = soundfile.read(speech_files[0], dtype="float32")[0][16000 : 16000 + 3 * RATE]
    return (0.5 * signal / np.abs(signal).max()).astype(np.float32)


@pytest.fixture(scope="module")
def recordings(small_corpus, tmp_path_factory):
    return Recordings(small_corpus, RATE, cache_folder=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.1, 0.4])
def test_packets_are_lost_in_bursts_of_the_length_that_was_asked_for(seed, share):
    ones = np.ones(10 * RATE, dtype=np.float32)
    heard, is_lost = lose_packets(Draws(seed, 0), ones, RATE, (share, share), (40, 120))
    # The last burst may go beyond it, and the ends of the signal cut a packet.
    assert share - 0.002 <= is_lost.mean() < share + 0.012
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_lost, [False]]))).reshape(-1, 2)
    inner = [stop - start for start, stop in edges if start > 0 and stop < len(ones)]
    assert all(length % 320 == 0 and length >= 640 for length in inner)
    assert np.array_equal(heard, (~is_lost).astype(np.float32))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_burst_is_lost_however_small_the_share(seed):
    _, is_lost = lose_packets(Draws(seed, 0), np.ones(RATE, dtype=np.float32), RATE, (0, 0), (20, 20))
    assert is_lost.any()


def test_concealment_repeats_what_came_last_and_fades(speech):
    heard, is_lost = lose_packets(Draws(3, 0), speech, RATE, (0.2, 0.2), (100, 100), concealment=1.0)
    start = int(np.flatnonzero(np.diff(is_lost.astype(int)) == 1)[0]) + 1
    gain = 1 - np.arange(320) / 960
    assert np.allclose(heard[start : start + 320], speech[start - 320 : start] * gain, atol=1e-6)
    assert np.array_equal(heard[~is_lost], speech[~is_lost])
    assert not heard[start + 960 : start + 1600].any()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_the_band_below_and_takes_the_band_above(name):
    for cutoff in (2000, 4000, 6000):
        gain = _gain(name, 6, cutoff, RATE, 801)  # 10 Hz a bin
        assert gain[: cutoff // 20].min() > 0.9 and gain[min(cutoff // 5, 790) :].max() < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mask_of_a_band_limit_is_where_nothing_is_left(seed):
    white = np.random.default_rng(seed).standard_normal(4 * RATE).astype(np.float32)
    heard, lost = limit_band(Draws(seed, 0), white, RATE, (2000, 6000))
    window = ("kaiser", 14)
    power_db = 10 * np.log10(welch(heard, RATE, window, 512)[1] / welch(white, RATE, window, 512)[1])
    assert 0.1 < lost.mean() < 0.9 and (lost == lost[:, :1]).all()
    # Away from the edge, by as much as the window's main lobe.
    near = np.convolve(lost[:, 0], np.ones(9) / 9, mode="same")[4:-4]
    assert power_db[4:-4][near > 0.999].max() < -18
    assert power_db[4:-4][near < 0.001].min() > -22


def test_small_signals_pass_clipping_as_they_are_and_large_ones_do_not(speech):
    limit = np.abs(speech).max() / 10
    for clip in (clip_hard, clip_soft):
        heard, lost = clip(Draws(1, 0), speech, RATE, (20, 20))
        assert np.abs(heard).max() <= limit * (1 + 1e-6)
        small = np.abs(speech) < 0.05 * limit
        assert np.allclose(heard[small], speech[small], rtol=2e-3)
        assert 0.001 < lost.mean() < 0.6
    gentle = clip_hard(Draws(1, 0), speech, RATE, (0, 0))
    assert np.array_equal(gentle[0], speech) and not gentle[1].any()


@pytest.mark.parametrize("bits", [4, 8])
def test_mu_law_has_the_signal_to_noise_ratio_of_its_bits(speech, bits):
    heard, _ = quantise_mu_law(Draws(1, 0), speech, RATE, (bits, bits))
    ratio_db = 10 * np.log10(np.sum(speech**2) / np.sum((heard - speech) ** 2))
    # 6.02 dB a bit less 10 dB for μ = 255 (N. S. Jayant, P. Noll, "Digital coding of waveforms", 1984, 5.6).
    assert ratio_db == pytest.approx(6.02 * bits - 10, abs=3)


@pytest.mark.parametrize("codec", [pass_opus, pass_mp3, pass_g722])
def test_a_codec_loses_more_at_a_lower_rate_and_delays_nothing(speech, codec):
    rates = (48, 64) if codec is pass_g722 else (8, 32)
    passes = [codec(Draws(1, 0), speech, RATE, (rate, rate)) for rate in rates]
    shares = [lost.mean() for _, lost in passes]
    assert shares[0] > shares[1] > 0 and all(heard.shape == speech.shape for heard, _ in passes)
    best = passes[1][0]
    assert all(np.dot(best, speech) > np.dot(np.roll(best, lag), speech) for lag in (-2, -1, 1, 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_late_reverberation_has_the_energy_that_was_asked_for(seed):
    click = np.zeros(3 * RATE, dtype=np.float32)
    click[0] = 1
    recorded = np.random.default_rng(seed).standard_normal(8000) * np.exp(-np.arange(8000) / 2000)
    recorded[0] = 5
    for response in (None, recorded.astype(np.float32)):
        target, heard, _ = reverberate(Draws(seed, 0), click, RATE, (-5, -5), response)
        late = heard - target
        assert np.abs(late[:780]).max() < 1e-4 * np.abs(target).max()
        assert np.abs(target[820:]).max() < 1e-4 * np.abs(target).max()
        assert 10 * np.log10(np.sum(target**2) / np.sum(late**2)) == pytest.approx(-5, abs=0.1)


def test_what_is_covered_is_lost_and_what_is_not_is_not(speech):
    loud = np.abs(speech).max() * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    assert lost_between(speech, speech + 1e-6 * loud).mean() < 0.01
    audible = lost_between(speech, 0 * speech)  # whatever was there to be lost
    assert 0.1 < audible.mean() < 0.9
    assert lost_between(speech, speech + loud)[audible == 1].mean() > 0.9


@pytest.mark.parametrize("name", RANGES)
def test_each_degradation_alone_is_seeded_and_says_what_it_took(recordings, name):
    degradations = Degradations(**{name: STRONG[name]}, intact=0.0)
    source = DegradedSpeech(recordings, degradations=degradations, segment_samples=2 * RATE)
    batch, again = source.batch(3, 3, seed=7), source.batch(3, 3, seed=7)
    assert all(bool((a == b).all()) for a, b in zip(batch, again, strict=True))
    second = source.batch(3, 1, seed=7, rank=2, world_size=3)
    assert bool((second.noisy == batch.noisy[2:]).all())
    assert not bool((source.batch(4, 3, seed=7).noisy == batch.noisy).all())
    assert batch.lost.shape == (3, 257, 126) and 0 <= float(batch.lost.min()) <= float(batch.lost.max()) <= 1
    assert 0.005 < float(batch.lost.mean()) < 0.95
    assert float(batch.noisy.abs().max()) <= 0.991 and float(batch.clean.abs().max()) <= 0.991


def test_recorded_rooms_and_noise_are_used(recordings, tmp_path):
    """A response of two paths, and a tone for noise."""
    response = np.zeros(4000, dtype=np.float32)
    response[[10, 3000]] = 0.9, 0.2
    for folder, signal in (("rooms", response), ("noise", 0.1 * np.sin(np.arange(RATE) * 2 * np.pi / 16))):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "one.wav", signal, RATE)
    cache = tmp_path / "cache"
    noise = Recordings(tmp_path / "noise", RATE, cache_folder=cache)
    options = {"impulse_responses": True, "min_seconds": 0.02, "cache_folder": cache}
    rirs = Recordings(tmp_path / "rooms", RATE, **options)
    names = {"late_reverberation_db": (0, 0), "added_noise_db": (0, 0)}
    recorded = {"noise": noise, "rirs": rirs, "noises": Noises(babble=0, coloured=0, second_noise=0)}
    for name, strength in names.items():
        source = DegradedSpeech(
            recordings, degradations=Degradations(**{name: strength}, intact=0.0), segment_samples=2 * RATE,
            changes=Changes(equaliser=0, speed_change=0), **recorded,
        )  # fmt: skip
        batch = source.batch(0, 2, seed=1)
        error = (batch.noisy - batch.clean).numpy()
        if name == "added_noise_db":
            power = np.square(np.abs(np.fft.rfft(error, axis=1)))
            assert (power[:, 1900:2100].sum(1) > 0.99 * power.sum(1)).all()  # 1 kHz
        else:
            # At 0 dB the late path is as loud as the early one, and comes 2990 samples later.
            assert np.abs(error[:, 2990:] - batch.clean[:, :-2990].numpy()).max() < 2e-3


def test_what_the_mask_leaves_out_is_still_there(recordings):
    """The error of a degraded segment lies in the bins that count as lost."""
    degradations = Degradations(**STRONG, intact=0.0, several=1.0)
    source = DegradedSpeech(recordings, degradations=degradations, segment_samples=2 * RATE)
    batch = source.batch(0, 8, seed=1)
    for noisy, clean, lost in zip(batch.noisy.numpy(), batch.clean.numpy(), batch.lost.numpy(), strict=True):
        found = lost_between(clean, noisy)
        assert lost[found == 1].min() == 1


def test_intact_segments_are_whole(recordings):
    source = DegradedSpeech(
        recordings, degradations=Degradations(packet_loss=(0.3, 0.3), intact=1.0), segment_samples=RATE
    )
    batch = source.batch(0, 4, seed=1)
    assert bool((batch.noisy == batch.clean).all()) and not batch.lost.any()


def test_several_happen_at_once(recordings):
    names = {"packet_loss": (0.2, 0.2), "bandwidth_hz": (3000, 3000)}
    source = DegradedSpeech(
        recordings, degradations=Degradations(**names, intact=0.0, several=1.0), segment_samples=2 * RATE
    )
    batch = source.batch(0, 4, seed=1)
    top, low = batch.lost[:, -20:], batch.lost[:, 2:20]
    # The band above is gone in all frames, the band below in some: those of the packets.
    assert bool((top == 1).all()) and bool(((low == 1).all(1)).any(1).all()) and bool((low == 0).any())


def test_a_training_without_any_degradation_is_refused(recordings):
    with pytest.raises(NoDegradationError, match="expected a range for at least one of packet_loss"):
        Degradations()
    with pytest.raises(NoDegradationError):
        DegradedSpeech(recordings)


@pytest.mark.parametrize("name", RANGES)
def test_ranges_out_of_their_limits_are_refused(name):
    least, most, _ = RANGES[name]
    for wrong in (
        (least - 1, most),
        (least, most + 1),
        (most, least),
        (least,),
        "4000",
        (least, float("nan")),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected two numbers in order"):
            Degradations(**{name: wrong})


def test_ranges_that_the_sampling_rate_does_not_allow_are_refused(recordings):
    with pytest.raises(ValueError, match="bandwidth_hz: expected a range below 8000 Hz"):
        DegradedSpeech(recordings, degradations=Degradations(bandwidth_hz=(2000, 8000)))
    with pytest.raises(ValueError, match="g722_kbits: expected a range with one of"):
        Degradations(g722_kbits=(50, 52))
    with pytest.raises(ValueError, match="concealment: expected a probability"):
        Degradations(packet_loss=(0.1, 0.2), concealment=2)


def test_the_grid_is_that_of_the_generators(speech):
    spectrum = SpectralGenerator(8, 8, 8, blocks=1).spectrum(torch.from_numpy(speech)[None])
    assert lost_between(speech, speech).shape == tuple(spectrum.shape[1:])
