"""Layers, generators, critics and losses on the device, forwards and backwards."""

import pytest
import torch

from sb_resizegan.losses import EnhancementObjective, Hinge, NonSaturating, WassersteinClipping, WassersteinGP
from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.memory import limit_memory
from sb_resizegan.models.padded_batches import enhance_padded
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.models.waveform_generator import WaveformGenerator
from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.nnet import BandLimit, Downsample1d, LeakyReLU, PhaseShuffle, Upsample1d
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES
from tests.device.compared import check_same, moved
from tests.device.virtual import recorded

LAYERS = {
    **{
        f"up {mode} {'fused' if fused else 'plain'}": (
            lambda m=mode, f=fused: Upsample1d(2, 3, 5, 2, m, f),
            2,
        )
        for mode in UPSAMPLING_MODES
        for fused in (True, False)
    },
    **{
        f"down {mode} {'fused' if fused else 'plain'}": (
            lambda m=mode, f=fused: Downsample1d(2, 3, 5, 2, m, f),
            2,
        )
        for mode in DOWNSAMPLING_MODES
        for fused in (True, False)
    },
    "leaky ReLU": (lambda: LeakyReLU(0.2), 2),
    "band limit": (lambda: BandLimit(1800.0, 16000), None),
}


def scores_and_gradients(module, *inputs):
    """Output, and the gradients of a penalty on the input's gradient: two backward passes."""
    inputs = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
    output = module(*inputs)
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs[0], create_graph=True)
    gradient.square().sum().backward()
    return output, gradient, [p.grad for p in module.parameters() if p.grad is not None], inputs[0].grad


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, device):
    make, channels = LAYERS[name]
    shape = (2, 1400) if channels is None else (2, channels, 24)
    with recorded() as traffic:
        check_same(scores_and_gradients, (make(), torch.randn(shape)), device)
    own = [copy for copy in traffic.to_host + traffic.to_device if not copy.place.startswith("tests")]
    assert own == [], str(traffic)


def test_phase_shuffle(device):
    check_same(
        scores_and_gradients, (PhaseShuffle(2), torch.randn(3, 4, 20), torch.tensor([1, -2, 0])), device
    )
    drawn = PhaseShuffle(2)(torch.randn(3, 4, 20).to(device))
    assert drawn.device.type == device.type


@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
def test_window_generator(upsampling, device):
    generator = WindowGenerator(channels=(8, 4, 4, 2), latent_dim=8, upsampling=upsampling)
    latent = generator.sample_latent(2, torch.Generator().manual_seed(1))
    check_same(scores_and_gradients, (generator, latent), device)
    on_device = generator.to(device)
    again = on_device.sample_latent(2, torch.Generator().manual_seed(1))
    assert again.device.type == device.type and torch.equal(again.cpu(), latent)


@pytest.mark.parametrize("downsampling", DOWNSAMPLING_MODES)
def test_window_critic(downsampling, device):
    critic = WindowCritic(channels=(2, 4, 4, 8), downsampling=downsampling)
    shifts = critic.draw_shifts(2, torch.Generator().manual_seed(1))
    check_same(scores_and_gradients, (critic, torch.randn(2, 2048), shifts), device)


@pytest.mark.parametrize("time", [40, 3001])
def test_conditional_critic(time, device):
    critic = ConditionalCritic(channels=(2, 4, 4, 4))
    shifts = critic.draw_shifts(2, torch.Generator().manual_seed(1))
    candidates, noisy = torch.randn(2, 2, time)

    def with_unit(critic, candidates, noisy, lengths, shifts):
        unit = critic.distance_unit(noisy, lengths)
        bound = lambda x: critic(x, noisy / unit, lengths, shifts)  # noqa: E731
        bound.parameters = critic.parameters
        return scores_and_gradients(bound, candidates / unit)

    check_same(with_unit, (critic, candidates, noisy, torch.tensor([1.0, 0.7]), shifts), device)
    check_same(scores_and_gradients, (critic.eval(), candidates, noisy), device)


def gradients(module, *inputs):
    """Output and gradients of one backward pass: LSTMs have no fast double one."""
    output = module(*inputs)
    output.square().mean().backward()
    return output, [p.grad for p in module.parameters() if p.grad is not None]


@pytest.mark.parametrize("latent_dim", [0, 4])
@pytest.mark.parametrize("causal", [False, True])
def test_spectral_generator(causal, latent_dim, device):
    generator = SpectralGenerator(8, 8, 8, blocks=1, causal=causal, latent_dim=latent_dim)
    latent = generator.sample_latent(2, 3000, torch.Generator().manual_seed(1))
    check_same(gradients, (generator, torch.randn(2, 3000), latent), device)
    assert generator.to(device)(torch.zeros(1, 700).to(device)).device.type == device.type


@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
def test_waveform_generator(upsampling, device):
    generator = WaveformGenerator(4, (2, 4, 4), (2, 2, 4), upsampling=upsampling)
    latent = generator.sample_latent(2, 500, torch.Generator().manual_seed(1))
    check_same(gradients, (generator, torch.randn(2, 500), latent), device)


def test_memory_limit(device):
    generator = SpectralGenerator(8, 8, 8, blocks=2)
    for block in generator.blocks:
        block.time_path.recurrent.bias_ih_l0.data[:4] += 6.0

    def limited(generator, noisy):
        return limit_memory(generator, noisy, 0.2), list(generator.parameters())

    check_same(limited, (generator, torch.randn(1, 32000)), device)


@pytest.mark.parametrize(
    "loss",
    [WassersteinGP(), WassersteinGP(sides="one-sided"), WassersteinClipping(), NonSaturating(), Hinge()],
    ids=lambda loss: type(loss).__name__ + getattr(loss, "sides", ""),
)
def test_adversarial_loss(loss, device):
    critic = WindowCritic(channels=(2, 4, 4, 8), phase_shuffle=0)

    def both_steps(critic, real, fake, epsilon):
        value, figures = loss.critic_loss(critic, real, fake, epsilon)
        value.backward()
        loss.after_critic_step(critic)
        weights = [p.detach().clone() for p in critic.parameters()]
        return (
            value,
            figures,
            weights,
            [p.grad for p in critic.parameters()],
            loss.generator_loss(critic, fake),
        )

    with recorded() as traffic:
        check_same(both_steps, (critic, *torch.randn(2, 4, 2048), torch.rand(4)), device)
    assert all(copy.place.startswith("tests") for copy in traffic.to_host), str(traffic)


def test_enhancement_objective(device):
    objective = EnhancementObjective()

    def with_gradient(enhanced, clean, lengths):
        enhanced.requires_grad_()
        value, figures = objective(enhanced, clean, lengths)
        value.backward()
        return value, figures, enhanced.grad

    clean = torch.randn(2, 12000)
    noisy = clean + 0.3 * torch.randn(2, 12000)
    check_same(with_gradient, (noisy, clean, torch.tensor([1.0, 0.7])), device)


def test_average(device):
    def averaged(module, other):
        average = exponential_average(module, 0.9)
        average.update_parameters(other)
        average.update_parameters(module)
        return list(average.parameters())

    check_same(averaged, (torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)), device)


def test_a_padded_batch(device):
    generator = SpectralGenerator(channels=8, time_units=8, band_units=8, blocks=1, latent_dim=0)
    noisy = torch.randn(2, 4000)
    noisy[1, 2500:] = 0
    expected = enhance_padded(generator, noisy, [4000, 2500], [None, None])
    found = enhance_padded(*moved((generator, noisy), device), [4000, 2500], [None, None])
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
