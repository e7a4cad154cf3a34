"""What the restoring generator promises: the input where nothing is missing, draws that differ elsewhere."""

import pytest
import torch

from sb_resizegan.models import ConditionalSpectralCritic, RestoringGenerator
from sb_resizegan.models.following_generator import FollowingGenerator

SIZES = {"channels": 8, "time_units": 8, "band_units": 8}
ESTIMATE = {**SIZES, "blocks": 1}
LOST_FROM = 128  # a bin: 4 kHz


def small(**options):
    torch.manual_seed(0)
    return RestoringGenerator(ESTIMATE, **SIZES, **options).eval()


def set_gates(generator, touched, missing):
    """Gates that are the same in all bins."""
    last = generator.network.gates[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([touched, missing]))


@pytest.fixture
def noisy():
    return 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def latents():
    """Two draws for two utterances."""
    generator = small()
    return generator.sample_latent(4, 9000, torch.Generator().manual_seed(2))


@torch.no_grad()
def test_with_closed_gates_the_input_comes_back(noisy, latents):
    generator = small()
    set_gates(generator, -30.0, -30.0)
    assert torch.allclose(generator(noisy, latents[:2]), noisy, rtol=0, atol=1e-7)


@torch.no_grad()
def test_draws_differ_where_something_is_missing_and_nowhere_else(noisy, latents, monkeypatch):
    generator = small()
    network = generator.network.forward

    def half_missing(heard, noise, latent):
        gates, made = network(heard, noise, latent)
        gates = gates.clone()
        gates[:, :, :LOST_FROM, 1], gates[:, :, LOST_FROM:, 1] = -30, 30
        return gates, made

    monkeypatch.setattr(generator.network, "forward", half_missing)
    first, second = generator(noisy, latents, details=True).waveform.chunk(2)
    spectrum = generator.estimate.spectrum(first - second).abs().square().mean((0, 2))
    # A frame's window leaks.
    assert spectrum[: LOST_FROM - 16].max() < 1e-4 * spectrum[LOST_FROM:-1].mean()


@torch.no_grad()
def test_gates_do_not_depend_on_the_latents(noisy, latents):
    generator = small()
    details = [generator(noisy, part, details=True) for part in latents.chunk(2)]
    assert torch.equal(details[0].touched, details[1].touched)
    assert torch.equal(details[0].missing, details[1].missing)
    assert not torch.allclose(details[0].waveform, details[1].waveform)


@torch.no_grad()
def test_several_draws_at_once_are_those_one_by_one(noisy, latents):
    generator = small()
    both = generator(noisy, latents, details=True).waveform
    alone = torch.cat([generator(noisy, part) for part in latents.chunk(2)])
    assert torch.allclose(both, alone, atol=1e-6)


@torch.no_grad()
def test_a_delay_by_a_latent_delays_the_output(noisy):
    generator = small()
    latent = generator.sample_latent(1, 40 * 1024, torch.Generator().manual_seed(3))
    long = 0.1 * torch.randn(1, 40 * 1024, generator=torch.Generator().manual_seed(4))
    level = torch.tensor([0.1])
    whole = generator(long, latent, level)
    later = generator(long[:, 1024:], latent[..., 1:], level)
    middle = slice(16 * 1024, 24 * 1024)
    assert torch.allclose(whole[:, 1024:][:, middle], later[:, middle], atol=2e-3 * float(whole.abs().max()))


@torch.no_grad()
@pytest.mark.parametrize("time", [1, 255, 256, 1023, 1024, 1025])
def test_inputs_of_any_length_give_outputs_of_that_length(time):
    generator = small()
    signal = torch.randn(1, time)
    assert generator(signal).shape == (1, time) and generator(signal).isfinite().all()
    assert not generator(torch.zeros(1, time)).any()


def test_the_rate_of_the_latents_is_as_stated():
    generator = small(latent_dim=6, latent_every=2)
    one_second = generator.sample_latent(1, 16000)
    # Whole latents: the last one reaches beyond the second.
    assert one_second.numel() == pytest.approx(generator.latent_rate, rel=0.03)
    assert generator.slow_bandwidth_hz == 16000 / 512 / 2


def test_the_control_is_of_the_same_size_and_has_no_latents(noisy):
    generator, control = small(), small(stochastic=False)
    assert {name: value.shape for name, value in generator.state_dict().items()} == {
        name: value.shape for name, value in control.state_dict().items()
    }
    assert control.latent_dim == 0 and control.sample_latent(2, 9000) is None
    with torch.no_grad():
        assert torch.equal(control(noisy), control(noisy))
    with pytest.raises(ValueError, match="latent: expected none"):
        control(noisy, torch.zeros(2, 16, 9))


def test_the_model_of_the_recipe_is_small_enough():
    generator = RestoringGenerator({"channels": 64, "time_units": 96, "band_units": 48, "blocks": 3})
    assert sum(value.numel() for value in generator.state_dict().values()) <= 1_000_000


def test_a_frozen_estimate_gets_no_gradient_and_closed_gates_get_one(noisy):
    generator = small()
    set_gates(generator, -8.0, -8.0)  # closed, exactly
    restored = generator(noisy, generator.sample_latent(4, 9000), details=True)
    (restored.waveform.square().sum() + restored.touched.sum()).backward()
    assert all(p.grad is None for p in generator.estimate.parameters())
    assert generator.network.gates[-1].bias.grad.abs().min() > 0
    thawed = small(frozen_estimate=False)
    thawed(noisy).square().sum().backward()
    assert all(p.grad is not None for p in thawed.estimate.parameters())


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="estimate: expected neither latents nor a causal model"):
        RestoringGenerator({**ESTIMATE, "latent_dim": 3}, **SIZES)
    with pytest.raises(ValueError, match="blocks: expected two numbers"):
        RestoringGenerator(ESTIMATE, **SIZES, blocks=(1,))
    with pytest.raises(ValueError, match="latent_dim: expected at least 1"):
        small(latent_dim=0)
    with pytest.raises(ValueError, match="factors: expected a product that divides 256 bins"):
        small(factors=(3, 4))


@torch.no_grad()
def test_the_parts_of_the_estimate_undo_each_other(noisy):
    generator = FollowingGenerator(**ESTIMATE, latent_dim=0).eval()
    spectrum = generator.spectrum(noisy)
    level = generator.followed_level(spectrum)
    assert torch.allclose(generator.synthesised(spectrum, 9000), noisy, atol=1e-6)
    again = generator.expanded(generator.compressed(spectrum, level), level)[:, :-1]
    loud = spectrum[:, :-1].abs() > level
    assert torch.allclose(again[loud], spectrum[:, :-1][loud], rtol=0.01)
    assert not generator.expanded(generator.compressed(spectrum, level), level)[:, -1].any()


class TestCritic:
    """The critic of spectra."""

    critic = ConditionalSpectralCritic(scales=(64, 256), channels=(8, 8), factors=(1, 2))

    @torch.no_grad()
    def test_scores_depend_on_the_condition_and_not_on_the_level(self, noisy):
        clean = noisy.roll(1, 0)
        scores = self.critic(clean, noisy)
        assert torch.allclose(self.critic(7 * clean, 7 * noisy), scores, atol=1e-4)
        assert not torch.allclose(self.critic(clean, clean), scores, atol=1e-4)

    @torch.no_grad()
    def test_padding_is_not_read(self, noisy):
        clean, lengths = noisy.roll(1, 0), torch.tensor([1.0, 0.5])
        other = clean.clone()
        other[1, 4500:] = 9.0
        assert torch.equal(self.critic(clean, noisy, lengths), self.critic(other, noisy, lengths))

    def test_short_utterances_are_scored_and_empty_ones_refused(self):
        assert self.critic(torch.randn(2, 5), torch.randn(2, 5)).isfinite().all()
        with pytest.raises(ValueError, match="at least one sample"):
            self.critic(torch.zeros(2, 0), torch.zeros(2, 0))
        with pytest.raises(ValueError, match="scales: expected multiples of 4"):
            ConditionalSpectralCritic(scales=(30,))

    def test_the_penalty_reaches_the_candidate(self, noisy):
        candidate = noisy.clone().requires_grad_(True)
        slope = torch.autograd.grad(self.critic(candidate, noisy).sum(), candidate, create_graph=True)[0]
        slope.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in self.critic.parameters() if p.grad is not None)
        assert self.critic.resolutions[0].stages[0].get_parameter("weight").grad.abs().sum() > 0
