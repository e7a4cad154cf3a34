"""A generator that follows the level: what it makes of a moment depends on no level around it."""

import pytest
import torch

from sb_resizegan.models.following_generator import FollowingGenerator

RATE = 16000
SIZES = {"channels": 12, "time_units": 12, "band_units": 12, "blocks": 2, "factors": (4, 4), "latent_dim": 0}


def make(causal=False, **options):
    torch.manual_seed(0)
    generator = FollowingGenerator(causal=causal, follow_seconds=0.2, **{**SIZES, **options}).eval()
    # Large enough a network that what it sees shows in its output.
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.startswith("decoder.1"):
                parameter *= 3
    return generator


def noise(seconds, seed=0):
    return torch.randn(1, int(seconds * RATE), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("direct", [False, True])
@torch.no_grad()
def test_gain_goes_through(causal, direct):
    generator, noisy = make(causal, direct=direct), 0.1 * noise(1)
    expected = generator(noisy)
    for gain in (0.1, 10.0):
        error = (generator(gain * noisy) / gain - expected).norm() / expected.norm()
        assert error < 1e-3


@torch.no_grad()
def test_levels_are_followed_at_once_without_the_utterance_level():
    generator, noisy = make(), noise(1)
    for level in (0.01, 100.0):
        given = generator(noisy, level=torch.full((1,), level))
        assert (given - generator(noisy)).norm() / given.norm() < 1e-2


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_the_level_is_that_of_the_frames_around(causal):
    generator = make(causal)
    noisy = torch.cat([noise(1, 1), 0.01 * noise(1, 2)], dim=1)
    # The window's own mean power is a half.
    level = 2**0.5 * generator.followed_level(generator.spectrum(noisy))[0, 0]
    frame = RATE // generator.hop
    ahead = frame + round(0.25 * frame)
    # A fifth of a second into the faint half nothing of the loud half is left, and before it none of it.
    assert level[: frame - 14].mean() == pytest.approx(1.0, rel=0.1)
    assert level[ahead:].mean() == pytest.approx(0.01, rel=0.1)
    before = level[frame - 1]
    assert (before == pytest.approx(1.0, rel=0.1)) == causal


@torch.no_grad()
def test_edges_do_not_lower_the_level():
    generator, noisy = make(), noise(1)
    level = 2**0.5 * generator.followed_level(generator.spectrum(noisy))[0, 0]
    assert level[1:-1].min() > 0.7 and level[1:-1].max() < 1.3


@torch.no_grad()
def test_causal_output_depends_on_no_more_than_a_window_ahead():
    generator, noisy = make(causal=True), noise(1)
    changed = noisy.clone()
    changed[:, 8000:] = noise(1, 3)[:, 8000:]
    same = (generator(noisy) == generator(changed))[0, : 8000 - generator.n_fft]
    different = (generator(noisy) != generator(changed))[0, 8000 - generator.hop :]
    assert same.all() and different.any()


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_silence(causal):
    enhanced = make(causal)(torch.zeros(1, RATE))
    assert enhanced.abs().max() <= (1e-3 if causal else 0)


def test_lengths_and_gradients():
    generator = make()
    for samples in (1, 255, 1000, 16001):
        assert generator(noise(2)[:, :samples]).shape == (1, samples)
    generator(noise(0.5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())


def test_a_direct_spectrum_is_made_where_the_input_has_nothing():
    # A mask cannot put anything into an empty band; the direct estimate can.
    time = torch.arange(RATE) / RATE
    tone = torch.sin(2 * torch.pi * 500 * time)[None]
    with torch.no_grad():
        upper = [
            torch.fft.rfft(make(direct=direct)(tone)[0, 4000:12000])[2000:].abs().sum()
            for direct in (False, True)
        ]
    assert upper[1] > 10 * upper[0]


def test_wrong_seconds():
    with pytest.raises(ValueError, match="follow_seconds"):
        FollowingGenerator(follow_seconds=0)
    with pytest.raises(ValueError, match="follow_seconds: expected at least a hop"):
        FollowingGenerator(follow_seconds=1e-4)
