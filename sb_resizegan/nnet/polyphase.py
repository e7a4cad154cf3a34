"""Convolution over blocks of time-major frames: the one operation behind upsampling and downsampling.

Memory is time-major (channels last), so that a block of neighbouring samples with all their channels is
contiguous, and passing between samples, frames and blocks costs nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from sb_resizegan.nnet.precision import small_product

__all__ = ["block_convolution", "composed_kernels", "frames_in_block"]

# padding on the left, input samples, output samples, output channels
_Sizes = tuple[int, int, int, int]


def frames_in_block(channels: int) -> int:
    """Frames to be taken together so that a frame of `channels` fills a vector register.

    A convolution with fewer than 16 channels on one side wastes the processor's vectors; a block of several
    frames computes a few products with zero, but keeps them full.

    Arguments
    ---------
    channels : int
        Channels of a frame, on its narrower side.

    Returns
    -------
    int

    Example
    -------
    >>> frames_in_block(4), frames_in_block(64)
    (4, 1)
    """
    return max(1, 16 // channels)


def composed_kernels(table: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Composite kernels `sum_j table[..., j] weight[o, i, j]`.

    Computed outside autocast and TF32: a kernel rounded twice would no longer be the definition's.

    Arguments
    ---------
    table : torch.Tensor
        `(rows, kernel_size)`.
    weight : torch.Tensor
        `(out, in, kernel_size)`.

    Returns
    -------
    torch.Tensor
        `(rows, out, in)`.

    Example
    -------
    >>> composed_kernels(torch.zeros(28, 25), torch.zeros(16, 32, 25)).shape
    torch.Size([28, 16, 32])
    """
    with torch.autocast(weight.device.type, enabled=False):
        return small_product(table, weight.flatten(0, 1).t()).unflatten(1, weight.shape[:2])


def block_convolution(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor | None,
    before: int,
    after: int,
    edges: Sequence[torch.Tensor] | None = None,
) -> torch.Tensor:
    """Convolution of stride one over blocks.

    Arguments
    ---------
    x : torch.Tensor
        `(batch, time, in)`, time-major.
    kernels : torch.Tensor
        `(p, taps, r, out, in)`: a block has r samples in the input and p in the output. If r does not divide
        `time`, the input goes on for the rest of a block, and the output is cut.
    bias : torch.Tensor or None
        `(out,)`, or for several samples of a block, `(n * out,)`; repeated as often as it takes.
    before, after : int
        Blocks of padding on either side; `taps = before + 1 + after`.
    edges : tuple of torch.Tensor, or None
        None: the input is zero beyond its edges. Otherwise its first and last samples go on, and the two
        weights `(reach, affected, out, in)`, applied to the first and last `reach` input samples, give what
        is taken away from the first and last `affected` output samples.

    Returns
    -------
    torch.Tensor
        `(batch, time * p / r, out)`.

    Example
    -------
    >>> block_convolution(torch.ones(2, 10, 3), torch.ones(4, 7, 1, 5, 3), None, 3, 3).shape
    torch.Size([2, 40, 5])
    """
    p, _, r, out, _ = kernels.shape
    time = x.shape[1]
    blocks = -(-time // r)
    # (p * out, taps, r * in)
    matrix = kernels.permute(0, 3, 1, 2, 4).flatten(3).flatten(0, 1)
    if bias is not None:
        bias = bias.repeat(p * out // len(bias))
    padding = before * r, (blocks + after) * r - time
    if edges is None:
        x = F.pad(x, (0, 0, *padding)).reshape(len(x), -1, matrix.shape[2])
        y = _with_autocast(_Convolution, _image(x), _image(matrix), bias)
        return _frames(y).reshape(len(x), -1, out)[:, : time * p // r]
    # (affected * out, reach * in): one matrix product for all samples of an edge
    first, last = (edge.permute(1, 2, 0, 3).flatten(2).flatten(0, 1) for edge in edges)
    x = _Extension.apply(x, *padding)
    sizes = padding[0], time, time * p // r, out
    return _with_autocast(_EdgeCorrectedConvolution, x, matrix, bias, first, last, sizes)


def _with_autocast(function: type[torch.autograd.Function], *arguments: Any) -> torch.Tensor:
    """Applies an autograd function to arguments of autocast's type, if it is on."""
    device = arguments[0].device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        arguments = tuple(x.to(dtype) if isinstance(x, torch.Tensor) else x for x in arguments)
    with torch.autocast(device, enabled=False):
        return function.apply(*arguments)


def _image(frames: torch.Tensor) -> torch.Tensor:
    """Time-major frames as an image of height one, because two-dimensional convolutions alone keep
    channels-last memory. On CPU they run near the speed of a matrix product then, forward and backward."""
    return frames.transpose(1, 2).unsqueeze(2)


def _frames(image: torch.Tensor) -> torch.Tensor:
    return image.squeeze(2).transpose(1, 2)


class _Extension(torch.autograd.Function):
    """Repeats the first and last frames beyond the edges. `F.pad` does the same, but PyTorch's compiler
    mistakes the memory layout of its derivative, and on GPUs that derivative isn't reproducible."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, before: int, after: int) -> torch.Tensor:
        ctx.before, ctx.after = before, after
        return torch.cat([x[:, :1].expand(-1, before, -1), x, x[:, -1:].expand(-1, after, -1)], dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        stop = gradient.shape[1] - ctx.after
        to_x = gradient[:, ctx.before : stop].clone()
        to_x[:, 0] += gradient[:, : ctx.before].sum(1)
        to_x[:, -1] += gradient[:, stop:].sum(1)
        return to_x, None, None


class _Convolution(torch.autograd.Function):
    """Convolution of stride one. PyTorch computes the second derivative, which a gradient penalty takes, with
    respect to the kernel as a convolution by a kernel as long as the signal; here it is the same operation as
    the first derivative, several times as fast on CPU. It is also right: in bfloat16 on a CPU with AMX that
    of PyTorch 2.14 is wrong by its whole size."""

    @staticmethod
    def forward(
        ctx: Any, image: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(image, kernel)
        ctx.has_bias = bias is not None
        ctx.set_materialize_grads(False)
        return F.conv2d(image, kernel, bias)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return None, None, None
        wanted = *ctx.needs_input_grad[:2], ctx.has_bias and ctx.needs_input_grad[2]
        return _ConvolutionBackward.apply(gradient, *ctx.saved_tensors, wanted)


class _ConvolutionBackward(torch.autograd.Function):
    """The derivatives with respect to image, kernel and bias, each linear in two of the three arguments."""

    @staticmethod
    def forward(
        ctx: Any, gradient: torch.Tensor, image: torch.Tensor, kernel: torch.Tensor, wanted: Sequence[bool]
    ) -> tuple[torch.Tensor | None, ...]:
        ctx.save_for_backward(gradient, image, kernel)
        ctx.set_materialize_grads(False)
        return torch.ops.aten.convolution_backward(
            gradient,
            image,
            kernel,
            [len(kernel)],
            *([1, 1], [0, 0], [1, 1], False, [0, 0], 1),  # stride, padding, dilation, not transposed, groups
            wanted,
        )

    @staticmethod
    def backward(
        ctx: Any, to_image: torch.Tensor | None, to_kernel: torch.Tensor | None, to_bias: torch.Tensor | None
    ) -> Any:
        gradient, image, kernel = ctx.saved_tensors
        by_gradient, by_image, by_kernel = [], None, None
        if to_image is not None:
            by_gradient.append(_Convolution.apply(to_image, kernel, to_bias))
            by_kernel = _ConvolutionBackward.apply(gradient, to_image, kernel, (False, True, False))[1]
        elif to_bias is not None:
            by_gradient.append(to_bias.view(1, -1, 1, 1).expand_as(gradient))
        if to_kernel is not None:
            by_gradient.append(_Convolution.apply(image, to_kernel, None))
            by_image = _ConvolutionBackward.apply(gradient, image, to_kernel, (True, False, False))[0]
        return sum(by_gradient) if by_gradient else None, by_image, by_kernel, None


class _EdgeCorrectedConvolution(torch.autograd.Function):
    """One function, because the automatic derivative of reading and changing a few samples at the edges goes
    through zeros of the whole signal's size. Its backward pass consists of differentiable operations, and so
    can be differentiated again."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        matrix: torch.Tensor,
        bias: torch.Tensor | None,
        first: torch.Tensor,
        last: torch.Tensor,
        sizes: _Sizes,
    ) -> torch.Tensor:
        ctx.save_for_backward(x, matrix, first, last)
        ctx.sizes = sizes
        ctx.set_materialize_grads(False)
        _, _, samples, out = sizes
        image = _image(x.reshape(len(x), -1, matrix.shape[2]))
        y = _frames(F.conv2d(image, _image(matrix), bias)).reshape(len(x), -1, out)[:, :samples]
        head, tail = (read.flatten(1) for read in _edge_samples(x, first, sizes))
        # a signal shorter than half the kernel has fewer samples than are affected
        left, right = (len(edge) // out for edge in (first, last))
        y[:, :left] -= small_product(head, first.t()).unflatten(1, (left, out))[:, :samples]
        excess = small_product(tail, last.t()).unflatten(1, (right, out))
        y[:, max(samples - right, 0) :] -= excess[:, max(right - samples, 0) :]
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return (None,) * 6
        x, matrix, first, last = ctx.saved_tensors
        _, _, samples, out = ctx.sizes
        image = _image(x.reshape(len(x), -1, matrix.shape[2]))
        missing = (image.shape[3] - matrix.shape[1] + 1) * len(matrix) // out - samples
        whole = F.pad(gradient, (0, 0, 0, missing)) if missing else gradient
        to_image, to_matrix, to_bias = _ConvolutionBackward.apply(
            _image(whole.reshape(len(x), -1, len(matrix))), image, _image(matrix), ctx.needs_input_grad[:3]
        )
        left, right = (len(edge) // out for edge in (first, last))
        at_head = -F.pad(gradient[:, :left], (0, 0, 0, max(left - samples, 0))).flatten(1)
        last_ones = gradient[:, max(samples - right, 0) :]
        at_tail = -F.pad(last_ones, (0, 0, max(right - samples, 0), 0)).flatten(1)
        head, tail = (read.flatten(1) for read in _edge_samples(x, first, ctx.sizes))
        to_x = None
        if to_image is not None:
            to_x = _frames(to_image).reshape(x.shape)
            for at_edge, edge, read in zip(
                (at_head, at_tail), (first, last), _edge_samples(to_x, first, ctx.sizes), strict=True
            ):
                read += small_product(at_edge, edge).unflatten(1, read.shape[1:])
        to_matrix = None if to_matrix is None else _frames(to_matrix)
        return (
            to_x,
            to_matrix,
            to_bias,
            small_product(at_head.t(), head),
            small_product(at_tail.t(), tail),
            None,
        )


def _edge_samples(x: torch.Tensor, edge: torch.Tensor, sizes: _Sizes) -> tuple[torch.Tensor, torch.Tensor]:
    """The first and the last samples of a padded signal, as many as an edge's matrix reads."""
    start, time, _, _ = sizes
    reach = edge.shape[1] // x.shape[2]
    return x[:, start : start + reach], x[:, start + time - reach : start + time]
