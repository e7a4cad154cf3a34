"""A causal generator hop by hop gives what it gives in one pass."""

import pytest
import torch

from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.frame_network import FrameNetwork
from sb_resizegan.models.hop_module import StreamingStep, fourier_matrices, has_frame_network
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES

SMALL = {"channels": 8, "time_units": 12, "band_units": 8, "blocks": 2, "causal": True}


def with_louder_outputs(generator):
    """An untrained generator that does more than let the speech through."""
    generator.decoder[-1].weight.data *= 3
    return generator


def generators():
    """A causal generator of each kind."""
    torch.manual_seed(0)
    made = {
        "spectral": SpectralGenerator(**SMALL),
        "deterministic": SpectralGenerator(**SMALL, latent_dim=0),
        "short window": SpectralGenerator(**SMALL, n_fft=256),
        "following": FollowingGenerator(**SMALL, follow_seconds=0.3),
        "following, mask alone": FollowingGenerator(**SMALL, follow_seconds=0.1, direct=False),
    }
    return {name: with_louder_outputs(generator).eval() for name, generator in made.items()}


@torch.no_grad()
def streamed(generator, noisy, latent, prepared=False):
    """All hops of noisy speech through the step; the last frame hears zeros and has the last latent again."""
    step, states, hops = StreamingStep(generator, prepared), None, []
    states = step.initial(len(noisy)).values()
    for number, samples in enumerate([*noisy.split(step.hop, 1), torch.zeros(len(noisy), step.hop)]):
        own = None if latent is None else latent[..., min(number, latent.shape[2] - 1)]
        enhanced, *states = step(samples, own, *states)
        hops.append(enhanced)
    return torch.cat(hops[1:], dim=1)


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("name", list(generators()))
def test_hop_by_hop_equals_one_pass(name, prepared):
    generator = generators()[name]
    time = 40 * generator.hop
    noisy = torch.randn(2, time) * torch.tensor([[0.1], [0.003]])  # within full scale
    noisy[1, : time // 2] = 0  # silence before the second begins
    latent = generator.sample_latent(2, time)
    with torch.no_grad():
        whole = generator(noisy, latent)
    assert (whole - noisy).abs().amax() > 0.01  # it does something
    assert (streamed(generator, noisy, latent, prepared) - whole).abs().amax() < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        *({"upsampling": mode, "downsampling": "blur"} for mode in UPSAMPLING_MODES),
        {"factors": (16, 4), "kernel_size": 16},
        {"factors": (2, 2, 2), "kernel_size": 3},
    ],
)
@torch.no_grad()
def test_a_frame_prepared_is_that_of_the_layers(options):
    torch.manual_seed(0)
    generator = SpectralGenerator(**SMALL, **options).eval()
    assert has_frame_network(generator)
    states = [torch.randn_like(state) for state in generator.stream_states(3).values()]
    frame, latent = torch.randn(3, 256, 2), torch.randn(3, generator.latent_dim)
    one, other = (f(frame, latent, states) for f in (FrameNetwork(generator), generator.stream_outputs))
    for ours, theirs in zip([one[0], *one[1]], [other[0], *other[1]], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_network_of_ones_own_is_not_replaced():
    class Louder(SpectralGenerator):
        def stream_outputs(self, compressed, latent, states):
            x, after = super().stream_outputs(compressed, latent, states)
            return x + 1, after

    generator = Louder(**SMALL, latent_dim=0)
    noisy = 0.1 * torch.randn(1, 4 * generator.hop)
    plain, prepared = (streamed(generator, noisy, None, ready) for ready in (False, True))
    torch.testing.assert_close(prepared, plain, atol=1e-5, rtol=0)


def test_states_are_named_once_and_keep_their_shapes():
    for generator in generators().values():
        step = StreamingStep(generator)
        states = step.initial(3)
        latent = torch.zeros(3, generator.latent_dim) if generator.latent_dim else None
        enhanced, *after = step(torch.randn(3, step.hop), latent, *states.values())
        assert enhanced.shape == (3, step.hop)
        assert [state.shape for state in after] == [state.shape for state in states.values()]


def test_matrices_are_the_windowed_transform():
    window = torch.hann_window(64).sqrt()
    analysis, synthesis = fourier_matrices(window)
    frame = torch.randn(5, 64)
    spectrum = torch.view_as_real(torch.fft.rfft(frame * window, norm="ortho")).flatten(1)
    torch.testing.assert_close(frame @ analysis, spectrum, atol=1e-5, rtol=0)
    torch.testing.assert_close(frame @ analysis @ synthesis, frame * window**2, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "generator", [SpectralGenerator(**{**SMALL, "causal": False}), torch.nn.Linear(1, 1)]
)
def test_a_generator_that_looks_ahead_is_refused(generator):
    with pytest.raises(ValueError, match="expected a causal generator"):
        StreamingStep(generator)
