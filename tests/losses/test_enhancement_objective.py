"""The objective of enhancement: zero for clean speech, blind to level and padding, each term its own."""

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.losses.enhancement_objective import TERMS, EnhancementObjective


@pytest.fixture(scope="module")
def speech(corpus_folder):
    """Three seconds of speech, twice, and the same with noise."""
    files = sorted(corpus_folder.rglob("*.wav"), key=lambda path: -path.stat().st_size)[:2]
    clean = torch.stack(
        [torch.from_numpy(soundfile.read(file, dtype="float32")[0][8000:56000].copy()) for file in files]
    )
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + 0.3 * clean.square().mean().sqrt() * noise


def test_clean_speech_costs_nothing_and_more_noise_costs_more(speech):
    clean, noisy = speech
    objective = EnhancementObjective()
    lengths = torch.ones(2)
    values = [objective(clean + gain * (noisy - clean), clean, lengths) for gain in (0.0, 0.3, 1.0, 3.0)]
    assert values[0][0] < 1e-3
    for name in ("magnitude", "complex", "waveform", "pesq_distance"):
        terms = [float(figures[name]) for _, figures in values]
        assert terms == sorted(terms) and terms[-1] > terms[1] > terms[0], name


def test_the_value_is_the_weighted_sum_of_the_terms(speech):
    clean, noisy = speech
    weights = {"magnitude": 0.5, "complex": 2.0, "waveform": 3.0, "pesq": 0.25}
    value, figures = EnhancementObjective(**weights)(noisy, clean, torch.ones(2))
    expected = sum(weight * figures[TERMS[name]] for name, weight in weights.items())
    torch.testing.assert_close(value, expected)


def test_the_level_of_a_recording_has_no_weight(speech):
    clean, noisy = speech
    objective = EnhancementObjective()
    loud = objective(noisy, clean, torch.ones(2))[0]
    quiet = objective(0.01 * noisy, 0.01 * clean, torch.ones(2))[0]
    torch.testing.assert_close(quiet, loud, rtol=1e-3, atol=1e-4)


def test_padding_counts_nowhere_and_gets_no_gradient(speech):
    clean, noisy = speech
    objective = EnhancementObjective()
    alone = torch.stack([objective(noisy[i : i + 1], clean[i : i + 1], torch.ones(1))[0] for i in range(2)])
    pad = torch.full((2, 16000), 0.5)
    padded = torch.cat([noisy, pad], dim=1).requires_grad_()
    lengths = torch.full((2,), 48000 / 64000)
    value, _ = objective(padded, torch.cat([clean, -pad], dim=1), lengths)
    torch.testing.assert_close(value, alone.mean(), rtol=1e-3, atol=1e-4)
    value.backward()
    assert padded.grad[:, 48000:].abs().max() == 0
    assert padded.grad[:, :48000].abs().max() > 0


@pytest.mark.parametrize("enhanced", [0.0, 1e-7, 1.0])
def test_gradients_are_finite_for_silence_on_either_side(enhanced):
    signal = (enhanced * torch.randn(1, 8000)).requires_grad_()
    for clean in (torch.zeros(1, 8000), torch.randn(1, 8000)):
        value, _ = EnhancementObjective()(signal, clean, torch.ones(1))
        (gradient,) = torch.autograd.grad(value, signal)
        assert torch.isfinite(value) and torch.isfinite(gradient).all()


def test_a_step_along_the_gradient_improves_every_kind_of_term(speech):
    clean, noisy = speech
    for name in ("magnitude", "complex", "waveform", "pesq"):
        weights = dict.fromkeys(("magnitude", "complex", "waveform", "pesq"), 0.0) | {name: 1.0}
        objective = EnhancementObjective(**weights)
        signal = noisy.clone().requires_grad_()
        value, _ = objective(signal, clean, torch.ones(2))
        (gradient,) = torch.autograd.grad(value, signal)
        step = 0.02 * noisy.norm() / gradient.norm()
        assert objective(noisy - step * gradient, clean, torch.ones(2))[0] < value, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pesq": -1.0}, "pesq: expected a weight of at least 0"),
        ({"magnitude": np.nan}, "magnitude: expected a weight"),
        (dict.fromkeys(("magnitude", "complex", "waveform", "pesq"), 0), "one of .* but all are 0"),
        ({"sample_rate": 8000}, "sample_rate 16000"),
    ],
)
def test_wrong_weights_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        EnhancementObjective(**options)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="enhanced and clean of one shape"):
        EnhancementObjective()(torch.zeros(1, 100), torch.zeros(1, 99), torch.ones(1))


def test_deletion_counts_what_is_missing_and_not_what_is_too_much(speech):
    clean, _ = speech
    objective = EnhancementObjective(magnitude=0, complex=0, waveform=0, pesq=0, deletion=1.0)
    louder, fainter = (objective(gain * clean, clean, torch.ones(2))[0] for gain in (2.0, 0.5))
    assert louder == 0 and fainter > 0.001
    both = EnhancementObjective(magnitude=1.0, complex=0, waveform=0, pesq=0)
    torch.testing.assert_close(fainter, both(0.5 * clean, clean, torch.ones(2))[0])
