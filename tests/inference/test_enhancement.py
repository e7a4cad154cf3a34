"""Enhancement of batches and files with an untrained generator: what holds whatever the weights are."""

import re
import resource
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.dataio.audio import UnusableAudioError
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, shipped_models
from sb_resizegan.inference.seeded_latents import enhance_stretch
from sb_resizegan.models.waveform_generator import WaveformGenerator
from sb_resizegan.models.window_generator import WindowGenerator
from tests.inference.small import small_generator, small_model


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def speech(speech_files):
    """Ten seconds, the last four of them 30 dB below the others."""
    waveform = soundfile.read(speech_files[0], dtype="float32")[0][:160000]
    waveform[96000:] *= 10 ** (-30 / 20)
    return waveform


def level_db(signal, reference):
    energies = [np.square(np.asarray(x, dtype=np.float64)).mean() for x in (signal, reference)]
    return 10 * np.log10(max(energies[0], 1e-30) / energies[1])


def test_an_utterance_gives_the_same_alone_in_a_batch_and_with_padding(model, speech):
    lengths = [8000, 3001, 8000, 1]
    batch = torch.zeros(4, 8000)
    for row, length in enumerate(lengths):
        batch[row, :length] = torch.from_numpy(speech[2000 * row + 8000 :][:length])
    enhanced = model.enhance_batch(batch, torch.tensor(lengths) / 8000)
    assert enhanced.shape == batch.shape
    for row, length in enumerate(lengths):
        alone = model.enhance_batch(batch[row : row + 1, :length])
        assert level_db(enhanced[row, :length] - alone[0], alone[0]) < -100
        assert not enhanced[row, length:].any()
    # Garbage in the padding changes nothing.
    batch[1, 3001:] = float("nan")
    torch.testing.assert_close(model.enhance_batch(batch, torch.tensor(lengths) / 8000), enhanced)


def test_seeds_and_draws(model, speech):
    noisy = torch.from_numpy(speech[None, :4000])
    draws = model.enhance_batch(noisy, seed=3, num_samples=3)
    assert draws.shape == (3, 1, 4000)
    torch.testing.assert_close(model.enhance_batch(noisy, seed=3), draws[0])
    assert not torch.equal(draws[1], draws[0]) and not torch.equal(draws[2], draws[1])
    assert not torch.equal(model.enhance_batch(noisy, seed=4), draws[0])
    assert not torch.equal(model.enhance_batch(noisy, seed=None), model.enhance_batch(noisy, seed=None))
    before = torch.get_rng_state()
    torch.testing.assert_close(model(noisy), model.enhance_batch(noisy))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_silence_stays_silence(model, speech, value):
    batch = torch.from_numpy(speech[:8000].reshape(2, 4000)).clone()
    batch[0] = value
    enhanced = model.enhance_batch(batch)
    assert not enhanced[0].any() and enhanced[1].any()


@pytest.mark.parametrize(
    ("noisy", "lengths", "message"),
    [
        (torch.zeros(1, 1, 8), None, r"noisy: expected floating-point \(batch, time\), but got \(1, 1, 8\)"),
        (torch.zeros(1, 0), None, r"noisy: expected floating-point .* got \(1, 0\)"),
        (torch.zeros(1, 8, dtype=torch.int16), None, "noisy: .*int16"),
        (torch.zeros(2, 8), torch.ones(3), r"lengths: expected \(2,\) in \(0, 1\]"),
        (torch.zeros(2, 8), torch.tensor([1.0, 0.0]), "lengths: expected"),
        (torch.zeros(2, 8), torch.tensor([8.0, 4.0]), "lengths: expected"),
        (torch.tensor([[0.0, 0.0], [0.0, float("nan")]]), None, "row 1 holds NaN or Inf"),
    ],
)
def test_batches_that_are_none_are_refused(model, noisy, lengths, message):
    with pytest.raises(ValueError, match=message):
        model.enhance_batch(noisy, lengths)


def test_modules_that_do_not_enhance_are_refused():
    with pytest.raises(ModelSourceError, match="WindowGenerator is no generator of enhanced speech"):
        GenerativeEnhancement({"generator": WindowGenerator()}, {"sample_rate": 16000})
    with pytest.raises(ModelSourceError, match="is 'windows'; load it with SpeechWindowGenerator"):
        GenerativeEnhancement({"generator": small_generator()}, {"sample_rate": 16000, "task": "windows"})


def test_a_deterministic_model_has_no_latents(speech):
    model = small_model(small_generator(latent_dim=0))
    noisy = torch.from_numpy(speech[None, :4000])
    torch.testing.assert_close(model.enhance_batch(noisy, seed=0), model.enhance_batch(noisy, seed=1))


# Files


def enhanced_file(model, folder, signal, rate=16000, subtype="FLOAT", **options):
    """Writes a file, enhances it, and reads what came out."""
    soundfile.write(folder / "noisy.wav", signal, rate, subtype)
    result = model.enhance_to_file(folder / "noisy.wav", folder / "out" / "enhanced.wav", **options)
    samples, new_rate = soundfile.read(result, dtype="float32")
    assert (new_rate, samples.shape) == (rate, signal.shape)
    return samples


def waveform_generator():
    torch.manual_seed(0)
    return WaveformGenerator(latent_dim=4, channels=(4, 4, 8, 8), factors=(4, 4, 4, 4), kernel_size=8)


@pytest.mark.parametrize("make", [small_generator, lambda: small_generator(causal=True), waveform_generator])
def test_a_file_in_chunks_equals_one_pass(speech, tmp_path, make):
    """The level changes by 30 dB on the way: chunks have to know the level of the whole."""
    model = small_model(make())
    one_pass = model.enhance_batch(torch.from_numpy(speech[None]), seed=5)[0].numpy()
    chunked = enhanced_file(model, tmp_path, speech, seed=5, chunk_seconds=1.5, context_seconds=1)
    assert level_db(chunked - one_pass, one_pass) < -80
    # Also within the quiet part alone.
    assert level_db((chunked - one_pass)[100000:], one_pass[100000:]) < -60
    cut = enhanced_file(model, tmp_path, speech, seed=5, chunk_seconds=1.5, context_seconds=0)
    assert level_db(cut - one_pass, one_pass) > level_db(chunked - one_pass, one_pass) + 10


def test_the_packages_models_in_chunks_equal_one_pass(speech_files, tmp_path):
    count = 120 * 16000
    speech = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in speech_files])
    speech = np.tile(speech, -(-count // len(speech)))[:count]
    speech += 0.005 * np.random.default_rng(0).standard_normal(count, dtype=np.float32)
    for name in shipped_models():
        if not name.startswith("enhance"):
            continue
        model = GenerativeEnhancement.from_hparams(source=name, run_opts={"device": "cpu"})
        one_pass = model.enhance_batch(torch.from_numpy(speech[None]))[0].numpy()
        # Chunks of half a minute, with the default context: the middle ones know neither end of the file.
        chunked = enhanced_file(model, tmp_path, speech, chunk_seconds=30)
        assert level_db(chunked - one_pass, one_pass) < -60


def test_a_short_file_is_computed_in_one_pass(model, speech, tmp_path):
    one_pass = model.enhance_batch(torch.from_numpy(speech[None, :48000]))[0].numpy()
    assert level_db(enhanced_file(model, tmp_path, speech[:48000]) - one_pass, one_pass) < -100


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_are_converted_and_back(model, speech, tmp_path, rate):
    signal = resample(speech[:32000], 16000, rate)
    expected = model.enhance_batch(torch.from_numpy(resample(signal, rate, 16000)[None]))[0].numpy()
    expected = resample(expected, 16000, rate)[: len(signal)]
    result = enhanced_file(model, tmp_path, signal, rate, upper_band="none")
    assert level_db(result - expected, expected) < -80


def test_without_the_upper_band_nothing_is_left_above_the_models(model, tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(88200).astype(np.float32)
    spectrum = np.square(
        np.abs(
            np.fft.rfft(enhanced_file(model, tmp_path, noise, 44100, upper_band="none") * np.hanning(88200))
        )
    )
    hertz = np.fft.rfftfreq(88200, 1 / 44100)
    above, below = spectrum[hertz > 8600].mean(), spectrum[hertz < 7500].mean()
    assert 10 * np.log10(above / below) < -80


def test_each_channel_is_enhanced_for_itself(model, speech, tmp_path):
    channels = [speech[:40000], 0.01 * speech[20000:60000], np.zeros(40000, dtype=np.float32), speech[:40000]]
    options = {"chunk_seconds": 1, "context_seconds": 0.5}
    joint = enhanced_file(model, tmp_path, np.stack(channels, axis=1), **options)
    for channel, alone in zip(joint.T, channels, strict=True):
        np.testing.assert_allclose(
            channel, enhanced_file(model, tmp_path, alone, **options), rtol=0, atol=1e-6
        )
    assert not joint[:, 2].any()


def test_the_memory_does_not_grow_with_the_channels(model, speech, tmp_path, monkeypatch):
    """What is enhanced at a time has not ten times as many samples where there are ten times the channels."""
    parts = []

    def spied(generator, row, *arguments):
        parts.append(row.shape[1])
        return enhance_stretch(generator, row, *arguments)

    monkeypatch.setattr("sb_resizegan.inference.file_enhancement.enhance_stretch", spied)
    options = {"chunk_seconds": 2.0, "context_seconds": 0.1}
    longest = {}
    for channels in (10, 100):
        parts.clear()
        noisy = np.stack([np.roll(speech[:48000], 99 * number) for number in range(channels)], axis=1)
        enhanced = enhanced_file(model, tmp_path, noisy, **options)
        assert enhanced.shape == noisy.shape and (np.abs(enhanced).max(axis=0) > 0).all()
        longest[channels] = max(parts) * channels
    assert longest[100] < 3 * longest[10]


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("length", [1, 2, 1000])
def test_the_shortest_files(model, tmp_path, rate, length):
    assert enhanced_file(model, tmp_path, np.full(length, 0.5, dtype=np.float32), rate).any()


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_silent_file_stays_silent(model, tmp_path, rate):
    assert not enhanced_file(model, tmp_path, np.zeros(rate, dtype=np.float32), rate).any()


def test_nothing_clips(model, speech, tmp_path, caplog):
    loud = speech[:32000] / np.abs(speech[:32000]).max()
    expected = enhanced_file(model, tmp_path, loud)
    # Three times full scale in numbers with a floating point, out as integers.
    soundfile.write(tmp_path / "loud.wav", loud * 3 / np.abs(expected).max(), 16000, "FLOAT")
    model.enhance_to_file(tmp_path / "loud.wav", tmp_path / "loud.flac")
    assert re.search(r"loud.flac: reduced by 9.5 dB", caplog.text)
    samples = soundfile.read(tmp_path / "loud.flac", dtype="float32")[0]
    np.testing.assert_allclose(samples, expected / np.abs(expected).max(), rtol=0, atol=1e-4)


def test_several_latents_become_several_files(model, speech, tmp_path):
    noisy = speech[:16000]
    soundfile.write(tmp_path / "a.wav", noisy, 16000, "FLOAT")
    paths = model.enhance_to_file(tmp_path / "a.wav", tmp_path / "b.wav", seed=2, num_samples=2)
    assert [path.name for path in paths] == ["b_1.wav", "b_2.wav"]
    draws = model.enhance_batch(torch.from_numpy(noisy[None]), seed=2, num_samples=2)[:, 0]
    read = np.stack([soundfile.read(path, dtype="float32")[0] for path in paths])
    np.testing.assert_allclose(read, draws.numpy(), rtol=0, atol=1e-6)


def test_progress_adds_up_to_the_length(model, tmp_path):
    done = []
    noise = np.random.default_rng(0).standard_normal(50001)
    options = {"chunk_seconds": 0.5, "context_seconds": 0.1, "num_samples": 2, "progress": done.append}
    soundfile.write(tmp_path / "a.wav", 0.1 * noise, 11025)
    model.enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", **options)
    assert len(done) > 10 and sum(done) == pytest.approx(50001 / 11025)


def truncate(path):
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(40000), 16000, format="FLAC")
    path.write_bytes(path.read_bytes()[:-1000])


def claim_a_rate(path):
    header = bytearray(path.read_bytes())
    header[24:28] = (2**30).to_bytes(4, "little")
    path.write_bytes(header)


def poison(value):
    def write(path):
        samples = np.zeros(400000, dtype=np.float32)
        samples[399999] = value
        soundfile.write(path, samples, 16000, "FLOAT")

    return write


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "empty: 0 bytes"),
        (lambda path: soundfile.write(path, np.zeros(0), 16000), "empty: 0 samples"),
        (lambda path: path.write_bytes(b"RIFF and nothing else"), "corrupt"),
        (truncate, "corrupt"),
        (claim_a_rate, "corrupt: the header contradicts itself: .* at 1073741824 Hz"),
        (poison(np.nan), "not finite"),
        (poison(-np.inf), "not finite"),
        (lambda path: path.unlink(), "unreadable: No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "unreadable: not a regular file"),
    ],
)
def test_a_file_that_is_none_is_named_and_nothing_written(model, tmp_path, damage, message):
    path = tmp_path / "noisy.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(4000), 16000)
    damage(path)
    with pytest.raises(UnusableAudioError, match=f"noisy.wav: {message}"):
        model.enhance_file(path, tmp_path / "out" / "enhanced.wav")
    assert not (tmp_path / "out").exists()


def test_a_model_that_gives_nan_is_named_and_nothing_written(speech, tmp_path):
    model = small_model()
    model.mods.generator.decoder[-1].bias.data[0] = float("nan")
    soundfile.write(tmp_path / "noisy.wav", speech[:4000], 16000)
    with pytest.raises(ValueError, match=r"noisy.wav: the model gave NaN or Inf"):
        model.enhance_file(tmp_path / "noisy.wav", tmp_path / "enhanced.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["noisy.wav"]


def test_the_input_is_never_touched(model, speech, tmp_path):
    path, link = tmp_path / "noisy_1.wav", tmp_path / "link.wav"
    soundfile.write(path, speech[:4000], 16000)
    link.symlink_to(path)
    before = path.read_bytes()
    for output, count in ((path, None), (link, None), (tmp_path / "noisy.wav", 2)):
        with pytest.raises(ValueError, match="expected an output other than the input"):
            model.enhance_file(path, output, num_samples=count)
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == [
        "link.wav",
        path.name,
    ]


def test_a_full_disk_leaves_what_was_there(model, speech, tmp_path):
    soundfile.write(tmp_path / "noisy.wav", speech, 16000)
    (tmp_path / "enhanced.wav").write_bytes(b"earlier")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            model.enhance_file(tmp_path / "noisy.wav", tmp_path / "enhanced.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "enhanced.wav").read_bytes() == b"earlier" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "options",
    [{"chunk_seconds": 0}, {"chunk_seconds": float("nan")}, {"context_seconds": -1}, {"num_samples": 0}],
)
def test_options_out_of_range_are_refused(model, speech, tmp_path, options):
    soundfile.write(tmp_path / "noisy.wav", speech[:4000], 16000)
    with pytest.raises(ValueError, match=f"{next(iter(options))}.*but got"):
        model.enhance_file(tmp_path / "noisy.wav", tmp_path / "enhanced.wav", **options)


# What a user of SpeechBrain's interfaces expects


def test_one_utterance_and_arrays_are_taken(model, speech):
    batch = model.enhance_batch(torch.from_numpy(speech[None, :4000]))
    for noisy in (speech[:4000], speech[:4000].astype(np.float64), torch.from_numpy(speech[:4000])):
        torch.testing.assert_close(model.enhance_batch(noisy), batch[0])
    torch.testing.assert_close(model(speech[None, :4000], np.array([1.0])), batch)
    assert model.enhance_batch(speech[:4000], num_samples=2).shape == (2, 4000)
    with pytest.raises(ValueError, match="row 0 holds NaN or Inf"):
        model.enhance_batch(np.array([0.0, np.nan]))


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (16000, 2), (44100, 1), (8000, 3)])
def test_enhance_file_returns_the_waveform(model, speech, tmp_path, rate, channels):
    """At the model's rate, with or without a file; the file is what it would be without the waveform."""
    signal = np.stack([resample(speech[:32000], 16000, rate) * (1 + c) / 3 for c in range(channels)], axis=1)
    soundfile.write(tmp_path / "noisy.wav", signal, rate, "FLOAT")
    options = {"chunk_seconds": 0.7, "context_seconds": 0.5}
    waveform = model.enhance_file(tmp_path / "noisy.wav", **options)
    length = len(resample(signal[:, 0], rate, 16000))
    assert waveform.shape == ((length,) if channels == 1 else (channels, length))
    assert [p.name for p in tmp_path.iterdir()] == ["noisy.wav"]
    again = model.enhance_file(str(tmp_path / "noisy.wav"), str(tmp_path / "enhanced.wav"), **options)
    assert torch.equal(again, waveform)
    model.enhance_to_file(tmp_path / "noisy.wav", tmp_path / "alone.wav", **options)
    # Samples: the header of a file of floats says in which second it was written.
    alone, beside = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("alone", "enhanced"))
    assert np.array_equal(alone, beside)
    written = np.atleast_2d(soundfile.read(tmp_path / "enhanced.wav", dtype="float32")[0].T)
    for row, own in zip(written, np.atleast_2d(waveform.numpy()), strict=True):
        expected = resample(own, 16000, rate)[: len(row)]
        assert level_db(row - expected, expected) < -60


def test_several_latents_are_several_waveforms(model, speech, tmp_path):
    soundfile.write(tmp_path / "noisy.wav", speech[:4000], 16000, "FLOAT")
    waveforms = model.enhance_file(tmp_path / "noisy.wav", seed=3, num_samples=2)
    expected = model.enhance_batch(speech[:4000], seed=3, num_samples=2)
    torch.testing.assert_close(waveforms, expected.cpu(), rtol=0, atol=1e-6)


def test_the_names_are_imported_when_they_are_used():
    """Asking which models there are does not wait for PyTorch and SpeechBrain."""
    script = (
        "import sys, sb_resizegan.inference as i; i.shipped_models(); "
        "assert not {'torch', 'speechbrain', 'huggingface_hub'} & set(sys.modules); "
        "assert set(i.__all__) <= set(dir(i)); i.GenerativeEnhancement; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
