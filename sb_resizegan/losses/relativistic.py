"""Relativistic loss with zero-centred gradient penalties.

Source
------
N. Huang et al., "The GAN is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024 (R3GAN), equation 2
and section 3; the pairing of scores is that of A. Jolicoeur-Martineau, "The relativistic discriminator", ICLR
2019.
"""

import torch
from torch.nn import functional as F

from sb_resizegan.losses.adversarial import (
    Critic,
    LossAndFigures,
    WassersteinGP,
    _AdversarialLoss,
    _precise,
    score_both,
    scores_and_slope,
)
from sb_resizegan.utils.checks import check_choice, check_integer

__all__ = ["PENALISED_LOSSES", "RelativisticR1R2", "penalised_loss"]

PENALISED_LOSSES = ("wasserstein", "relativistic")


class RelativisticR1R2(_AdversarialLoss):
    """Pairs each generated example with a real one, and flattens the critic at both.

    The critic minimises ``softplus(D(fake) - D(real)) + gamma / 2 (|grad D(real)|² + |grad D(fake)|²)``, the
    generator ``softplus(D(real) - D(fake))``, as means over the batch. A critic that sees only the difference
    of a pair cannot let the generator put all its mass where scores are high, and the two penalties make
    training locally convergent.

    Arguments
    ---------
    gamma : float
        Weight of the penalties; at least 0. It goes with the square of the data's scale.
    penalty_interval : int
        The penalties are taken on every so many steps of the critic, with so many times their weight (T.
        Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, section 3.1).

    Raises
    ------
    ValueError
        For a weight below 0 or an interval below 1.

    Example
    -------
    >>> loss = RelativisticR1R2(gamma=2.0)
    >>> critic = lambda x: x.sum(dim=1)
    >>> value, figures = loss.critic_loss(critic, torch.ones(4, 3), torch.ones(4, 3), torch.rand(4))
    >>> round(value.item(), 4), figures["penalty"].item()   # log 2 + 2 / 2 * (3 + 3)
    (6.6931, 3.0)
    """

    def __init__(self, gamma: float = 0.3, penalty_interval: int = 1) -> None:
        if not gamma >= 0:
            raise ValueError(f"gamma: expected at least 0, but got {gamma}")
        self.gamma = gamma
        self.penalty_interval = check_integer("penalty_interval", penalty_interval)

    def critic_loss(
        self, critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, step: int = 0
    ) -> LossAndFigures:
        """Loss and figures of the critic; ``penalty`` is the mean squared norm at real and generated."""
        del epsilon
        if step % self.penalty_interval:
            real_scores, fake_scores = score_both(critic, real, fake)
            loss, figures = F.softplus(fake_scores - real_scores).mean(), {}
        else:
            # One call gives the scores and, at the same points, the gradients.
            scores, slope = scores_and_slope(critic, torch.cat([real, fake]))
            real_scores, fake_scores = scores[: len(real)], scores[len(real) :]
            penalty = slope.mean()
            loss = F.softplus(fake_scores - real_scores).mean()
            loss = loss + self.gamma * self.penalty_interval * penalty
            figures = {"penalty": penalty.detach()}
        return loss, {"score_gap": (real_scores.mean() - fake_scores.mean()).detach(), **figures}

    def generator_loss(
        self, critic: Critic, fake: torch.Tensor, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of the generator.

        Raises
        ------
        ValueError
            Without real examples to pair with.
        """
        if real is None:
            raise ValueError("real: a relativistic loss needs the batch of real examples, but got None")
        with torch.no_grad():  # the generator does not change these
            real_scores = _precise(critic(real))
        return F.softplus(real_scores - _precise(critic(fake))).mean()


def penalised_loss(
    name: str, penalty_weight: float, penalty_interval: int = 1
) -> WassersteinGP | RelativisticR1R2:
    """The loss that a word chooses.

    Arguments
    ---------
    name : str
        ``wasserstein`` for `WassersteinGP`, ``relativistic`` for
        `RelativisticR1R2`.
    penalty_weight : float
        Lambda of the first, gamma of the second.
    penalty_interval : int
        Steps of the critic from one penalty to the next.

    Returns
    -------
    WassersteinGP or RelativisticR1R2

    Raises
    ------
    ValueError
        For another word, a negative weight or an interval below 1.

    Example
    -------
    >>> penalised_loss("relativistic", 0.3).gamma
    0.3
    """
    check_choice("adversarial_loss", name, PENALISED_LOSSES)
    if name == "wasserstein":
        return WassersteinGP(penalty_weight, penalty_interval=penalty_interval)
    return RelativisticR1R2(penalty_weight, penalty_interval)
