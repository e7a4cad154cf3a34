"""Enhancing many utterances."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

__all__ = ["enhance_utterances"]


@torch.no_grad()
def enhance_utterances(
    enhance: Callable,
    noisy: Sequence[np.ndarray | torch.Tensor],
    device: str | torch.device = "cpu",
    progress: Callable | None = None,
) -> list[np.ndarray]:
    """Enhances utterances one by one: a model with recurrent layers hears the padding of a batch.

    Arguments
    ---------
    enhance : callable
        From ``(1, time)`` on ``device`` to the same shape.
    noisy : sequence of numpy.ndarray or torch.Tensor
        Utterances ``(time,)``.
    device : str or torch.device
        Of the input.
    progress : callable, optional
        Called with a number of utterances each time some are done.

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
    outputs = []
    for signal in noisy:
        signal = torch.as_tensor(signal, dtype=torch.float32, device=device).unsqueeze(0)
        enhanced = enhance(signal)
        if enhanced.shape != signal.shape:
            raise ValueError(
                f"enhance: expected an output of shape {tuple(signal.shape)}, but got {tuple(enhanced.shape)}"
            )
        outputs.append(enhanced[0].float().cpu().numpy())
        if progress is not None:
            progress(1)
    return outputs
