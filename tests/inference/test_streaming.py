"""A stream gives what one pass gives, however it is cut, with the delay that it states."""

import tracemalloc

import numpy as np
import pytest
import torch

from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.streaming_resampler import StreamingResampler
from sb_resizegan.inference import ModelSourceError, StreamingEnhancement
from sb_resizegan.inference.stream_steps import TorchStep
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.spectral_generator import SpectralGenerator
from tests.inference.small import exported_causal, small_generator, small_model

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)


@pytest.fixture(scope="module")
def model():
    return small_model(small_generator(causal=True))


def noise(time, channels=1, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, time)).astype(np.float32)


def streamed(stream, signal, cuts):
    """All of a signal ``(channels, time)``, cut at random into so many pieces, of no samples too."""
    places = np.sort(np.random.default_rng(cuts).integers(0, signal.shape[1] + 1, cuts))
    parts = [stream.push(part) for part in np.split(signal, places, axis=1)]
    return np.concatenate([*parts, np.atleast_2d(stream.flush())], axis=1)


@pytest.mark.parametrize("time", [1, 255, 256, 257, 512, 5000, 16000])
@pytest.mark.parametrize("cuts", [0, 3, 100])
def test_any_cut_gives_one_pass(model, time, cuts):
    signal = noise(time, channels=2)
    whole = model.enhance_batch(signal).numpy()
    assert np.abs(whole - signal).max() > 0.001
    output = streamed(StreamingEnhancement.of_model(model, channels=2), signal, cuts)
    assert output.shape == signal.shape
    np.testing.assert_allclose(output, whole, atol=1e-5)


def test_the_latents_go_on_after_many_hops_and_begin_again_after_a_reset():
    # More hops than latents are drawn at a time; a short window makes that short.
    torch.manual_seed(0)
    generator = SpectralGenerator(4, 4, 4, blocks=1, factors=(4,), n_fft=32, causal=True)
    model = small_model(generator)
    signal = noise(1100 * 16)
    stream = StreamingEnhancement.of_model(model, seed=3)
    whole = model.enhance_batch(signal, seed=3).numpy()
    first = streamed(stream, signal, 5)
    np.testing.assert_allclose(first, whole, atol=1e-5)
    stream.reset()
    np.testing.assert_array_equal(streamed(stream, signal, 5), first)


@pytest.mark.parametrize("rate", RATES)
def test_the_resampler_of_streams_is_the_one_of_files(rate):
    for one, other in ((rate, 16000), (16000, rate)):
        signal = noise(one // 4 + 7)
        resampler = StreamingResampler(one, other, 1)
        pieces = [resampler.push(part.T) for part in np.array_split(signal, 37, axis=1)]
        heard = sum(map(len, pieces))
        assert heard == resampler.ready(signal.shape[1])
        if one != other:
            assert (
                resampler.ready(resampler.needed(heard) - 1)
                < heard
                <= resampler.ready(resampler.needed(heard))
            )
        whole = np.concatenate([*pieces, resampler.flush()])[:, 0]
        np.testing.assert_allclose(whole, resample(signal[0], one, other), atol=1e-5)


def test_an_odd_rate_is_resampled_as_in_files():
    signal = noise(30011)
    resampler = StreamingResampler(44101, 16000, 1)
    whole = np.concatenate([*map(resampler.push, np.array_split(signal.T, 9)), resampler.flush()])
    np.testing.assert_allclose(whole[:, 0], resample(signal[0], 44101, 16000), atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("options", [{}, {"link_channels": True, "channels": 2}])
def test_the_output_is_never_further_behind_than_stated(model, rate, options):
    stream = StreamingEnhancement.of_model(model, sample_rate=rate, **options)
    signal = noise(rate // 4, stream.channels)
    heard = given = behind = 0
    cuts = np.sort(np.random.default_rng(1).integers(0, signal.shape[1], 200))
    for part in np.split(signal, cuts, axis=1):
        heard += part.shape[1]
        given += np.atleast_2d(stream.push(part)).shape[1]
        behind = max(behind, heard - given)
    assert given > signal.shape[1] / 2
    assert 0.7 * stream.latency_samples < behind <= stream.latency_samples
    assert heard == given + np.atleast_2d(stream.flush()).shape[1]


@pytest.mark.parametrize("window", [512, 256])
def test_a_click_leaves_one_window_after_it_came(window):
    """An untrained model lets sound through. Sample by sample, the click comes out after the stated delay."""
    torch.manual_seed(0)
    generator = SpectralGenerator(8, 8, 8, blocks=1, latent_dim=0, n_fft=window, causal=True)
    stream = StreamingEnhancement.of_model(small_model(generator))
    assert stream.latency_seconds == window / 16000  # 32 and 16 ms
    delays = []
    for place in range(1024, 1024 + window // 2, 15):
        stream.reset()
        signal = np.zeros(4096, dtype=np.float32)
        signal[place] = 0.5
        output, came = [], []
        for number in range(len(signal)):
            part = stream.push(signal[number : number + 1])
            output += part.tolist()
            came += [number] * len(part)
        assert np.argmax(np.abs(output)) == place  # the samples themselves are not shifted
        delays.append(came[place] - place + 1)  # the click's own sample counts
    assert max(delays) == window and min(delays) > window // 2


@pytest.mark.parametrize("options", [{}, {"sample_rate": 48000, "strength": 0.5, "link_channels": True}])
def test_memory_does_not_grow(options):
    generator = FollowingGenerator(
        channels=4, time_units=4, band_units=4, blocks=1, factors=(16, 4), kernel_size=16, causal=True
    )
    stream = StreamingEnhancement.of_model(small_model(generator), channels=2, **options)
    signal = noise(4800, channels=2)
    tracemalloc.start()
    sizes = []
    for _ in range(3):
        for _ in range(40):
            stream.push(signal)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # 40 pushes are 1.5 MB; what is held may differ by where a hop was cut.
    assert sizes[2] - sizes[1] < 100_000


def test_what_is_pushed_comes_back_in_kind(model):
    stream = StreamingEnhancement.of_model(model)
    tensor = stream.push(torch.zeros(600, dtype=torch.float64))
    assert isinstance(tensor, torch.Tensor) and tensor.shape == (256,) and tensor.dtype == torch.float32
    assert stream.push(np.zeros((1, 256))).shape == (1, 256)
    assert stream.push(np.zeros(0)).shape == (0,)


def test_bad_input_is_named_and_the_stream_goes_on(model, caplog):
    stream, untouched = (StreamingEnhancement.of_model(model) for _ in range(2))
    for wrong, words in (
        (np.zeros((2, 5)), r"\(1, time\) or \(time,\), but got \(2, 5\)"),
        (np.zeros(5, dtype=np.int16), "floating-point samples, but got int16"),
        (np.zeros((1, 1, 5)), r"got \(1, 1, 5\)"),
    ):
        with pytest.raises(ValueError, match=words):
            stream.push(wrong)
    signal = noise(4096)[0]
    broken = signal.copy()
    broken[[5, 600, 601]], signal[[5, 600, 601]] = [np.nan, np.inf, 1e30], 0
    np.testing.assert_array_equal(stream.push(broken), untouched.push(signal))
    assert stream.not_finite == 3 and caplog.text.count("heard as silence") == 1
    stream.flush()
    with pytest.raises(RuntimeError, match="call reset"):
        stream.push(signal)
    assert stream.flush().shape == (0,)
    stream.reset()
    assert stream.push(signal).shape == (4096 - 256,)


def test_a_stream_without_samples_ends_empty(model):
    for options in ({}, {"sample_rate": 48000}, {"channels": 2, "link_channels": True}):
        assert StreamingEnhancement.of_model(model, **options).flush().size == 0


@pytest.mark.parametrize(
    "options",
    [{"sample_rate": 10}, {"channels": 0}, {"strength": 1.5}, {"limit_db": -1.0}, {"upper_band": "all"}],
)
def test_wrong_options_are_named(model, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        StreamingEnhancement.of_model(model, **options)


def test_a_model_that_looks_ahead_is_refused():
    with pytest.raises(ModelSourceError, match=r"cannot run on a stream.*causal=False"):
        TorchStep(small_generator(), 16000)
    with pytest.raises(ModelSourceError, match="cannot run on a stream"):
        StreamingEnhancement.from_hparams("enhance-base")


def test_an_exported_causal_model_is_loaded(tmp_path):
    generator = exported_causal(tmp_path / "causal")
    stream = StreamingEnhancement.from_hparams(tmp_path / "causal")
    signal = noise(4000)
    np.testing.assert_allclose(
        streamed(stream, signal, 4), small_model(generator).enhance_batch(signal).numpy(), atol=1e-5
    )
