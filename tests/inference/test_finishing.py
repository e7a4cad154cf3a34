"""Strength, the band above the model's and linked channels: in batches, files and streams alike."""

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.commands.main import main
from sb_resizegan.inference import StreamingEnhancement
from tests.inference.small import exported_causal, small_generator, small_model

RATES = (8000, 16000, 44100, 48000)


class Gain(torch.nn.Module):
    """A causal "enhancer" that multiplies each utterance by a number; frames as the others have."""

    latent_dim, latent_hop, causal, n_fft, hop = 0, 256, True, 512, 256

    def __init__(self, gains=(1.0,)):
        super().__init__()
        self.gains = torch.nn.Parameter(torch.tensor(gains))
        self.window = torch.hann_window(512).sqrt()

    def latent_frames(self, time):
        return -(-time // 256)

    def sample_latent(self, batch, time, generator=None):
        return None

    def forward(self, noisy, latent=None, level=None):
        return noisy * self.gains.expand(len(noisy))[:, None]

    def stream_states(self, streams=1):
        return {}

    def stream_frame(self, spectrum, latent, *states):
        return spectrum * self.gains.expand(len(spectrum))[:, None, None], []


def noise(time, channels=1, seed=0, level=0.1):
    return level * np.random.default_rng(seed).standard_normal((channels, time)).astype(np.float32)


def by_stream(model, signal, rate, **options):
    """A signal ``(channels, time)`` through a stream."""
    stream = StreamingEnhancement.of_model(model, sample_rate=rate, channels=len(signal), **options)
    parts = [stream.push(part) for part in np.array_split(signal, 13, axis=1)]
    return np.concatenate([*parts, np.atleast_2d(stream.flush())], axis=1)


def by_file(model, signal, rate, folder, **options):
    """A signal ``(channels, time)`` through a file, in chunks."""
    soundfile.write(folder / "noisy.wav", signal.T, rate, subtype="FLOAT")
    model.enhance_to_file(
        folder / "noisy.wav", folder / "out.wav", chunk_seconds=0.7, context_seconds=0.3, **options
    )
    return soundfile.read(folder / "out.wav", dtype="float32", always_2d=True)[0].T


def rms_db(signal, rate, low, high):
    """Level between two frequencies."""
    power = np.square(np.abs(np.fft.rfft(signal * np.hanning(signal.shape[-1]))))
    frequencies = np.fft.rfftfreq(signal.shape[-1], 1 / rate)
    return 10 * np.log10(power[..., (frequencies > low) & (frequencies < high)].sum(-1) + 1e-20)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "options", [{"strength": 0.0}, {"limit_db": 0.0}, {"strength": 0, "upper_band": "none"}]
)
def test_strength_0_gives_the_input_back(rate, options, tmp_path):
    model = small_model(small_generator(causal=True))
    signal = noise(rate * 2, channels=2)
    np.testing.assert_array_equal(by_file(model, signal, rate, tmp_path, **options), signal)
    np.testing.assert_array_equal(by_stream(model, signal, rate, **options), signal)
    if "upper_band" not in options:
        np.testing.assert_array_equal(model.enhance_batch(signal, **options), signal)


def test_strength_is_the_share_of_the_model():
    model = small_model(small_generator(causal=True))
    signal = torch.from_numpy(noise(8000, channels=2))
    whole = model.enhance_batch(signal)
    for strength in (0.25, 1.0):
        expected = strength * whole + (1 - strength) * signal
        torch.testing.assert_close(model.enhance_batch(signal, strength=strength), expected)
        mixed = by_stream(model, signal.numpy(), 16000, strength=strength)
        np.testing.assert_allclose(mixed, expected, atol=1e-5)
    # What a file gives in memory, at the model's rate.


def test_a_file_in_memory_is_mixed_too(tmp_path):
    model = small_model(small_generator(causal=True))
    signal = noise(16000)
    soundfile.write(tmp_path / "noisy.wav", signal[0], 16000, subtype="FLOAT")
    torch.testing.assert_close(
        model.enhance_file(tmp_path / "noisy.wav", strength=0.3),
        model.enhance_batch(signal[0], strength=0.3),
        atol=1e-6,
        rtol=0,
    )


@pytest.mark.parametrize("limit_db", [6.0, 20.0])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_noise_is_lowered_to_the_limit_and_no_further(limit_db, rate, tmp_path):
    """A model that takes everything away, at both rates, in the band above too."""
    model = small_model(Gain([0.0]))
    signal = noise(rate * 2)
    for output in (
        by_file(model, signal, rate, tmp_path, limit_db=limit_db),
        by_stream(model, signal, rate, limit_db=limit_db),
    ):
        for low, high in ((100, 7000), (9000, 23000))[: 1 if rate == 16000 else 2]:
            lowered = rms_db(signal, rate, low, high) - rms_db(output, rate, low, high)
            assert lowered == pytest.approx(limit_db, abs=0.1)


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("gain", [1.0, 0.5, 0.03])
def test_the_upper_band_gets_the_gain_of_the_band_below(rate, gain, tmp_path):
    model = small_model(Gain([gain]))
    signal = noise(rate * 2)
    outputs = [by_file(model, signal, rate, tmp_path), by_stream(model, signal, rate)]
    for output in outputs:
        np.testing.assert_allclose(output, gain * signal, atol=2e-3 * gain)  # all of it, in phase
    none = by_stream(model, signal, rate, upper_band="none")
    assert rms_db(none, rate, 9000, rate / 2) < rms_db(signal, rate, 9000, rate / 2) - 60
    assert rms_db(none, rate, 100, 7000) == pytest.approx(rms_db(gain * signal, rate, 100, 7000), abs=0.1)


def test_the_upper_band_opens_with_a_sound_and_closes_after_it():
    """A model that lets only what comes within 0.5 to 1 s through: the band above follows within a frame."""

    class Gate(Gain):
        """By the frame's number."""

        def stream_states(self, streams=1):
            return {"number": torch.zeros(1)}

        def stream_frame(self, spectrum, latent, number):
            return spectrum * float(0.5 <= number * 0.016 < 1), [number + 1]

    output = by_stream(small_model(Gate()), noise(48000 * 3 // 2), 48000)[0]
    upper = [rms_db(part, 48000, 9000, 23000) for part in np.split(output, 75)]  # of 20 ms
    reference = np.median(upper[30:45])
    assert max(upper[:23] + upper[53:]) < reference - 40
    assert min(upper[28:47]) > reference - 3


def test_silence_below_lets_nothing_out_above_and_no_gain_is_more_than_1():
    model = small_model(Gain([3.0]))
    signal = noise(48000)
    output = by_stream(model, signal, 48000)
    assert rms_db(output, 48000, 9000, 23000) == pytest.approx(rms_db(signal, 48000, 9000, 23000), abs=0.05)
    assert not by_stream(model, np.zeros((1, 48000), np.float32), 48000).any()


def test_linked_channels_keep_levels_and_phases(tmp_path):
    """Two sources left and right: what the model lowers in one channel is lowered in both alike."""
    # A linear filter as a model would change each channel for itself; the gain of both is common and real.
    model = small_model(small_generator(causal=True))
    source = noise(32000)[0]
    signal = np.stack([source, 0.25 * np.roll(source, 3)])
    apart = by_file(model, signal, 16000, tmp_path)
    for linked in (
        by_file(model, signal, 16000, tmp_path, link_channels=True),
        by_stream(model, signal, 16000, link_channels=True),
    ):
        assert linked.shape == signal.shape
        difference = lambda pair: np.abs(pair[1, 100:-100] - 0.25 * np.roll(pair[0], 3)[100:-100]).mean()  # noqa: E731
        level = np.abs(0.25 * apart[0]).mean()
        assert difference(linked) < 0.05 * level < difference(apart)
        assert np.abs(linked - signal).max() > 0.01


def test_linked_channels_cost_a_hop_of_latency_and_one_channel_none():
    model = small_model(Gain())
    signal = noise(5000, channels=2)
    np.testing.assert_allclose(by_stream(model, signal, 16000, link_channels=True), signal, atol=1e-5)
    for channels, latency in ((1, 0.032), (2, 0.048)):
        stream = StreamingEnhancement.of_model(model, channels=channels, link_channels=True)
        assert stream.latency_seconds == latency


def test_the_command_line_has_all_of_it(tmp_path, capsys):
    exported_causal(tmp_path / "model")
    signal = noise(44100, channels=2)
    soundfile.write(tmp_path / "a.wav", signal.T, 44100, subtype="FLOAT")
    words = ["enhance", str(tmp_path / "a.wav"), "--model", str(tmp_path / "model"), "--device", "cpu", "-o"]
    assert main([*words, str(tmp_path / "zero"), "--strength", "0"]) == 0
    np.testing.assert_array_equal(soundfile.read(tmp_path / "zero" / "a.wav", dtype="float32")[0], signal.T)
    assert main([*words, str(tmp_path / "none"), "--upper_band", "none", "--link_channels"]) == 0
    none = soundfile.read(tmp_path / "none" / "a.wav")[0].T
    assert (rms_db(none, 44100, 9000, 22000) < rms_db(signal, 44100, 9000, 22000) - 60).all()
    for wrong in (["--strength", "2"], ["--limit_db", "-3"], ["--upper_band", "all"]):
        with pytest.raises(SystemExit, match="2"):
            main([*words, str(tmp_path / "no"), *wrong])
        assert wrong[0] in capsys.readouterr().err
