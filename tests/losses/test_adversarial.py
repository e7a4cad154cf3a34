"""Adversarial losses against known gradients, finite differences and closed forms."""

import math

import pytest
import torch
from torch import nn

from sb_resizegan import losses
from tests.losses.finite_differences import check_gradients


class Linear(nn.Module):
    """A critic whose gradient is its weight everywhere."""

    def __init__(self, size, norm):
        super().__init__()
        weight = torch.randn(size, dtype=torch.float64)
        self.weight = nn.Parameter(weight / weight.norm() * norm)
        self.bias = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        return x @ self.weight + self.bias


def smooth_critic(size=6):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(size, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()


@pytest.mark.parametrize(
    ("norm", "sides", "expected"),
    [(3.0, "two-sided", 4.0), (3.0, "one-sided", 4.0), (0.25, "two-sided", 0.5625), (0.25, "one-sided", 0.0)],
)
def test_penalty_of_a_critic_with_known_gradient(norm, sides, expected):
    real, fake = torch.randn(2, 5, 7, dtype=torch.float64)
    penalty = losses.gradient_penalty(Linear(7, norm), real, fake, torch.rand(5, dtype=torch.float64), sides)
    assert penalty.item() == pytest.approx(expected, abs=1e-9)


def test_penalty_is_taken_between_real_and_fake():
    """The critic x^3 has the slope 3x^2: the place shows in the penalty."""
    real, fake = torch.full((1, 1), 2.0, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    for share in (0.0, 0.5, 1.0):
        penalty = losses.gradient_penalty(
            lambda x: x.pow(3).sum(1), real, fake, torch.tensor([share]).double()
        )
        assert penalty.item() == pytest.approx((3 * (2 * share) ** 2 - 1) ** 2, rel=1e-5)


def test_gradient_norm_agrees_with_finite_differences():
    critic, x, step = smooth_critic(), torch.randn(4, 6, dtype=torch.float64), 1e-6
    shifts = torch.eye(6, dtype=torch.float64) * step
    slopes = torch.stack([(critic(x + shift) - critic(x - shift)) / (2 * step) for shift in shifts], dim=1)
    torch.testing.assert_close(losses.gradient_norm(critic, x), slopes.norm(dim=1), rtol=1e-7, atol=0.0)


def test_gradients_of_the_penalised_loss_agree_with_finite_differences_for_every_parameter():
    critic = smooth_critic()
    real, fake = torch.randn(2, 4, 6, dtype=torch.float64)
    epsilon = torch.rand(4, dtype=torch.float64)
    loss = losses.WassersteinGP(weight=10.0)

    def value():
        return loss.critic_loss(critic, real, fake, epsilon)[0]

    check_gradients(critic, value, 1e-6)
    for name, parameter in critic.named_parameters():
        if not name.startswith("2.bias"):
            assert parameter.grad.abs().max() > 0, name


def test_penalty_alone_gives_gradients_of_all_but_what_does_not_change_the_slope():
    critic = smooth_critic()
    real, fake = torch.randn(2, 4, 6, dtype=torch.float64)
    losses.gradient_penalty(critic, real, fake, torch.rand(4, dtype=torch.float64)).backward()
    without = {name for name, p in critic.named_parameters() if p.grad is None or p.grad.abs().max() == 0}
    assert without == {"2.bias"}


def test_norm_at_zero_has_a_finite_gradient():
    critic = Linear(5, 1.0)
    critic.weight.data.zero_()
    losses.gradient_penalty(
        critic, *torch.randn(2, 3, 5, dtype=torch.float64), torch.rand(3).double()
    ).backward()
    assert torch.isfinite(critic.weight.grad).all()


def test_penalty_differentiates_with_respect_to_the_candidate_alone():
    """A conditional critic bound to its condition: the slope along the condition does not count."""
    condition = torch.randn(4, 9, dtype=torch.float64, requires_grad=True)
    real, fake = torch.randn(2, 4, 9, dtype=torch.float64)
    penalty = losses.gradient_penalty(
        lambda x: 2 * x[:, 0] + 100 * condition.sum(dim=1), real, fake, torch.rand(4).double()
    )
    assert penalty.item() == pytest.approx(1.0)


def test_one_bad_example_does_not_change_the_others_norm():
    critic = smooth_critic()
    x = torch.randn(4, 6, dtype=torch.float64)
    alone = losses.gradient_norm(critic, x[:1])
    x[3] = math.inf
    assert losses.gradient_norm(critic, x)[0].item() == pytest.approx(alone.item())


def test_bfloat16_penalty_stays_near_that_of_float32():
    torch.manual_seed(1)
    critic = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0))
    real, fake = torch.randn(2, 32, 64)
    epsilon = torch.rand(32)
    exact = losses.gradient_penalty(critic, real, fake, epsilon)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = losses.gradient_penalty(critic, real, fake, epsilon)
    assert rough.dtype is torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.02)
    with torch.autocast("cpu", dtype=torch.float16):
        assert losses.gradient_penalty(critic, real, fake, epsilon).item() == exact.item()


@pytest.mark.parametrize(
    "loss", [losses.WassersteinGP(), losses.WassersteinClipping(), losses.NonSaturating(), losses.Hinge()]
)
def test_critic_loss_falls_as_the_critic_tells_real_from_fake(loss):
    real, fake = torch.ones(8, 3), -torch.ones(8, 3)
    epsilon = torch.rand(8)
    unit = torch.full((3,), 3**-0.5)
    right, _ = loss.critic_loss(lambda x: x @ unit, real, fake, epsilon)
    wrong, figures = loss.critic_loss(lambda x: x @ -unit, real, fake, epsilon)
    assert right < wrong
    assert all(not value.requires_grad and value.dim() == 0 for value in figures.values())
    assert next(iter(figures.values())).item() == pytest.approx(-2 * 3**0.5, rel=1e-5)


@pytest.mark.parametrize(
    "loss", [losses.WassersteinGP(), losses.WassersteinClipping(), losses.NonSaturating(), losses.Hinge()]
)
def test_generator_descends_towards_a_higher_score(loss):
    fake = torch.zeros(4, 3, requires_grad=True)
    loss.generator_loss(lambda x: x @ torch.tensor([1.0, 2.0, 0.0]), fake).backward()
    assert (fake.grad[:, :2] < 0).all()
    assert (fake.grad[:, 2] == 0).all()


def test_closed_forms_at_indifference():
    real, fake, epsilon = torch.zeros(4, 3), torch.zeros(4, 3), torch.rand(4)
    flat = lambda x: 0 * x.sum(dim=1)  # noqa: E731
    assert losses.NonSaturating().critic_loss(flat, real, fake, epsilon)[0].item() == pytest.approx(
        2 * math.log(2)
    )
    assert losses.NonSaturating().generator_loss(flat, fake).item() == pytest.approx(math.log(2))
    assert losses.Hinge().critic_loss(flat, real, fake, epsilon)[0].item() == 2.0
    assert losses.WassersteinGP(weight=10.0).critic_loss(flat, real, fake, epsilon)[
        0
    ].item() == pytest.approx(10, rel=1e-4)


def test_hinge_stops_at_the_margin():
    far = lambda x: 5 * x.sum(dim=1)  # noqa: E731
    value, _ = losses.Hinge().critic_loss(far, torch.ones(2, 1), -torch.ones(2, 1), torch.rand(2))
    assert value.item() == 0.0


def test_clipping_keeps_every_weight_in_its_box():
    critic = nn.Linear(4, 4)
    losses.WassersteinClipping(clip=0.05).after_critic_step(critic)
    assert max(p.abs().max() for p in critic.parameters()) <= 0.05


def test_errors_name_what_was_expected():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"sides: expected one of .*two-sided.* but got 'both'"):
        losses.WassersteinGP(sides="both")
    with pytest.raises(ValueError, match="weight: expected at least 0, but got -1"):
        losses.WassersteinGP(weight=-1)
    with pytest.raises(ValueError, match="clip: expected more than 0, but got 0"):
        losses.WassersteinClipping(clip=0)
    with pytest.raises(ValueError, match=r"but got \(2, 3\), \(2, 4\) and \(2,\)"):
        losses.gradient_penalty(lambda x: x.sum(1), x, torch.zeros(2, 4), torch.rand(2))
