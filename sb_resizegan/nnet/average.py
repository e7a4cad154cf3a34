"""Exponential moving average of a module's weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


def exponential_average(module: nn.Module, decay: float = 0.999) -> AveragedModel:
    """A frozen copy of a module whose parameters follow the module's as an exponential moving average.

    The decay rises as min(decay, (1 + n) / (10 + n)) with the number n of updates, so that the initial
    weights are soon forgotten.

    Arguments
    ---------
    module : torch.nn.Module
        The module to follow, not wrapped.
    decay : float
        Share of the average that an update keeps, in [0, 1).

    Returns
    -------
    torch.optim.swa_utils.AveragedModel
        Call ``update_parameters(module)`` after each step; ``.module`` is the averaged copy.

    Raises
    ------
    ValueError
        For a decay outside [0, 1).

    Example
    -------
    >>> layer = torch.nn.Linear(2, 2)
    >>> average = exponential_average(layer)
    >>> average.update_parameters(layer)
    >>> average(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay: expected a value in [0, 1), but got {decay}")

    return _ExponentialAverage(module, decay).requires_grad_(False)


class _ExponentialAverage(AveragedModel):
    """PyTorch's counts its updates on the device, so that the host waits for each; here the host counts."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        super().__init__(module, use_buffers=False)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        count = self.n_averaged.cpu()
        share = float(1 - torch.clamp((1 + count) / (10 + count), max=self.decay)) if count else 1.0
        for target, value in zip(self.module.parameters(), model.parameters(), strict=True):
            target.lerp_(value.detach(), share)
        self.n_averaged = count + 1
