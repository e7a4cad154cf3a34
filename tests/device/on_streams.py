"""A stream whose model is on the device: the same sound, one copy each way a hop, and no other wait."""

import numpy as np
import pytest
import torch

from sb_resizegan.inference import StreamingEnhancement
from sb_resizegan.inference.stream_steps import TorchStep
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.hop_module import StreamingStep
from sb_resizegan.models.spectral_generator import SpectralGenerator
from tests.device.compared import check_same
from tests.device.virtual import recorded

SMALL = {"channels": 4, "time_units": 4, "band_units": 4, "blocks": 2, "n_fft": 64, "causal": True}
KINDS = {
    "spectral": lambda: SpectralGenerator(**SMALL),
    "interpolated": lambda: SpectralGenerator(**SMALL, upsampling="sinc", downsampling="blur"),
    "following": lambda: FollowingGenerator(**SMALL, follow_seconds=0.1, latent_dim=0),
}


def noise(channels, time=12 * 32):
    return 0.1 * np.random.default_rng(0).standard_normal((channels, time)).astype(np.float32)


@torch.no_grad()
def hops(generator, noisy, latent, prepared):
    """All hops of noisy speech, then the states."""
    step = StreamingStep(generator, prepared).to(noisy.device)
    states, outputs = step.initial(len(noisy)).values(), []
    for samples in noisy.split(step.hop, 1):
        enhanced, *states = step(samples, latent, *states)
        outputs.append(enhanced)
    return outputs, states


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_steps(kind, prepared, device):
    generator = KINDS[kind]().eval()
    latent = torch.randn(2, generator.latent_dim) if generator.latent_dim else None
    check_same(hops, (generator, torch.from_numpy(noise(2)), latent, prepared), device)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_gives_on_the_device_what_it_gives_on_the_cpu(kind, device):
    generator, signal = KINDS[kind]().eval(), noise(2, 2000)
    options = {"channels": 2, "sample_rate": 48000, "strength": 0.8, "link_channels": True, "seed": 3}
    outputs = []
    for place in (torch.device("cpu"), device):
        stream = StreamingEnhancement(TorchStep(generator.to(place), 16000), **options)
        outputs.append(np.concatenate([stream.push(signal[:, :333]), stream.push(signal[:, 333:])], axis=1))
    assert np.abs(outputs[0]).max() > 0.01
    np.testing.assert_allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hop_is_one_copy_to_the_device_and_one_back(kind, device):
    generator = KINDS[kind]().eval().to(device)
    stream, signal = StreamingEnhancement(TorchStep(generator, 16000)), noise(1)[0]
    stream.push(signal[:64])
    with recorded() as traffic:
        for number in range(2, 6):
            stream.push(signal[32 * number : 32 * (number + 1)])
    # A latent is drawn on the CPU, as everywhere, and is a copy of its own.
    each_way = (4, 4 * (1 + bool(generator.latent_dim)))
    assert (len(traffic.to_host), len(traffic.to_device)) == each_way, str(traffic)
