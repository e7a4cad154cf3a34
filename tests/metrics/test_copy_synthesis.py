"""Measures of copies: known distances of known changes, and the order of known resyntheses."""

import math

import pytest
import soundfile
import torch
import torchaudio

from sb_resizegan.metrics.copy_synthesis import (
    log_spectral_distance,
    mel_cepstral_distortion,
    pitch_errors,
)
from sb_resizegan.nnet.mel_analysis import MelAnalysis


@pytest.fixture(scope="module")
def speech(speech_files):
    return torch.from_numpy(soundfile.read(speech_files[0], dtype="float32")[0][:80000])[None]


def test_a_copy_without_fault_has_none(speech):
    assert mel_cepstral_distortion(speech, speech).item() == 0
    assert log_spectral_distance(speech, speech).item() == 0
    errors = {name: value.item() for name, value in pitch_errors(speech, speech).items()}
    assert errors == {"f0_cents": 0.0, "voicing_f1": 1.0, "periodicity_error": 0.0}


def difference(x):
    return torch.cat([x[:, :1], x[:, 1:] - x[:, :-1]], dim=1)


def test_a_tilt_is_its_decibels():
    """A first difference tilts the spectrum by a known gain at each frequency."""
    noise = torch.randn(1, 160000, generator=torch.Generator().manual_seed(0))
    tilted = difference(noise)
    frequency = torch.arange(1, 256) / 512
    gain = 20 * torch.log10(2 * torch.sin(math.pi * frequency))
    assert log_spectral_distance(noise, tilted).item() == pytest.approx(
        float(gain.square().mean().sqrt()), rel=0.1
    )
    once, twice = (mel_cepstral_distortion(noise, x).item() for x in (tilted, difference(tilted)))
    assert once > 3 and twice == pytest.approx(2 * once, rel=0.1)


def test_measures_order_resyntheses_by_what_they_know(speech):
    """True phase is better than a guessed one, and noise of the same loudness has no voice."""
    analysis, window = MelAnalysis(), torch.hann_window(1024)
    spectrum = torch.stft(speech, 1024, 256, window=window, return_complex=True)
    magnitude = analysis.pseudo_inverse(analysis(speech))
    length = speech.shape[1]
    phase = torch.polar(torch.ones_like(magnitude), spectrum.angle())
    upper = torch.istft(magnitude * phase, 1024, 256, window=window, length=length)
    level = torch.nn.functional.avg_pool1d(speech.square(), 321, 1, 160).sqrt()
    whisper = level * torch.randn(level.shape, generator=torch.Generator().manual_seed(0))
    guessed = torchaudio.functional.griffinlim(
        magnitude, window, 1024, 256, 1024, 1.0, 30, 0.99, length, True
    )
    distances = [float(log_spectral_distance(speech, x)) for x in (upper, guessed, whisper)]
    assert distances == sorted(distances)
    errors = [pitch_errors(speech, x) for x in (upper, guessed, whisper)]
    f1 = [float(error["voicing_f1"]) for error in errors]
    assert f1[0] > 0.95 and f1 == sorted(f1, reverse=True) and f1[2] < 0.3
    periodicity = [float(error["periodicity_error"]) for error in errors]
    assert periodicity == sorted(periodicity)


def test_a_sharp_copy_of_a_gliding_tone_is_sharp_by_what_it_is():
    turns = (110 + 20 * torch.sin(torch.arange(48000) / 4000)).double().cumsum(0) / 16000
    tone, higher = (torch.sin(2 * math.pi * rate * turns).float()[None] for rate in (1, 17 / 16))
    expected = 1200 * math.log2(17 / 16)
    assert pitch_errors(tone, higher)["f0_cents"].item() == pytest.approx(expected, abs=3)


def test_without_voice_there_is_nothing_to_say():
    noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    errors = pitch_errors(noise, -noise.flip(1))
    assert errors["f0_cents"].isnan() and errors["periodicity_error"].isnan()


def test_each_row_is_measured_alone(speech):
    batch, other = speech.view(2, -1), (speech + 0.01 * torch.randn(speech.shape)).view(2, -1)
    for measure in (mel_cepstral_distortion, log_spectral_distance):
        alone = torch.cat([measure(batch[i : i + 1], other[i : i + 1]) for i in range(2)])
        torch.testing.assert_close(measure(batch, other), alone)


@pytest.mark.parametrize("measure", [mel_cepstral_distortion, log_spectral_distance, pitch_errors])
def test_wrong_waveforms_are_named(measure):
    x = torch.zeros(1, 2000)
    with pytest.raises(ValueError, match=r"one shape, but got \(1, 2000\) and \(1, 1999\)"):
        measure(x, x[:, 1:])
    with pytest.raises(ValueError, match="copy: 1 of 1 waveforms hold NaN"):
        measure(x, x * math.nan)
    with pytest.raises(ValueError, match="recording: expected at least one waveform of at least"):
        measure(x[:, :100], x[:, :100])
