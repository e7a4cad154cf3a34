"""Disturbance of each frame, symmetric and asymmetric (P.862, clauses 10.2.8 to 10.2.10)."""

from itertools import pairwise

import torch

from sb_resizegan.metrics.pesq.constants import tables
from sb_resizegan.metrics.pesq.layout import GUARD_SLOTS, HOP, SLOT, quotient
from sb_resizegan.metrics.pesq.perceptual import loudness
from sb_resizegan.metrics.pesq.sections import Utterance

DROPPED_JUMP = -256  # samples; a delay that falls by more leaves frames out


def safe_root(value: torch.Tensor, exponent: float) -> torch.Tensor:
    """A root whose gradient at zero is zero instead of infinite.

    Arguments
    ---------
    value : Tensor
        Not negative.
    exponent : float
        Between 0 and 1.

    Returns
    -------
    Tensor
        As ``value``.

    Example
    -------
    >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> safe_root(x, 0.5).sum().backward()
    >>> x.grad
    tensor([0.0000, 0.2500])
    """
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0) ** exponent, 0.0)


def frame_disturbance(reference: torch.Tensor, degraded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric and asymmetric disturbance from band powers.

    Arguments
    ---------
    reference, degraded : Tensor
        Compensated band powers, (..., 48).

    Returns
    -------
    symmetric, asymmetric : Tensor
        (...).

    Example
    -------
    >>> same = 1e6 * torch.rand(2, 5, 48)
    >>> frame_disturbance(same, same)[0].max()
    tensor(0.)
    """
    width = tables(reference.device, reference.dtype).width
    loud_r, loud_d = loudness(reference), loudness(degraded)
    # Shrinks the difference towards zero by a quarter of the quieter one: masking.
    difference = loud_d - loud_r
    size = (difference.abs() - 0.25 * torch.minimum(loud_d, loud_r)).clamp(min=0.0)
    total = width.sum()
    symmetric = safe_root(size.square() @ width.square() * total, 0.5)
    factor = ((degraded + 50.0) / (reference + 50.0)) ** 1.2
    factor = torch.where(factor < 3.0, 0.0, factor.clamp(max=12.0))
    return symmetric, (size * factor) @ width


def dropped_frames(utterances: list[Utterance], frames: int) -> list[bool]:
    """Frames left out where the delay falls, as the degraded signal has no counterpart (clause 10.2.9).

    Arguments
    ---------
    utterances : list of Utterance
        Of one pair, in order.
    frames : int
        Number of frames.

    Returns
    -------
    list of bool

    Example
    -------
    >>> from sb_resizegan.metrics.pesq.sections import Utterance
    >>> jump = [Utterance(75, 200, 0, 512, 1.0), Utterance(200, 400, 0, 0, 1.0)]
    >>> [f for f, out in enumerate(dropped_frames(jump, 100)) if out]
    [31, 32, 33, 34]
    """
    out = [False] * frames
    for before, after in pairwise(utterances):
        jump = after.delay - before.delay
        if jump < DROPPED_JUMP:
            first = min(
                quotient(SLOT * (after.start - GUARD_SLOTS) + after.delay, HOP),
                quotient(SLOT * (before.end - GUARD_SLOTS) + before.delay, HOP),
            )
            last = quotient(SLOT * (after.start - GUARD_SLOTS) + abs(jump), HOP) + 1
            for frame in range(max(first, 0), min(last + 1, frames)):
                out[frame] = True
    return out
