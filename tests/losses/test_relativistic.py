"""The relativistic loss and penalties that are taken on some steps only."""

import math

import pytest
import torch
from torch import nn

from sb_resizegan import losses
from tests.losses.finite_differences import check_gradients


def smooth_critic():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()


def batches():
    return torch.randn(2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_values_for_a_linear_critic():
    """A linear critic of slope w has the squared norm |w|² everywhere."""
    slope = torch.tensor([1.0, 2.0, 2.0])
    real, fake = torch.ones(5, 3), torch.zeros(5, 3)
    loss = losses.RelativisticR1R2(gamma=0.5)
    value, figures = loss.critic_loss(lambda x: x @ slope, real, fake, torch.rand(5))
    assert value.item() == pytest.approx(math.log1p(math.exp(-5)) + 0.5 / 2 * (9 + 9))
    assert figures["score_gap"].item() == pytest.approx(5)
    assert loss.generator_loss(lambda x: x @ slope, fake, real).item() == pytest.approx(
        math.log1p(math.exp(5))
    )


def test_gradients_agree_with_finite_differences_for_every_parameter():
    critic, (real, fake) = smooth_critic(), batches()
    loss = losses.RelativisticR1R2(gamma=0.7)

    def value():
        return loss.critic_loss(critic, real, fake, torch.rand(4))[0]

    check_gradients(critic, value, 1e-7)


def test_the_offset_of_the_scores_is_not_seen():
    critic, (real, fake) = smooth_critic(), batches()
    loss = losses.RelativisticR1R2()
    for function in (
        lambda c: loss.critic_loss(c, real, fake, torch.rand(4))[0],
        lambda c: loss.generator_loss(c, fake, real),
    ):
        assert function(critic).item() == pytest.approx(function(lambda x: critic(x) + 100).item())


def test_generator_follows_the_slope_weighted_by_how_far_its_pair_is_behind():
    slope = torch.tensor([1.0, 0.0], dtype=torch.float64)
    real = torch.tensor([[0.0, 0.0], [5.0, 0.0]], dtype=torch.float64)
    fake = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    losses.RelativisticR1R2().generator_loss(lambda x: x @ slope, fake, real).backward()
    assert fake.grad[:, 0].tolist() == pytest.approx([-0.25, -0.5 / (1 + math.exp(-5))])


def test_generator_loss_says_that_real_examples_are_missing():
    with pytest.raises(ValueError, match="real: a relativistic loss needs"):
        losses.RelativisticR1R2().generator_loss(smooth_critic(), batches()[0])


@pytest.mark.parametrize("make", [losses.RelativisticR1R2, losses.WassersteinGP])
def test_a_lazy_penalty_is_the_whole_one_on_average(make):
    critic, (real, fake) = smooth_critic(), batches()
    epsilon = torch.rand(4, dtype=torch.float64)
    lazy, whole = make(penalty_interval=4), make()
    values = [lazy.critic_loss(critic, real, fake, epsilon, step) for step in range(8)]
    expected, _ = whole.critic_loss(critic, real, fake, epsilon)
    assert sum(value.item() for value, _ in values) / 8 == pytest.approx(expected.item())
    assert ["penalty" in figures for _, figures in values] == 2 * [True, False, False, False]


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="gamma: expected at least 0"):
        losses.RelativisticR1R2(gamma=-1.0)
    with pytest.raises(ValueError, match="penalty_interval: expected at least 1"):
        losses.RelativisticR1R2(penalty_interval=0)
