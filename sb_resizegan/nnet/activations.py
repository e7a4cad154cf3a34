"""Piecewise linear activation without a second derivative."""

import torch
from torch import nn

__all__ = ["LeakyReLU"]


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return torch.nn.functional.leaky_relu(x, slope)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return _LeakyReLUGradient.apply(gradient, x.detach(), ctx.slope), None


class _LeakyReLUGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return torch.ops.aten.leaky_relu_backward(gradient, x, slope, False)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return _LeakyReLUGradient.apply(gradient, x, ctx.slope), None, None


class LeakyReLU(nn.Module):
    """`max(x, slope * x)`, made for gradient penalties.

    Its second derivative is zero wherever it exists. PyTorch's own layer hands back an explicit tensor of
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

    def __init__(self, slope=0.2):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        """Applies the function to each element of a tensor of any shape, which it returns."""
        return _LeakyReLU.apply(x, self.slope)

    def extra_repr(self):
        return f"{self.slope}"
