"""Mel spectra: those of SpeechBrain's vocoders, and what can be had back from them."""

import math

import pytest
import torch
from speechbrain.lobes.models import HifiGAN

from sb_resizegan.nnet.mel_analysis import MEL_FLOOR, MelAnalysis

# SpeechBrain 1.1.0 spells it otherwise.
mel_spectrogram = getattr(HifiGAN, "mel_spectrogram", None) or HifiGAN.mel_spectogram

# hparams/train.yaml of SpeechBrain's recipes/LibriTTS/vocoder/hifigan.
LIBRITTS_16K = {
    "sample_rate": 16000,
    "hop_length": 256,
    "win_length": 1024,
    "n_fft": 1024,
    "n_mels": 80,
    "f_min": 0.0,
    "f_max": 8000,
    "power": 1,
    "normalized": False,
    "norm": "slaney",
    "mel_scale": "slaney",
    "compression": True,
}


@pytest.mark.parametrize("time", [1024, 4096, 5000])
@pytest.mark.parametrize("level", [0.3, 1e-4, 0.0])
def test_mel_spectra_are_those_of_speechbrains_hifigan(time, level):
    waveforms = level * torch.randn(2, time)
    ours, theirs = MelAnalysis()(waveforms), mel_spectrogram(audio=waveforms, **LIBRITTS_16K)
    assert ours.shape == theirs.shape == (2, 80, 1 + time // 256)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-4)


def test_other_sizes_are_speechbrains_too():
    waveforms = torch.randn(1, 6000)
    settings = {**LIBRITTS_16K, "sample_rate": 22050, "n_mels": 40, "n_fft": 512, "win_length": 512}
    theirs = mel_spectrogram(audio=waveforms, **{**settings, "hop_length": 128, "f_max": 11025})
    torch.testing.assert_close(MelAnalysis(22050, 40, 512, 128)(waveforms), theirs, rtol=0, atol=2e-4)


def test_frames_within_the_signal_are_those_of_the_whole():
    analysis, waveforms = MelAnalysis(), torch.randn(2, 8192)
    # Frame i is centred on 256 i, the first whose window fits is the second from 512 on.
    torch.testing.assert_close(analysis(waveforms, centred=False), analysis(waveforms)[:, :, 2:-2])


def test_a_pseudo_inverse_has_the_mel_spectrum_it_was_made_of():
    analysis = MelAnalysis()
    spectra = torch.stft(
        torch.randn(1, 16000), 1024, 256, window=torch.hann_window(1024), return_complex=True
    )
    smooth = spectra.abs().mean(dim=2, keepdim=True)  # a spectrum that bands can tell
    mel = (analysis.bands @ smooth).log()
    magnitudes = analysis.pseudo_inverse(mel)
    assert magnitudes.min() >= 0
    torch.testing.assert_close((analysis.bands @ magnitudes).log(), mel, rtol=0, atol=0.05)


def test_no_signal_within_full_scale_leaves_the_range():
    analysis = MelAnalysis()
    time = torch.arange(16000) / 16000
    tones = [torch.sin(2 * math.pi * f * time).sign() for f in (50.0, 120.0, 1000.0, 7000.0)]
    mel = analysis(torch.stack([*tones, torch.ones(16000)]))
    assert mel.max() < analysis.highest
    assert mel.min() >= math.log(MEL_FLOOR) - 1e-4


def test_wrong_waveforms_are_named():
    with pytest.raises(
        ValueError, match=r"at least a window of 1024 samples \(64 ms at 16000 Hz\).*got 1023"
    ):
        MelAnalysis()(torch.zeros(1, 1023))
    with pytest.raises(ValueError, match=r"shape \(batch, time\), but got \(1, 1, 2048\)"):
        MelAnalysis()(torch.zeros(1, 1, 2048))
