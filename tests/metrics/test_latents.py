"""Variation over latents: planted levels are found, deterministic models have none."""

import math

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.metrics.latents import describe_variation, latent_variation


def planted(level_db):
    """Adds noise of a level relative to its output."""

    def enhance(noisy):
        part = 10 ** (level_db / 20)
        noise = torch.randn_like(noisy) * noisy.square().mean(1, keepdim=True).sqrt()
        return (1 - part**2) ** 0.5 * noisy + part * noise

    return enhance


@pytest.mark.parametrize("level_db", [-10.0, -60.0])
def test_a_planted_level_is_found(level_db):
    noisy = [scale * torch.randn(n) for scale, n in ((1.0, 60000), (1e-3, 40000), (30.0, 80000))]
    figures = latent_variation(planted(level_db), noisy, num_samples=6, seed=1)
    # Two outputs hold independent noise: their difference has the energy of both.
    assert figures["latent_difference_db"] == pytest.approx(level_db + 10 * math.log10(2), abs=0.1)
    assert (figures["latent_samples"], figures["latent_utterances"]) == (6, 3)


def test_a_deterministic_model_does_not_vary(speech_files):
    clean = [torch.from_numpy(soundfile.read(speech_files[0], dtype="float32")[0][:32000])]
    noisy = [clean[0] + 0.01 * torch.randn(32000)]
    figures = latent_variation(lambda x: 0.5 * x, noisy, num_samples=3, clean=clean)
    assert figures["latent_difference_db"] == -math.inf
    assert 0 <= figures["latent_pesq_std"] <= figures["latent_pesq_range_largest"] < 1e-5
    assert "deterministic" in describe_variation(figures)


def test_pesq_spreads_over_outputs_of_different_quality(speech_files):
    clean = [soundfile.read(path, dtype="float32")[0][:32000] for path in speech_files[:2]]

    def enhance(noisy):
        noise = torch.linspace(0.001, 0.03, len(noisy))[:, None] * torch.randn(noisy.shape[1])
        return noisy + noise

    figures = latent_variation(enhance, clean, num_samples=4, clean=clean)
    assert figures["latent_pesq_utterances"] == 2
    assert figures["latent_pesq_range_largest"] >= figures["latent_pesq_range"] > 0.5
    # The standard deviation of 4 values lies between these parts of their range.
    assert 0.4 < figures["latent_pesq_std"] / figures["latent_pesq_range"] < 0.6


def test_latents_depend_on_the_seed_alone():
    noisy = [torch.randn(4000)]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = latent_variation(planted(-20), noisy, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert latent_variation(planted(-20), noisy, seed=3) == first
    assert latent_variation(planted(-20), noisy, seed=4) != first


def test_silence_and_faults():
    ones = [np.ones(5000, dtype=np.float32)]
    figures = latent_variation(lambda x: 0 * x, ones, clean=ones)
    assert math.isnan(figures["latent_difference_db"]) and math.isnan(figures["latent_pesq_std"])
    assert figures["latent_utterances"] == figures["latent_pesq_utterances"] == 0
    with pytest.raises(ValueError, match="num_samples: expected at least 2, but got 1"):
        latent_variation(lambda x: x, ones, num_samples=1)
    with pytest.raises(ValueError, match="utterance 0: expected an output of shape"):
        latent_variation(lambda x: x[:, :-1], ones)
    with pytest.raises(ValueError, match="utterance 0: expected an output of finite samples"):
        latent_variation(lambda x: x * math.nan, ones)
    with pytest.raises(ValueError, match="as many references, but got 1 and 2"):
        latent_variation(lambda x: x, ones, clean=ones * 2)
