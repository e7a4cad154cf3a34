"""What a source of noisy speech hands out for training."""

from typing import Any, NamedTuple

import torch

__all__ = ["JoinedBatch", "NoisyBatch", "as_noisy_batch"]


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


def as_noisy_batch(batch: Any) -> NoisyBatch:
    """What SpeechBrain has collated, as a training takes it.

    Arguments
    ---------
    batch : speechbrain.dataio.batch.PaddedBatch
        With ``noisy_sig`` and ``clean_sig``, as in SpeechBrain's recipes of enhancement, of equal lengths.

    Returns
    -------
    NoisyBatch

    Raises
    ------
    TypeError
        If it has no such signals.
    ValueError
        If the signals have other shapes than ``(batch, time)``, or unequal lengths.

    Example
    -------
    >>> from speechbrain.dataio.batch import PaddedBatch
    >>> pair = lambda time: {"noisy_sig": torch.randn(time), "clean_sig": torch.randn(time)}
    >>> batch = as_noisy_batch(PaddedBatch([pair(800), pair(400)]))
    >>> batch.noisy.shape, batch.lengths
    (torch.Size([2, 800]), tensor([1.0000, 0.5000]))
    """
    try:
        (noisy, lengths), (clean, clean_lengths) = batch.noisy_sig, batch.clean_sig
    except (AttributeError, TypeError, ValueError) as error:
        raise TypeError(
            "batch: expected a PaddedBatch with noisy_sig and clean_sig, "
            f"but got {type(batch).__name__}: {error}"
        ) from error
    if noisy.dim() != 2 or noisy.shape != clean.shape or not torch.equal(lengths, clean_lengths):
        raise ValueError(
            "batch: expected noisy_sig and clean_sig of one shape (batch, time) and of equal lengths, "
            f"but got {tuple(noisy.shape)} and {tuple(clean.shape)}, "
            f"{lengths.tolist()} and {clean_lengths.tolist()}"
        )
    return NoisyBatch(noisy, clean, lengths)
