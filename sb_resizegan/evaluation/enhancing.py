"""Enhancing many utterances."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

__all__ = ["enhance_utterances", "similar_lengths"]

# A batch of utterances takes as much memory as one so long.
BATCH_SECONDS = 120
SAMPLE_RATE = 16000


def similar_lengths(lengths: Sequence[int], batch_size: int, padded: bool) -> Iterator[list[int]]:
    """Cuts utterances into batches, the longest first, also within each.

    Arguments
    ---------
    lengths : sequence of int
        Samples of each utterance.
    batch_size : int
        Most utterances in a batch; fewer where they are so long that they would take much memory.
    padded : bool
        Whether those of a batch may differ in length.

    Yields
    ------
    list of int
        Numbers of utterances.

    Example
    -------
    >>> list(similar_lengths([5, 9, 5, 8, 9], 2, padded=False))
    [[1, 4], [3], [0, 2]]
    >>> list(similar_lengths([5, 9, 5, 8, 9], 2, padded=True))
    [[1, 4], [3, 0], [2]]
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        most = BATCH_SECONDS * SAMPLE_RATE // max(1, lengths[batch[0]]) if batch else 1
        other = batch and not padded and lengths[number] != lengths[batch[0]]
        if batch and (other or len(batch) >= min(batch_size, max(1, most))):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


@torch.no_grad()
def enhance_utterances(
    enhance: Callable,
    noisy: Sequence[np.ndarray | torch.Tensor],
    device: str | torch.device = "cpu",
    progress: Callable | None = None,
    batch_size: int = 1,
    padded: bool = False,
) -> list[np.ndarray]:
    """Enhances utterances, one by one or in batches of one length or of similar ones.

    Arguments
    ---------
    enhance : callable
        From ``(batch, time)`` on ``device`` to the same shape. With ``padded``, it gets a list of the
        utterances' samples too, of which the first is the longest; zeros follow each.
    noisy : sequence of numpy.ndarray or torch.Tensor
        Utterances ``(time,)``.
    device : str or torch.device
        Of the input.
    progress : callable, optional
        Called with a number of utterances each time some are done.
    batch_size : int
        Most utterances in a batch.
    padded : bool
        Whether those of a batch may differ in length. A model with recurrent layers hears the padding, unless
        something is done about it: `sb_resizegan.models.padded_batches`.

    Returns
    -------
    list of numpy.ndarray
        Enhanced utterances, float32, in the order given.

    Raises
    ------
    ValueError
        If an output is of another shape than the input.

    Example
    -------
    >>> [len(x) for x in enhance_utterances(lambda x: x / 2, [torch.ones(8000), torch.ones(3000)])]
    [8000, 3000]
    """
    outputs: list[np.ndarray] = [np.zeros(0, dtype=np.float32)] * len(noisy)
    for batch in similar_lengths([len(signal) for signal in noisy], batch_size, padded):
        samples = [len(noisy[number]) for number in batch]
        joined = torch.zeros(len(batch), samples[0])
        for row, number in zip(joined, batch, strict=True):
            row[: len(noisy[number])] = torch.as_tensor(noisy[number], dtype=torch.float32)
        joined = joined.to(device)
        enhanced = enhance(joined, samples) if padded else enhance(joined)
        if enhanced.shape != joined.shape:
            raise ValueError(
                f"enhance: expected an output of shape {tuple(joined.shape)}, but got {tuple(enhanced.shape)}"
            )
        # One copy for the whole batch.
        for number, row, count in zip(batch, enhanced.float().cpu().numpy(), samples, strict=True):
            outputs[number] = row[:count].copy()
        if progress is not None:
            progress(len(batch))
    return outputs
