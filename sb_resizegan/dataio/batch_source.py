"""What a training asks of its data: batches by number."""

from typing import Any, Protocol

__all__ = ["BatchSource"]


class BatchSource(Protocol):
    """Anything that has `batch`: windows, segments of pairs, mixtures.

    The result depends on the arguments alone. So a training that stops at any batch goes on with the same
    ones, and any number of processes see the rows of one joint batch.
    """

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> Any:
        """Batch number ``n`` of the training stream.

        Arguments
        ---------
        n : int
            Number of the batch, from 0.
        batch_size : int
            Rows for one process.
        seed : int
            At least 0 and below 2 ** 64.
        rank, world_size : int
            This process gets rows ``rank * batch_size`` up to ``(rank + 1) * batch_size`` of the joint batch
            of ``world_size * batch_size``.

        Returns
        -------
        torch.Tensor, or a named tuple of them
            ``batch_size`` rows.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        ...
