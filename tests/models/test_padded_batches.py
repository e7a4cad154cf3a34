"""Utterances of a padded batch come out as each alone."""

import pytest
import torch

from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.padded_batches import enhance_padded, takes_padding
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.models.waveform_generator import WaveformGenerator

SMALL = {"channels": 8, "time_units": 16, "band_units": 8, "blocks": 2}


@pytest.mark.parametrize("latent_dim", [0, 4])
@pytest.mark.parametrize(
    ("kind", "causal"), [(SpectralGenerator, False), (SpectralGenerator, True), (FollowingGenerator, True)]
)
def test_each_utterance_is_enhanced_as_if_alone(kind, causal, latent_dim):
    torch.manual_seed(0)
    generator = kind(**SMALL, causal=causal, latent_dim=latent_dim).eval()
    for parameter in generator.parameters():  # an untrained mask is nearly 1
        parameter.data += 0.1 * torch.randn_like(parameter)
    assert takes_padding(generator)
    # Whole hops and not, and one that is silent.
    samples = [9000, 8960, 8000, 4001, 300, 200]
    noisy = torch.zeros(len(samples), samples[0])
    for row, count in zip(noisy[:-1], samples, strict=False):
        row[:count] = torch.randn(count) * 0.1
    latents = [generator.sample_latent(1, count) for count in samples]
    with torch.no_grad():
        alone = [
            generator(row[None, :count], latent)[0]
            for row, count, latent in zip(noisy, samples, latents, strict=True)
        ]
    together = enhance_padded(generator, noisy, samples, latents)
    for row, own in zip(together, alone, strict=True):
        assert (row[: len(own)] - own).abs().max() <= 1e-5 * own.abs().max()
        assert not row[len(own) :].any()
    if not causal:
        # The padding is heard where nothing is done about it.
        with torch.no_grad():
            level = torch.ones(1)
            short, long = (generator(x, None, level) for x in (noisy[3:4, :4001], noisy[3:4]))
        if not latent_dim:
            assert (long[0, :4001] - short[0]).abs().max() > 1e-4 * short.abs().max()


def test_what_hears_padding_says_so():
    assert not takes_padding(WaveformGenerator())
    assert not takes_padding(FollowingGenerator(**SMALL))
    with pytest.raises(ValueError, match="longest utterance first, but got \\[100, 200\\]"):
        enhance_padded(SpectralGenerator(**SMALL), torch.zeros(2, 200), [100, 200], [None, None])
