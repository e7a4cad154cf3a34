"""What a source of degraded speech hands out for training."""

from typing import NamedTuple

import torch

__all__ = ["RestorationBatch"]


class RestorationBatch(NamedTuple):
    """Degraded utterances, what they were before, and what they have lost.

    A tuple of tensors, so that a ``DataLoader`` pins and collates it as it is.

    Arguments
    ---------
    noisy : torch.Tensor
        ``(batch, time)``, float32: the degraded speech.
    clean : torch.Tensor
        ``(batch, time)``, float32, aligned with ``noisy``.
    lengths : torch.Tensor
        ``(batch,)``, float32: the part of ``time`` that each row fills, above 0 and at most 1.
    lost : torch.Tensor
        ``(batch, bins, frames)``, float32, 0 to 1: the mask of what was lost
        (`sb_resizegan.augment.lost_information`).

    Example
    -------
    >>> batch = RestorationBatch(*torch.zeros(2, 1, 800), torch.ones(1), torch.zeros(1, 257, 5)).to("cpu")
    >>> batch.lost.shape
    torch.Size([1, 257, 5])
    """

    noisy: torch.Tensor
    clean: torch.Tensor
    lengths: torch.Tensor
    lost: torch.Tensor

    def to(self, device: str | torch.device, non_blocking: bool = False) -> "RestorationBatch":
        """The same batch on another device.

        Arguments
        ---------
        device : str or torch.device
            Where to.
        non_blocking : bool
            As in ``torch.Tensor.to``; of use for a pinned batch.

        Returns
        -------
        RestorationBatch
        """
        return RestorationBatch(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))
