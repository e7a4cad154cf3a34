"""Adversarial losses: one class each, chosen in the yaml by name.

All have the same three methods, so a Brain need not know which one it has:

* ``critic_loss(critic, real, fake, epsilon, step)`` gives the loss that the critic minimises and its figures;
  ``step`` is the number of the critic's step, for penalties that are taken on some steps only,
* ``generator_loss(critic, fake, real)`` gives the loss that the generator minimises; only relativistic losses
  (`sb_resizegan.losses.relativistic`) look at ``real``,
* ``after_critic_step(critic)`` changes the critic after its optimizer step (weight clipping), or does
  nothing.

``critic`` is any callable from candidates to scores ``(batch,)``. A conditional critic is bound to its
condition by the caller (``lambda x: critic(x, noisy)``), so the penalty differentiates with respect to the
candidate alone. The figures are detached tensors without dimension: the mean score of real minus that of fake
(``wasserstein``, or ``score_gap`` where it does not estimate that distance) and, where there is one,
``penalty``.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.utils.checks import check_integer

Critic = Callable[[torch.Tensor], torch.Tensor]
LossAndFigures = tuple[torch.Tensor, dict[str, torch.Tensor]]

SIDES = ("two-sided", "one-sided")


def _precise(x: torch.Tensor) -> torch.Tensor:
    """At least float32, so that means and norms are not computed in half precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def scores_and_slope(critic: Critic, candidates: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of candidates and the squared norm of the critic's gradient at each, for a penalty.

    Computed in float32 with autocast off where that would be float16, whose range the penalty's graph leaves.

    Arguments
    ---------
    critic : callable
        From candidates to scores ``(batch,)``.
    candidates : torch.Tensor
        ``(batch, ...)``.

    Returns
    -------
    tuple of torch.Tensor
        ``(batch,)`` each, both differentiable; the norm is taken over all dimensions but the first.

    Example
    -------
    >>> scores, slope = scores_and_slope(lambda x: 3 * x.sum(dim=1), torch.ones(2, 4))
    >>> scores.tolist(), slope.tolist()
    ([12.0, 12.0], [36.0, 36.0])
    """
    device_type = candidates.device.type
    half = torch.is_autocast_enabled(device_type) and torch.get_autocast_dtype(device_type) is torch.float16
    candidates = candidates.detach().requires_grad_(True)
    with (
        torch.enable_grad(),
        torch.autocast(device_type, enabled=torch.is_autocast_enabled(device_type) and not half),
    ):
        scores = _precise(critic(candidates))
        (gradient,) = torch.autograd.grad(scores.sum(), candidates, create_graph=True)
    return scores, _precise(gradient).flatten(1).square().sum(dim=1)


def gradient_norm(critic: Critic, candidates: torch.Tensor) -> torch.Tensor:
    """Norm of the critic's gradient at each candidate, differentiable: see `scores_and_slope()`.

    Arguments
    ---------
    critic : callable
        From candidates to scores ``(batch,)``.
    candidates : torch.Tensor
        ``(batch, ...)``.

    Returns
    -------
    torch.Tensor
        ``(batch,)``. Its own gradient is finite at zero.
    """
    # The square root has an infinite slope at zero, which a dead critic reaches.
    return (scores_and_slope(critic, candidates)[1] + 1e-12).sqrt()


def gradient_penalty(
    critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, sides: str = "two-sided"
) -> torch.Tensor:
    """Gradient penalty on random points between real and fake examples.

    I. Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017, equation 3 (two-sided) and the
    one-sided variant of its section 4, without the factor lambda.

    Arguments
    ---------
    critic : callable
        From candidates to scores ``(batch,)``.
    real : torch.Tensor
        ``(batch, ...)``.
    fake : torch.Tensor
        The same shape.
    epsilon : torch.Tensor
        ``(batch,)`` in [0, 1]: the share of ``real`` in each point.
    sides : str
        ``two-sided`` pulls the norm to 1, ``one-sided`` only pushes it below 1.

    Returns
    -------
    torch.Tensor
        Mean over the batch, without dimension.

    Raises
    ------
    ValueError
        For another value of ``sides``, or shapes that do not fit.

    Example
    -------
    >>> slope_two = lambda x: 2 * x.sum(dim=1) / x.shape[1] ** 0.5
    >>> gradient_penalty(slope_two, torch.zeros(4, 9), torch.ones(4, 9), torch.rand(4))
    tensor(1.)
    """
    if sides not in SIDES:
        raise ValueError(f"sides: expected one of {list(SIDES)}, but got {sides!r}")
    if real.shape != fake.shape or epsilon.shape != real.shape[:1]:
        raise ValueError(
            "expected real and fake of one shape (batch, ...) and epsilon (batch,), "
            f"but got {tuple(real.shape)}, {tuple(fake.shape)} and {tuple(epsilon.shape)}"
        )
    share = epsilon.to(real).view(-1, *[1] * (real.dim() - 1))
    excess = gradient_norm(critic, share * real + (1 - share) * fake) - 1
    if sides == "one-sided":
        excess = excess.relu()
    return excess.square().mean()


def score_both(critic: Critic, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of real and fake examples from one call of the critic, which is cheaper than two."""
    scores = _precise(critic(torch.cat([real, fake])))
    return scores[: len(real)], scores[len(real) :]


class _AdversarialLoss:
    """What the losses share."""

    def after_critic_step(self, critic: nn.Module) -> None:
        """Nothing to do."""


class WassersteinGP(_AdversarialLoss):
    """Wasserstein loss with gradient penalty (Gulrajani et al. 2017, equation 3).

    The two parts are one loss: separate backward passes break ``DistributedDataParallel``.

    Arguments
    ---------
    weight : float
        Lambda, the weight of the penalty; at least 0.
    sides : str
        ``two-sided`` or ``one-sided``.
    penalty_interval : int
        The penalty is taken on every so many steps of the critic, with so many times its weight (T. Karras et
        al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, section 3.1); 1 is the
        published loss.

    Example
    -------
    >>> loss = WassersteinGP(weight=10.0)
    >>> critic = torch.nn.Sequential(torch.nn.Linear(5, 1), torch.nn.Flatten(0))
    >>> value, figures = loss.critic_loss(critic, torch.randn(4, 5), torch.randn(4, 5), torch.rand(4))
    >>> sorted(figures)
    ['penalty', 'wasserstein']
    """

    def __init__(self, weight: float = 10.0, sides: str = "two-sided", penalty_interval: int = 1) -> None:
        if sides not in SIDES:
            raise ValueError(f"sides: expected one of {list(SIDES)}, but got {sides!r}")
        if not weight >= 0:
            raise ValueError(f"weight: expected at least 0, but got {weight}")
        self.weight = weight
        self.sides = sides
        self.penalty_interval = check_integer("penalty_interval", penalty_interval)

    def critic_loss(
        self, critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, step: int = 0
    ) -> LossAndFigures:
        """Loss and figures of the critic."""
        real_scores, fake_scores = score_both(critic, real, fake)
        wasserstein = real_scores.mean() - fake_scores.mean()
        if step % self.penalty_interval:
            return -wasserstein, {"wasserstein": wasserstein.detach()}
        penalty = gradient_penalty(critic, real, fake, epsilon, self.sides)
        loss = self.weight * self.penalty_interval * penalty - wasserstein
        return loss, {"wasserstein": wasserstein.detach(), "penalty": penalty.detach()}

    def generator_loss(
        self, critic: Critic, fake: torch.Tensor, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of the generator."""
        del real
        return -_precise(critic(fake)).mean()


class WassersteinClipping(_AdversarialLoss):
    """Wasserstein loss with clipped weights (M. Arjovsky et al., "Wasserstein GAN", 2017, algorithm 1).

    Arguments
    ---------
    clip : float
        Every parameter of the critic is kept within [-clip, clip]; above 0.
    """

    def __init__(self, clip: float = 0.01) -> None:
        if not clip > 0:
            raise ValueError(f"clip: expected more than 0, but got {clip}")
        self.clip = clip

    def critic_loss(
        self, critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, step: int = 0
    ) -> LossAndFigures:
        """Loss and figures of the critic."""
        del epsilon, step
        real_scores, fake_scores = score_both(critic, real, fake)
        wasserstein = real_scores.mean() - fake_scores.mean()
        return -wasserstein, {"wasserstein": wasserstein.detach()}

    def generator_loss(
        self, critic: Critic, fake: torch.Tensor, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of the generator."""
        del real
        return -_precise(critic(fake)).mean()

    @torch.no_grad()
    def after_critic_step(self, critic: nn.Module) -> None:
        """Clips the weights of ``critic``, a module."""
        for parameter in critic.parameters():
            parameter.clamp_(-self.clip, self.clip)


class NonSaturating(_AdversarialLoss):
    """The original GAN with the non-saturating generator loss (I. Goodfellow et al. 2014, section 3)."""

    def critic_loss(
        self, critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, step: int = 0
    ) -> LossAndFigures:
        """Loss and figures of the critic, whose scores are logits."""
        del epsilon, step
        real_scores, fake_scores = score_both(critic, real, fake)
        loss = F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()
        return loss, {"score_gap": (real_scores.mean() - fake_scores.mean()).detach()}

    def generator_loss(
        self, critic: Critic, fake: torch.Tensor, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of the generator."""
        del real
        return F.softplus(-_precise(critic(fake))).mean()


class Hinge(_AdversarialLoss):
    """Hinge loss (J. H. Lim and J. C. Ye, "Geometric GAN", 2017; used by GAN-TTS)."""

    def critic_loss(
        self, critic: Critic, real: torch.Tensor, fake: torch.Tensor, epsilon: torch.Tensor, step: int = 0
    ) -> LossAndFigures:
        """Loss and figures of the critic."""
        del epsilon, step
        real_scores, fake_scores = score_both(critic, real, fake)
        loss = F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()
        return loss, {"score_gap": (real_scores.mean() - fake_scores.mean()).detach()}

    def generator_loss(
        self, critic: Critic, fake: torch.Tensor, real: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of the generator."""
        del real
        return -_precise(critic(fake)).mean()
