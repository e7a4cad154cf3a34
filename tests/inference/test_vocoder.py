"""A vocoder in SpeechBrain's place: after its models, in any batch, and with what is wrong said."""

import math

import numpy as np
import pytest
import ruamel.yaml
import soundfile
import torch
from speechbrain.inference.interfaces import foreign_class
from speechbrain.lobes.models.FastSpeech2 import FastSpeech2
from speechbrain.lobes.models.Tacotron2 import Tacotron2

from sb_resizegan.dataio.mel_files import write_mel
from sb_resizegan.inference import ModelSourceError, SpeechWindowGenerator, Vocoder
from sb_resizegan.inference.mel_checks import check_mel
from sb_resizegan.models.vocoder_generator import VocoderGenerator
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.training.exported_model import write_model

SIZES = {"channels": [8, 8], "factors": [4], "latent_dim": 4}


@pytest.fixture(scope="module")
def vocoder():
    torch.manual_seed(0)
    return Vocoder(
        {"generator": VocoderGenerator(**SIZES)}, {"sample_rate": 16000}, run_opts={"device": "cpu"}
    )


@pytest.fixture(scope="module")
def speech(speech_files):
    """Mel spectra of real speech: (files, 80, 188)."""
    waves = [soundfile.read(path, dtype="float32")[0][8000:56000] for path in speech_files[:8]]
    return MelAnalysis()(torch.from_numpy(np.stack(waves)))


def check_decoded(vocoder, mel, lengths):
    """What SpeechBrain's HIFIGAN would be called with, and its shape."""
    waveforms = vocoder.decode_batch(mel, lengths, 256)
    assert waveforms.shape == (len(mel), 1, 256 * mel.shape[2])
    assert waveforms.isfinite().all()
    for waveform, spectrum, count in zip(waveforms, mel, lengths.tolist(), strict=True):
        alone = vocoder.decode_spectrogram(spectrum[:, : int(count)])
        torch.testing.assert_close(waveform[:, : alone.shape[1]], alone, rtol=0, atol=1e-5)
        assert waveform[:, alone.shape[1] :].abs().sum() == 0
    return waveforms


def test_it_follows_speechbrains_tacotron2(vocoder):
    torch.manual_seed(1)
    small = {"symbols_embedding_dim": 16, "encoder_embedding_dim": 16, "attention_rnn_dim": 16}
    small |= {"attention_dim": 8, "decoder_rnn_dim": 16, "prenet_dim": 8, "postnet_embedding_dim": 16}
    model = Tacotron2(**small, max_decoder_steps=12, gate_threshold=1.0, n_symbols=20).eval()
    with torch.no_grad():
        mel, lengths, _ = model.infer(torch.randint(0, 20, (2, 9)), torch.tensor([9, 6]))
    check_decoded(vocoder, mel, lengths)


def test_it_follows_speechbrains_fastspeech2(vocoder):
    torch.manual_seed(1)
    sizes = {
        f"{part}_{key}": 16 for part in ("enc", "dec") for key in ("d_model", "ffn_dim", "k_dim", "v_dim")
    }
    sizes |= {f"{part}_{key}": 1 for part in ("enc", "dec") for key in ("num_layers", "num_head")}
    sizes |= {
        "enc_dropout": 0.0,
        "dec_dropout": 0.0,
        "postnet_dropout": 0.0,
        "variance_predictor_dropout": 0.0,
    }
    sizes |= {f"{name}_pred_kernel_size": 3 for name in ("dur", "pitch", "energy")}
    model = FastSpeech2(
        **sizes,
        normalize_before=False,
        ffn_type="1dcnn",
        ffn_cnn_kernel_size_list=[3, 1],
        n_char=40,
        n_mels=80,
        postnet_embedding_dim=16,
        postnet_kernel_size=5,
        postnet_n_convolutions=2,
        padding_idx=0,
    ).eval()
    tokens = torch.tensor([[13, 12, 31, 14, 19], [31, 16, 30, 31, 0]])
    durations = torch.tensor([[2, 4, 1, 5, 3], [1, 2, 4, 3, 0]])
    with torch.no_grad():
        mel, *_, lengths = model(tokens, durations=durations)
    check_decoded(vocoder, mel.transpose(1, 2), lengths)


def test_levels_come_through_untrained(vocoder, speech):
    """Ten decibels less in the mel spectrum are ten decibels less in the waveform's: the scale is natural."""
    loud, soft = (vocoder.decode_batch((speech[:1] - change).clamp(min=-11.5)) for change in (0.0, 1.151))
    difference = 20 * math.log10(float(loud.std() / soft.std()))
    assert difference == pytest.approx(10, abs=3)


def test_it_loads_what_was_exported_as_others_do(tmp_path, vocoder, speech):
    keys = "".join(f"    {key}: {value}\n" for key, value in SIZES.items())
    node = ruamel.yaml.YAML().load(f"g: !new:sb_resizegan.models.VocoderGenerator\n{keys}")["g"]
    weights = vocoder.mods.generator.state_dict()
    write_model(tmp_path, "vocoder", {"generator": node, "sample_rate": 16000}, weights, "A test.")
    expected = vocoder.decode_batch(speech[:1])
    for load in (Vocoder.from_hparams, foreign_class):
        loaded = load(source=str(tmp_path), run_opts={"device": "cpu"})
        torch.testing.assert_close(loaded.decode_batch(speech[:1]), expected)
    with pytest.raises(ModelSourceError, match=r"task .windows.*.vocoder.; load it with Vocoder"):
        SpeechWindowGenerator.from_hparams(source=str(tmp_path))


def test_a_seed_chooses_the_latent(vocoder, speech):
    first, again, other = (vocoder.decode_batch(speech[:2], seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_mel_spectra_of_waveforms_are_checked(vocoder):
    x = 0.1 * torch.randn(4096)
    torch.testing.assert_close(vocoder.mel(x, 16000), MelAnalysis()(x[None])[0])
    for argument, rate, message in (
        (x, 22050, "sample_rate: expected 16000 Hz, but got 22050"),
        (x[:1000], None, "at least a window of 1024 samples .* but got 1000"),
        (x * math.nan, None, "expected finite samples"),
        ((1000 * x).short(), None, "floating-point samples, but got torch.int16"),
    ):
        with pytest.raises(ValueError, match=message):
            vocoder.mel(argument, rate)


def damaged(mel, value):
    mel = mel.clone()
    mel[0, 3, 5] = value
    return mel


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mel: mel[:, :64], r"shape \(batch, 80, frames\), but got \(8, 64, 188\)"),
        (lambda mel: mel[0], r"shape \(batch, 80, frames\), but got \(80, 188\)"),
        (lambda mel: mel[:, :, :0], "at least one frame"),
        (lambda mel: mel[:0], "at least one frame"),
        (lambda mel: mel.long(), r"floating-point tensor .* but got torch\.int64"),
        (lambda mel: mel.numpy(), "floating-point tensor .* but got ndarray"),
        (lambda mel: damaged(mel, math.nan), "1 frames hold NaN or Inf"),
        (lambda mel: damaged(mel, -math.inf), "1 frames hold NaN or Inf"),
        (lambda mel: mel * 20 / math.log(10), "natural logarithms .*: decibels"),
        (lambda mel: 2 * mel, "natural logarithms .*: logarithms of powers"),
        (lambda mel: mel.exp(), "natural logarithms .*: magnitudes or powers without a logarithm"),
        (lambda mel: 0.01 * mel.exp(), "natural logarithms .*: magnitudes or powers without a logarithm"),
        (lambda mel: mel + math.log(32768), "natural logarithms .*: decibels, or a waveform in integers"),
        (lambda mel: mel / math.log(10), "natural logarithms .*: decimal logarithms"),
    ],
)
def test_what_is_no_mel_spectrum_is_said(vocoder, speech, change, message):
    with pytest.raises(ValueError, match=f"spectrogram: expected .*{message}"):
        vocoder.decode_batch(change(speech))


def test_decimal_logarithms_are_told_in_each_file_and_nothing_else_is_taken_for_them(speech):
    analysis = MelAnalysis()
    for mel in speech.split(1):
        check_mel(mel, analysis)
        with pytest.raises(ValueError, match="decimal logarithms"):
            check_mel(mel / math.log(10), analysis)
    # Noise is steady, and loud noise lies where decimal logarithms lie.
    for level in (1e-4, 1e-3, 1e-2, 0.1, 0.5):
        for seed in range(5):
            noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(seed))
            check_mel(analysis(level * noise), analysis)
    time = torch.arange(16000) / 16000
    check_mel(analysis(0.5 * torch.sin(2 * math.pi * 440 * time)[None]), analysis)
    check_mel(analysis(torch.zeros(1, 16000)), analysis)


def test_wrong_lengths_are_named(vocoder, speech):
    for lengths in ([10], [10, 0], [10, 189], [10, 9.5]):
        with pytest.raises(ValueError, match="mel_lens: expected 2 whole numbers from 1 to 188"):
            vocoder.decode_batch(speech[:2], torch.tensor(lengths))
    with pytest.raises(ValueError, match="hop_len: expected the model's 256, but got 300"):
        vocoder.decode_batch(speech[:2], torch.tensor([10, 10]), 300)
    with pytest.raises(ValueError, match=r"shape \(n_mels, frames\), but got \(2, 80, 188\)"):
        vocoder.decode_spectrogram(speech[:2])


def test_files_are_read_and_checked(vocoder, speech, tmp_path):
    settings = {"sample_rate": 16000, "hop_length": 256}
    write_mel(tmp_path / "a.npz", speech[0].numpy(), settings)
    assert torch.equal(vocoder.read_mel(tmp_path / "a.npz"), speech[0])
    write_mel(tmp_path / "b.npz", speech[0].numpy() / math.log(10), settings)
    with pytest.raises(ValueError, match=r"b\.npz: expected .*: decimal logarithms"):
        vocoder.read_mel(tmp_path / "b.npz")
    write_mel(tmp_path / "c.npz", speech[0].numpy(), {**settings, "sample_rate": 22050})
    with pytest.raises(ValueError, match=r"c\.npz: sample_rate: expected 16000, but .* has 22050"):
        vocoder.read_mel(tmp_path / "c.npz")
