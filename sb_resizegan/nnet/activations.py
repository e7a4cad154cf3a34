"""Piecewise linear activation without a second derivative."""

from typing import Any

import torch
from torch import nn

__all__ = ["LEAKY_SLOPE", "LeakyReLU"]

LEAKY_SLOPE = 0.2  # below zero, in all networks of this package (WaveGAN, table 4)


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, slope: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        ctx.set_materialize_grads(False)
        return torch.nn.functional.leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return None, None
        (x,) = ctx.saved_tensors
        return _LeakyReLUGradient.apply(gradient, x.detach(), ctx.slope), None


class _LeakyReLUGradient(torch.autograd.Function):
    """Linear in the gradient and, but for a null set, constant in x: its own derivative is itself."""

    @staticmethod
    def forward(ctx: Any, gradient: torch.Tensor, x: torch.Tensor, slope: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        ctx.set_materialize_grads(False)
        return torch.ops.aten.leaky_relu_backward(gradient, x, slope, False)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return None, None, None
        (x,) = ctx.saved_tensors
        return _LeakyReLUGradient.apply(gradient, x, ctx.slope), None, None


class LeakyReLU(nn.Module):
    """`max(x, slope * x)`, made for gradient penalties.

    Its second derivative is zero wherever it exists. PyTorch's own layer returns an explicit tensor of
    zeros for it, which then passes backwards through the whole critic: in a step with gradient penalty
    (Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017) that is one backward pass
    through all convolutions whose result is zero. This layer tells automatic differentiation that there is
    nothing to pass.

    Arguments
    ---------
    slope : float
        The slope below zero.

    Example
    -------
    >>> LeakyReLU(0.2)(torch.tensor([-1.0, 2.0]))
    tensor([-0.2000,  2.0000])
    """

    def __init__(self, slope: float = LEAKY_SLOPE) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the function to each element of a tensor of any shape, which it returns."""
        return _LeakyReLU.apply(x, self.slope)

    def extra_repr(self) -> str:
        return f"{self.slope}"
