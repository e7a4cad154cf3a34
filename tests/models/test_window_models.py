"""Generator and critic of windows: shapes, checks, and what they must not depend on."""

import pytest
import torch

from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.residual import NoiseInput
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


OPTIONS = [{"activation": "snake"}, {"residual_blocks": 2}, {"noise": True}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("upsampling", ["transpose", "sinc"])
def test_options_of_the_generator_give_windows_and_gradients(upsampling, options):
    generator = WindowGenerator(upsampling=upsampling, band_limit_hz=1650.0, **options)
    windows = generator(generator.sample_latent(3))
    assert windows.shape == (3, 2048)
    windows.square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_options_add_weights_only_where_they_are_asked_for():
    names = set(WindowGenerator().state_dict())
    for options in OPTIONS:
        assert names < set(WindowGenerator(**options).state_dict())


def test_noise_is_part_of_the_latent_and_changes_the_window():
    generator = WindowGenerator(noise=True)
    latent = generator.sample_latent(2, torch.Generator().manual_seed(0))
    assert latent.shape == (2, 64 + 32 + 128 + 512)
    assert torch.equal(generator(latent), generator(latent))
    other = torch.cat([latent[:, :64], generator.sample_latent(2)[:, 64:]], dim=1)
    assert (generator(other) - generator(latent)).abs().max() > 1e-4


def test_noise_lies_above_the_band_that_the_upsampling_leaves():
    layer = NoiseInput(1, 4)
    torch.nn.init.ones_(layer.gains)
    added = layer(torch.zeros(200, 1, 1024), torch.randn(200, 1024)).squeeze(1)
    power = torch.fft.rfft(added * torch.hann_window(1024)).abs().square().mean(dim=0)
    # A quarter of the band lies below: 128 of 513 bins, of which the filter has a transition about the edge.
    assert 10 * torch.log10(power[:64].mean() / power[256:].mean()) < -15
    assert (power[200:] / power[256:].mean() > 0.7).all()


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
        ({"activation": "tanh"}, "activation: expected one of relu, snake, but got 'tanh'"),
        ({"residual_blocks": -1}, "residual_blocks: expected at least 0, but got -1"),
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
