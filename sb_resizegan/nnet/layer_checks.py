"""The check of a layer's input, and the limits of its sizes."""

import torch

__all__ = ["LONGEST", "MOST_DB", "check_input"]

# Tables of the composite kernels grow with the square of these: a slip of the pen must not take all memory.
LONGEST = 1024  # taps of a kernel, and factors
MOST_DB = 300.0  # float64 has no more


def check_input(x: torch.Tensor, channels: int | None = None) -> None:
    """Raises a ValueError unless `x` is `(batch, channels, time)` with at least one sample.

    Arguments
    ---------
    x : torch.Tensor
        The layer's input.
    channels : int or None
        The number of channels that the layer was built for; None allows any.

    Example
    -------
    >>> import torch
    >>> check_input(torch.zeros(1, 2, 8), channels=2)
    """
    wanted = "channels" if channels is None else channels
    if x.dim() != 3 or (channels is not None and x.shape[1] != channels):
        raise ValueError(f"expected an input of shape (batch, {wanted}, time), but got {tuple(x.shape)}")
    if x.shape[2] == 0:
        raise ValueError(f"expected at least one sample in time, but got shape {tuple(x.shape)}")
