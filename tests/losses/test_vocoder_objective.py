"""What a vocoder is trained on: zero where nothing differs, known values where something does."""

import math

import pytest
import torch

from sb_resizegan.losses.vocoder_objective import VocoderObjective, feature_matching, multi_resolution_stft
from sb_resizegan.nnet.mel_analysis import MelAnalysis


def noise(batch=2, time=8192):
    return 0.1 * torch.randn(batch, time, generator=torch.Generator().manual_seed(0))


def test_speech_has_no_distance_from_itself():
    x = noise()
    value, figures = VocoderObjective(MelAnalysis(), mel=1.0, stft=1.0, energy=1.0)(x, x, x)
    assert float(value) == pytest.approx(0, abs=1e-4)
    assert sorted(figures) == ["energy", "mel", "stft"]


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_is_its_logarithm_in_mel_and_stft(gain):
    x = noise()
    _, figures = VocoderObjective(MelAnalysis(), mel=1.0, stft=1.0)(gain * x, x)
    assert float(figures["mel"]) == pytest.approx(abs(math.log(gain)), rel=1e-3)
    assert float(figures["stft"]) == pytest.approx(abs(gain - 1) + abs(math.log(gain)), rel=1e-3)


def test_phases_do_not_count_and_smearing_does():
    time = torch.arange(8192) / 16000
    tone, turned = (torch.sin(2 * math.pi * 1000 * time + phase)[None] for phase in (0.0, 1.0))
    gated = tone * (torch.arange(8192) % 2048 < 1024)
    assert multi_resolution_stft(gated, tone) > 5 * multi_resolution_stft(turned, tone)


def test_gradients_are_finite_for_silence_and_lead_to_the_real_speech():
    silence = torch.zeros(2, 8192, requires_grad=True)
    objective = VocoderObjective(MelAnalysis())
    objective(silence, torch.zeros(2, 8192))[0].backward()
    assert silence.grad.isfinite().all()
    real = noise()
    x = (0.3 * real + 0.01 * torch.randn(2, 8192)).requires_grad_()
    before, _ = objective(x, real)
    (gradient,) = torch.autograd.grad(before, x)
    with torch.no_grad():
        after, _ = objective(x - 1e-2 * gradient / gradient.norm(), real)
    assert after < before


def test_features_count_layer_by_layer_and_real_ones_get_no_gradient():
    real = [torch.zeros(2, 3, 5, requires_grad=True), torch.zeros(2, 30, requires_grad=True)]
    fake = [torch.ones(2, 3, 5, requires_grad=True), torch.full((2, 30), 3.0, requires_grad=True)]
    value = feature_matching(real, fake)
    assert value.item() == 2.0
    value.backward()
    assert real[0].grad is None and fake[0].grad.abs().max() > 0
    with pytest.raises(ValueError, match="as many real as fake features, but got 2 and 1"):
        feature_matching(real, fake[:1])


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="stft: expected a weight of at least 0, but got -1"):
        VocoderObjective(MelAnalysis(), stft=-1)
    with pytest.raises(ValueError, match=r"one shape \(batch, time\), but got \(2, 8192\) and \(1, 8192\)"):
        VocoderObjective(MelAnalysis())(noise(), noise(1))
    with pytest.raises(ValueError, match="second: the energy term needs another draw"):
        VocoderObjective(MelAnalysis(), energy=1.0)(noise(), noise())
