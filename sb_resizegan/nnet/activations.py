"""Activations: piecewise linear without a second derivative, and periodic."""

import math
from typing import Any

import torch
from torch import nn

from sb_resizegan.utils.checks import check_positive

__all__ = ["LEAKY_SLOPE", "LeakyReLU", "Snake"]

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


class Snake(nn.Module):
    """Periodic activation `x + sin²(a x) / a` with a learned `a > 0` for each channel.

    L. Ziyin, T. Hartwig, M. Ueda, "Neural networks fail to learn periodic functions and how to fix it",
    NeurIPS 2020, equation 3. Of a sine it makes harmonics, as a rectifier does, but smooth ones that fall
    off fast.

    Arguments
    ---------
    channels : int
        Channels of the input.
    rate : float
        Where `a` starts.

    Example
    -------
    >>> Snake(16)(torch.zeros(2, 16, 100)).shape
    torch.Size([2, 16, 100])
    """

    def __init__(self, channels: int, rate: float = 1.0) -> None:
        super().__init__()
        # Its logarithm is learned, so that it stays above zero.
        self.log_rate = nn.Parameter(torch.full((channels, 1), math.log(check_positive("rate", rate))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the function to `(batch, channels, time)`, which it returns."""
        rate = self.log_rate.exp().to(x.dtype)
        return x + torch.sin(rate * x).square() / rate

    def extra_repr(self) -> str:
        return f"{len(self.log_rate)}"
