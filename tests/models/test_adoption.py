"""Weights taken over: the new generator does what the trained one did; what does not fit is named."""

import pytest
import torch

from sb_resizegan.models.adoption import adopt_weights
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.spectral_generator import SpectralGenerator

SIZES = {"channels": 8, "time_units": 8, "band_units": 8, "blocks": 1}


@torch.no_grad()
def test_the_new_one_does_what_the_trained_one_did_with_the_mean_latent():
    trained, new = SpectralGenerator(**SIZES, latent_dim=3), SpectralGenerator(**SIZES, latent_dim=0)
    adopt_weights(new, trained.state_dict())
    noisy = torch.randn(2, 4000)
    mean = torch.zeros(2, 3, trained.latent_frames(4000))
    torch.testing.assert_close(new(noisy), trained(noisy, mean))


@torch.no_grad()
def test_new_outputs_add_nothing_at_first_and_learn():
    trained = SpectralGenerator(**SIZES, latent_dim=0)
    mask_alone = FollowingGenerator(**SIZES, latent_dim=0, direct=False)
    with_spectrum = FollowingGenerator(**SIZES, latent_dim=0)
    for generator in (mask_alone, with_spectrum):
        adopt_weights(generator, trained.state_dict())
    noisy = torch.randn(2, 4000)
    torch.testing.assert_close(with_spectrum(noisy), mask_alone(noisy))
    with torch.enable_grad():
        with_spectrum(noisy).square().sum().backward()
    assert with_spectrum.decoder[-1].weight.grad[2:].abs().max() > 0


def test_another_network_is_refused():
    trained = SpectralGenerator(**SIZES, latent_dim=0).state_dict()
    for options, words in (
        ({"blocks": 2}, "no weights for blocks.1"),
        ({"channels": 16}, "has the shape"),
    ):
        with pytest.raises(ValueError, match=words):
            adopt_weights(SpectralGenerator(**{**SIZES, **options}, latent_dim=0), trained)
    deeper = SpectralGenerator(**{**SIZES, "blocks": 2}, latent_dim=0).state_dict()
    with pytest.raises(ValueError, match="has no place in it"):
        adopt_weights(SpectralGenerator(**SIZES, latent_dim=0), deeper)
    with pytest.raises(ValueError, match="no weights for latent_input"):
        adopt_weights(SpectralGenerator(**SIZES, latent_dim=2), trained)
