"""What a source of noisy speech hands out for training."""

from typing import NamedTuple

import torch

__all__ = ["JoinedBatch", "NoisyBatch"]


class NoisyBatch(NamedTuple):
    """Noisy utterances and what a perfect enhancer would make of them.

    A tuple of tensors, so that a ``DataLoader`` pins and collates it as it is.

    Arguments
    ---------
    noisy : torch.Tensor
        ``(batch, time)``, float32.
    clean : torch.Tensor
        ``(batch, time)``, float32, aligned with ``noisy``.
    lengths : torch.Tensor
        ``(batch,)``, float32: the part of ``time`` that each row fills, above 0 and at most 1.

    Example
    -------
    >>> batch = NoisyBatch(torch.zeros(2, 800), torch.zeros(2, 800), torch.ones(2)).to("cpu")
    >>> batch.noisy.shape
    torch.Size([2, 800])
    """

    noisy: torch.Tensor
    clean: torch.Tensor
    lengths: torch.Tensor

    def to(self, device: str | torch.device, non_blocking: bool = False) -> "NoisyBatch":
        """The same batch on another device.

        Arguments
        ---------
        device : str or torch.device
            Where to.
        non_blocking : bool
            As in ``torch.Tensor.to``; of use for a pinned batch.

        Returns
        -------
        NoisyBatch
        """
        return NoisyBatch(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))

    def joined(self) -> "JoinedBatch":
        """The same in one tensor, for one copy to a GPU instead of three.

        Returns
        -------
        JoinedBatch
        """
        return JoinedBatch(torch.cat([tensor.flatten() for tensor in self]), len(self.lengths))


class JoinedBatch(NamedTuple):
    """A `NoisyBatch` on its way to a device.

    Arguments
    ---------
    samples : torch.Tensor
        Noisy speech, clean speech and lengths, one after the other: ``(2 * batch * time + batch,)``.
    batch : int
        Utterances.

    Example
    -------
    >>> batch = NoisyBatch(torch.randn(2, 800), torch.randn(2, 800), torch.tensor([1.0, 0.5]))
    >>> again = batch.joined().to("cpu")
    >>> all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
    True
    """

    samples: torch.Tensor
    batch: int

    def to(self, device: str | torch.device, non_blocking: bool = False) -> NoisyBatch:
        """As `NoisyBatch.to()`."""
        samples = self.samples.to(device, non_blocking=non_blocking)
        size = (len(samples) - self.batch) // 2
        noisy, clean, lengths = samples.split([size, size, self.batch])
        return NoisyBatch(noisy.view(self.batch, -1), clean.view(self.batch, -1), lengths)
