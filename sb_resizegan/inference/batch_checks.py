"""Checks of what a user hands to an enhancer: a batch, relative lengths, a seed."""

import numpy as np
import torch

__all__ = ["check_batch", "chosen_seed"]


def check_batch(noisy: torch.Tensor, lengths: torch.Tensor | np.ndarray | None) -> list[int]:
    """Samples of each utterance of a batch.

    Arguments
    ---------
    noisy : torch.Tensor
        ``(batch, time)``.
    lengths : torch.Tensor or numpy.ndarray, optional
        Relative lengths ``(batch,)`` in (0, 1].

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        For a wrong shape or type, NaN or Inf.

    Example
    -------
    >>> check_batch(torch.zeros(2, 8000), torch.tensor([1.0, 0.5]))
    [8000, 4000]
    """
    if noisy.dim() != 2 or 0 in noisy.shape or not noisy.is_floating_point():
        raise ValueError(
            f"noisy: expected floating-point (batch, time), but got {tuple(noisy.shape)} of {noisy.dtype}"
        )
    batch, time = noisy.shape
    relative = torch.ones(batch) if lengths is None else torch.as_tensor(lengths).cpu()
    if relative.shape != (batch,) or not ((relative > 0) & (relative <= 1)).all():
        raise ValueError(f"lengths: expected ({batch},) in (0, 1], but got {relative.tolist()}")
    frames = [max(1, round(length * time)) for length in relative.tolist()]
    for row, length in enumerate(frames):
        if not noisy[row, :length].isfinite().all():
            raise ValueError(f"noisy: expected finite samples, but row {row} holds NaN or Inf")
    return frames


def chosen_seed(seed: int | None) -> int:
    """The seed that was given, or a new one for None.

    Example
    -------
    >>> chosen_seed(3)
    3
    """
    return int(torch.randint(2**63 - 1, ())) if seed is None else seed
