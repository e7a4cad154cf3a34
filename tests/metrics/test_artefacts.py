"""Planted artefacts of known level, and the stacks of layers whose artefacts are known."""

import math

import pytest
import torch

from sb_resizegan.metrics.spectra import blackman_harris, mean_power_spectrum
from sb_resizegan.metrics.spectral_balance import out_of_band_energy, spectral_distance
from sb_resizegan.metrics.stride_tones import (
    stride_tone_frequencies,
    stride_tone_prominence,
    worst_prominence,
)
from sb_resizegan.models.window_generator import WindowGenerator

RATE = 16000


def noise(batch, time=2048, seed=0):
    return torch.randn(batch, time, generator=torch.Generator().manual_seed(seed))


def tone(frequency, time=2048, amplitude=1.0, phase=0.3):
    return amplitude * torch.cos(
        2 * math.pi * frequency / RATE * torch.arange(time, dtype=torch.float64) + phase
    )


def speech_like(batch, time=2048, seed=0):
    """Noise whose spectrum falls by 12 dB per octave from 500 Hz: the tones stand on a slope."""
    spectrum = torch.fft.rfft(noise(batch, 2 * time, seed).double())
    frequency = torch.fft.rfftfreq(2 * time, 1 / RATE)
    return torch.fft.irfft(spectrum / (1 + (frequency / 500) ** 2))[:, :time]


def planted_level(amplitude, frequency, waveforms, n_fft):
    """Prominence in dB that theory gives a tone: one plus its power over the spectrum around it."""
    window = blackman_harris(n_fft)
    # Below half the sampling rate, a tone has one half of its amplitude at each of two frequencies.
    share = 1.0 if frequency == RATE / 2 else 0.25
    power = share * amplitude**2 * window.sum() ** 2 / window.square().sum()
    spectrum = mean_power_spectrum(waveforms, n_fft)
    index = round(frequency * n_fft / RATE)
    around = spectrum[max(0, index - 12) : index + 13].median()
    return float(10 * torch.log10(1 + power / around))


def untrained_windows(upsampling, seed, batch, **shape):
    """Windows of a freshly initialised generator."""
    torch.manual_seed(seed)
    generator = WindowGenerator(upsampling=upsampling, **shape)
    with torch.no_grad():
        return generator(generator.sample_latent(batch))


def test_tones_of_the_stages():
    tones = stride_tone_frequencies(RATE, [4, 4, 4, 4])
    assert [t.frequency for t in tones] == [250.0 * k for k in range(1, 33)]
    assert [t.frequency for t in tones if t.stage == 4] == [4000, 8000]
    assert [t.frequency for t in tones if t.stage == 3] == [1000, 2000, 3000, 5000, 6000, 7000]
    # Longer spectra resolve the first stage too, shorter ones fewer stages.
    assert stride_tone_frequencies(RATE, [4, 4, 4, 4], 8192)[0] == (62.5, 1)
    assert {t.stage for t in stride_tone_frequencies(RATE, [4, 4, 4, 4], 512)} == {3, 4}
    # A stage that upsamples by two has its one tone at half the sampling rate.
    assert stride_tone_frequencies(RATE, [2]) == [(8000.0, 1)]
    # Odd factors: no tone above half the sampling rate, and a stage of factor one has none of its own.
    assert [t.frequency for t in stride_tone_frequencies(24000, [5])] == [4800, 9600]
    assert {t.stage for t in stride_tone_frequencies(RATE, [4, 1, 4])} == {1, 3}


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3750.0, 4000.0, 8000.0])
@pytest.mark.parametrize("over_floor_db", [10, 30, 60])
def test_planted_tone_is_measured_within_half_a_db(frequency, over_floor_db):
    clean = speech_like(1024)
    at_one = planted_level(1.0, frequency, clean, 2048)
    amplitude = 10 ** ((over_floor_db - at_one) / 20)
    phase = 0.0 if frequency == RATE / 2 else 0.3
    dirty = clean + tone(frequency, amplitude=amplitude, phase=phase)
    expected = planted_level(amplitude, frequency, clean, 2048)
    measured = {t.frequency: v for t, v in stride_tone_prominence(dirty, [4, 4, 4, 4]).items()}
    assert measured[frequency] == pytest.approx(expected, abs=0.5)
    others = [value for f, value in measured.items() if f != frequency]
    assert max(others) < 1.5


def test_factors_that_do_not_divide_the_window_lose_nothing():
    clean, amplitude = noise(1024).double(), 0.1
    dirty = clean + tone(RATE / 5, amplitude=amplitude)
    measured = stride_tone_prominence(dirty, [3, 5])
    level = {t.frequency: v for t, v in measured.items()}[RATE / 5]
    assert level == pytest.approx(planted_level(amplitude, RATE / 5, clean[:, :2040], 2040), abs=0.5)


def test_strong_low_frequencies_do_not_hide_a_weak_tone():
    speech = 3e-5 * noise(256).double() + tone(203.7, phase=1.0) + 0.2
    planted = speech + tone(4000, amplitude=3e-4)
    prominence = {t.frequency: v for t, v in stride_tone_prominence(planted, [4, 4]).items()}
    assert prominence[4000.0] == pytest.approx(10 * math.log10(1 + 0.25 * 100 * 2048 / 2.0044), abs=0.5)
    assert prominence[2000.0] < 1.5


def test_gain_and_order_do_not_matter():
    dirty = speech_like(64) + tone(1000, amplitude=1e-3)
    one = stride_tone_prominence(dirty, [4, 4])
    other = stride_tone_prominence(0.03 * dirty.flip(0), [4, 4])
    assert list(one.values()) == pytest.approx(list(other.values()), abs=1e-6)


def test_long_files_agree_with_windows():
    dirty = noise(256).double() + tone(4000, amplitude=0.05)
    windows = stride_tone_prominence(dirty, [4])
    file = stride_tone_prominence(dirty.reshape(4, -1), [4])
    assert worst_prominence(file) == pytest.approx(worst_prominence(windows), abs=0.5)


def test_noise_has_the_documented_bias():
    prominence = stride_tone_prominence(noise(1024), [4, 4, 4])
    assert -0.1 < sum(prominence.values()) / len(prominence) < 0.3
    assert worst_prominence(prominence) < 1.0


def test_real_speech_has_no_stride_tones(real_windows):
    assert worst_prominence(stride_tone_prominence(real_windows, [4, 4, 4, 4])) < 3


@pytest.mark.parametrize("seed", range(5))
def test_untrained_generators(seed):
    transposed = stride_tone_prominence(untrained_windows("transpose", seed, 256), [4, 4, 4, 4])
    assert worst_prominence(transposed, stage=4) > 30
    for mode in ("nearest", "linear", "sinc", "subpixel"):
        resized = stride_tone_prominence(untrained_windows(mode, seed, 256), [4, 4, 4, 4])
        assert worst_prominence(resized) < 3, mode


def test_untrained_wavegans():
    """WaveGAN's shape, whose windows of one second resolve 1 Hz: mean of five seeds."""
    shape = {
        "latent_dim": 100,
        "window_samples": 16384,
        "channels": (256, 128, 64, 32, 16),
        "factors": (4,) * 5,
    }
    mean = {}
    for mode in ("transpose", "nearest"):
        mean[mode] = dict.fromkeys((1000.0, 2000.0, 4000.0, 6000.0), 0.0)
        for seed in range(5):
            windows = untrained_windows(mode, seed, 16, **shape)
            for at, value in stride_tone_prominence(windows, shape["factors"], n_fft=16384).items():
                if at.frequency in mean[mode]:
                    mean[mode][at.frequency] += value / 5
    assert min(mean["transpose"].values()) > 30
    assert mean["transpose"][4000.0] > 50
    assert max(mean["nearest"].values()) < 3


def test_out_of_band_energy_of_planted_noise_and_tones():
    """Both at known levels relative to what lies in the band."""
    spectrum = torch.fft.rfft(noise(2, 64 * 2048).double())
    frequency = torch.fft.rfftfreq(64 * 2048, 1 / RATE)
    low, high = torch.fft.irfft(
        torch.stack([spectrum[0] * (frequency < 1500), spectrum[1] * (frequency > 2200)])
    )
    low, high = (x.reshape(64, 2048) / x.std() for x in (low, high))
    for level in (-10, -30, -60):
        gain = 10 ** (level / 20)
        expected = 10 * math.log10(gain**2 / (1 + gain**2))
        assert out_of_band_energy(low + gain * high, 1800) == pytest.approx(expected, abs=0.2)
        planted = low + gain * math.sqrt(2) * tone(5000)
        assert out_of_band_energy(planted, 1800) == pytest.approx(expected, abs=0.2)
    assert out_of_band_energy(low, 1800) < -85


def test_out_of_band_energy_of_each_waveform():
    gains = torch.tensor([[0.1], [1.0], [0.0]])
    waveforms = tone(500) + gains * tone(5000)
    each = out_of_band_energy(waveforms, 1800, reduce=False)
    assert each[:2].tolist() == pytest.approx([10 * math.log10(0.01 / 1.01), 10 * math.log10(0.5)], abs=1e-3)
    assert each[2] < -90
    silent = out_of_band_energy(torch.zeros(2, 2048), 1800, reduce=False)
    assert torch.isnan(silent).all()


def test_spectral_distance_is_the_gain_in_db_and_zero_for_itself():
    x = speech_like(128)
    assert spectral_distance(x, x) == 0
    assert spectral_distance(2 * x, x) == pytest.approx(20 * math.log10(2), abs=1e-6)
    assert spectral_distance(x / 2, x) == pytest.approx(20 * math.log10(2), abs=0.01)
    assert spectral_distance(speech_like(512, seed=1), speech_like(512, seed=2)) < 0.3
    half_band = x + 0.1 * noise(128, seed=3).double()
    in_band = spectral_distance(half_band, x, band_hz=(50, 500))
    assert in_band < spectral_distance(half_band, x, band_hz=(3000, 8000))


def test_spectral_distance_ignores_what_nobody_hears():
    x = tone(500) + 1e-6 * noise(32).double()
    assert spectral_distance(tone(500) + 1e-5 * noise(32, seed=1).double(), x) < 0.1


def test_silence_is_not_a_number():
    silent = torch.zeros(4, 2048)
    assert math.isnan(worst_prominence(stride_tone_prominence(silent, [4])))
    assert math.isnan(out_of_band_energy(silent, 1800))
    assert math.isnan(spectral_distance(noise(4), silent))


@pytest.mark.parametrize(
    "waveforms, message",
    [
        (torch.zeros(2048), r"expected a tensor of shape \(batch, time\), but got \(2048,\)"),
        (torch.zeros(0, 2048), "at least one waveform"),
        (torch.zeros(3, 40), "of at least 64 samples"),
        (torch.full((3, 2048), math.nan), "3 of 3 waveforms hold NaN or Inf"),
        (torch.zeros(3, 2048, dtype=torch.int16), "floating-point samples, but got torch.int16"),
        ([1.0, 2.0], "but got list"),
    ],
)
def test_bad_waveforms(waveforms, message):
    with pytest.raises(ValueError, match=message):
        stride_tone_prominence(waveforms, [4])
    with pytest.raises(ValueError, match=message):
        out_of_band_energy(waveforms, 1800)


def test_bad_arguments():
    x = noise(2)
    for factors in ([], [0], [4, -1], [2.5]):
        with pytest.raises(ValueError, match="upsampling factors of at least 1"):
            stride_tone_prominence(x, factors)
    with pytest.raises(ValueError, match=r"no tone of .* can be resolved in 2048 samples"):
        stride_tone_prominence(x, [128])
    for cutoff in (0, 8000, -5):
        with pytest.raises(ValueError, match="between 0 and 8000 Hz"):
            out_of_band_energy(x, cutoff)
    with pytest.raises(ValueError, match="band_hz: no bin"):
        spectral_distance(x, x, band_hz=(5010, 5020))
