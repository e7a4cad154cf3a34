"""Generator and critic of windows: shapes, checks, and what they must not depend on."""

import pytest
import torch

from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES


@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
@pytest.mark.parametrize(
    ("factors", "channels", "kernel"), [((4, 4, 4, 4), (32, 16, 8, 4), 25), ((2,) * 7, (8,) * 7, 22)]
)
def test_windows_have_the_length_and_range_asked_for(upsampling, factors, channels, kernel):
    generator = WindowGenerator(factors=factors, channels=channels, kernel_size=kernel, upsampling=upsampling)
    windows = generator(generator.sample_latent(3))
    assert windows.shape == (3, 2048)
    assert windows.abs().max() <= 1
    assert windows.std(dim=0).max() > 1e-4


@pytest.mark.parametrize("upsampling", ["nearest", "linear", "sinc"])
def test_a_fused_generator_equals_the_two_step_one(upsampling):
    fused, plain = (WindowGenerator(upsampling=upsampling, fused=fused) for fused in (True, False))
    plain.load_state_dict(fused.state_dict())
    latent = fused.sample_latent(4)
    torch.testing.assert_close(fused(latent), plain(latent), rtol=0, atol=1e-5)


def test_latents_follow_the_seed_and_fill_their_cube():
    generator = WindowGenerator()
    draws = [generator.sample_latent(2000, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].abs().max() <= 1
    assert draws[0].mean().item() == pytest.approx(0, abs=0.01)
    assert draws[0].var().item() == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("downsampling", DOWNSAMPLING_MODES)
def test_scores_of_a_batch_are_those_of_its_examples(downsampling):
    critic = WindowCritic(downsampling=downsampling)
    windows = torch.randn(4, 2048)
    shifts = critic.draw_shifts(4)
    together = critic(windows, shifts)
    alone = torch.cat([critic(windows[i : i + 1], shifts[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)


def test_phase_shuffle_works_in_training_only_and_not_without_it():
    windows = torch.randn(4, 2048)
    critic = WindowCritic(phase_shuffle=2)
    assert not torch.equal(critic(windows), critic(windows))
    critic.eval()
    assert torch.equal(critic(windows), critic(windows))
    plain = WindowCritic(phase_shuffle=0)
    assert torch.equal(plain(windows), plain(windows))


def test_shifts_may_be_one_for_the_batch():
    per_example, per_batch = (
        WindowCritic(shuffle_per_example=flag).draw_shifts(100) for flag in (True, False)
    )
    assert per_example.shape == per_batch.shape == (100, 3)
    assert (per_example != per_example[:1]).any()
    assert (per_batch == per_batch[:1]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upsampling": "cubic"}, r"mode.*transpose.*nearest.*linear.*sinc.*subpixel.*'cubic'"),
        ({"window_samples": 128}, r"window_samples: expected at least the total factor 256 .* but got 128"),
        (
            {"window_samples": 2000},
            r"window_samples: expected a multiple of the total factor 256 .* but got 2000",
        ),
        (
            {"factors": (4, 4, 4)},
            r"one entry per stage .*channels=\(128, 64, 32, 16\) and factors=\(4, 4, 4\)",
        ),
        ({"factors": (4, 4, 4, 0)}, r"factors: expected integers of at least 1, but got \[4, 4, 4, 0\]"),
        ({"kernel_size": 0}, r"kernel_size.*at least 1.*0"),
        ({"upsampling": "transpose", "kernel_size": 3}, r"kernel_size.*at least factor.*3"),
        ({"upsampling": "sinc", "attenuation": -3.0}, r"attenuation.*-3"),
        ({"latent_dim": 0}, "latent_dim: expected at least 1, but got 0"),
    ],
)
def test_a_generator_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        WindowGenerator(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"downsampling": "max"}, r"mode.*strided.*blur.*'max'"),
        ({"window_samples": 128}, "window_samples: expected at least the total factor 256"),
        ({"channels": (4, 4)}, "one entry per stage"),
        ({"phase_shuffle": -1}, r"n.*-1"),
    ],
)
def test_a_critic_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        WindowCritic(**settings)


def test_wrong_inputs_are_named():
    with pytest.raises(ValueError, match=r"latent: expected shape \(batch, 64\), but got \(2, 65\)"):
        WindowGenerator()(torch.zeros(2, 65))
    with pytest.raises(ValueError, match=r"windows: expected shape \(batch, 2048\), but got \(2, 1024\)"):
        WindowCritic()(torch.zeros(2, 1024))
