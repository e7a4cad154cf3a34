"""Composing a fixed resampling kernel with a learned one.

A fixed interpolation followed by a learned convolution at the high rate is one transposed convolution whose
kernel is the convolution of the two; a learned convolution followed by a fixed low-pass and a stride is one
strided convolution. Both are computed here in polyphase form, at the *low* rate: `factor` neighbouring
samples form a frame, and a plain convolution of stride 1 runs over frames. With time-major memory (channels
last) a frame of channels is contiguous, so that passing between samples and frames costs nothing.

The functions of this module build constant tables, float64, that map the learned kernel (last axis: its taps)
to the kernel over frames by one small matrix product.
"""

import torch
from torch.nn import functional as F

__all__ = [
    "composed_weight",
    "edge_corrected_convolution",
    "edge_tables",
    "frame_convolution",
    "interpolation_table",
    "same_padding",
    "strided_table",
    "transposed_table",
]


def same_padding(kernel_size):
    """Zeros on the left and on the right of a convolution that keeps the length.

    TensorFlow's rule: an even kernel gets its extra zero on the right.

    Example
    -------
    >>> same_padding(22)
    (10, 11)
    """
    left = (kernel_size - 1) // 2
    return left, kernel_size - 1 - left


def interpolation_table(phases, kernel_size):
    """Table for interpolate-then-convolve over input frames of one sample.

    With u the interpolated signal and `y[n] = sum_j w[j] u[n + j - left]`, output `n = factor * m + p` is
    `sum_t (sum_j table[p, t, j] w[j]) x[m + t - before]`.

    Arguments
    ---------
    phases : torch.Tensor
        `(factor, 2 * reach + 1)`, from `interpolation_phases`.
    kernel_size : int
        Taps of the learned kernel.

    Returns
    -------
    table : torch.Tensor
        `(factor, taps, kernel_size)`.
    before, after : int
        Input samples that the composite kernel needs on either side; `taps = before + 1 + after`.

    Example
    -------
    >>> table, before, after = interpolation_table(torch.ones(4, 1, dtype=torch.float64), 25)
    >>> table.shape, before, after
    (torch.Size([4, 7, 25]), 3, 3)
    """
    factor, width = phases.shape
    reach = width // 2
    left, right = same_padding(kernel_size)
    before = -(-left // factor) + reach
    after = (factor - 1 + right) // factor + reach
    table = torch.zeros(factor, before + 1 + after, kernel_size, dtype=phases.dtype)
    for p in range(factor):
        for j in range(kernel_size):
            frame, phase = divmod(p + j - left, factor)
            start = frame + before - reach
            table[p, start : start + width, j] = phases[phase]
    return table, before, after


def edge_tables(phases, kernel_size):
    """Tables of what the convolution must not see: the interpolated signal beyond the edges.

    The composite kernel, run over an input whose first and last samples are repeated without end, convolves
    an interpolated signal that goes on beyond the edges, where 'same' padding has zeros. The excess is linear
    in the first (last) `reach` input samples. For output n of the first `left` ones it is `sum_q (sum_j
    first[q, n, j] w[j]) x[q]`, for output `-right + n` of the last `right` ones `sum_q (sum_j last[q, n, j]
    w[j]) x[-reach + q]`.

    Arguments
    ---------
    phases : torch.Tensor
        `(factor, 2 * reach + 1)`, from `interpolation_phases`.
    kernel_size : int
        Taps of the learned kernel.

    Returns
    -------
    first : torch.Tensor
        `(reach, left, kernel_size)`.
    last : torch.Tensor
        `(reach, right, kernel_size)`.

    Example
    -------
    >>> from sb_resizegan.nnet.interpolation import interpolation_phases
    >>> first, last = edge_tables(interpolation_phases("linear", 4), 22)
    >>> first.shape, last.shape
    (torch.Size([1, 10, 22]), torch.Size([1, 11, 22]))
    """
    factor, width = phases.shape
    reach = width // 2
    left, right = same_padding(kernel_size)
    first = torch.zeros(reach, left, kernel_size, dtype=phases.dtype)
    last = torch.zeros(reach, right, kernel_size, dtype=phases.dtype)
    if reach == 0:
        return first, last
    for n in range(left):
        for j in range(left - n):
            frame, phase = divmod(n + j - left, factor)
            for d in range(-reach, reach + 1):
                first[max(frame + d, 0), n, j] += phases[phase, d + reach]
    for n in range(right):
        for j in range(left + right - n, kernel_size):
            frame, phase = divmod(n + j - left - right, factor)  # frame 0 is the first one after the end
            for d in range(-reach, reach + 1):
                last[min(reach + frame + d, reach - 1), n, j] += phases[phase, d + reach]
    return first, last


def transposed_table(kernel_size, factor):
    """Table that turns a transposed convolution's kernel into a kernel over input frames.

    The full output, `(time - 1) * factor + kernel_size` samples, is cut to `time * factor` as TensorFlow's
    'same' padding does it: `(kernel_size - factor) // 2` samples on the left, the rest on the right.

    Returns
    -------
    table : torch.Tensor
        `(factor, taps, kernel_size)`, of zeros and ones.
    before, after : int
        As for `interpolation_table`.

    Example
    -------
    >>> table, before, after = transposed_table(25, 4)
    >>> table.shape, before, after
    (torch.Size([4, 7, 25]), 3, 3)
    """
    cut = (kernel_size - factor) // 2
    before = (kernel_size - 1 - cut) // factor
    after = (factor - 1 + cut) // factor
    table = torch.zeros(factor, before + 1 + after, kernel_size, dtype=torch.float64)
    for p in range(factor):
        for t in range(before + 1 + after):
            j = p + cut - factor * (t - before)
            if 0 <= j < kernel_size:
                table[p, t, j] = 1
    return table, before, after


def strided_table(kernel_size, factor, lowpass):
    """Table for convolve-then-low-pass-then-stride over input frames of `factor` samples.

    With c the full convolution of w and the low-pass, `K = kernel_size + len(lowpass) - 1` taps long, output
    m is `sum_q c[q] x[factor * m + q - left]`, where `left = max(K - factor, 0) // 2` as in TensorFlow's
    'same' padding.

    Arguments
    ---------
    kernel_size : int
        Taps of the learned kernel.
    factor : int
        The stride.
    lowpass : torch.Tensor
        `(length,)`; a single 1 for a plain strided convolution.

    Returns
    -------
    table : torch.Tensor
        `(taps, factor, kernel_size)`: kernel over frames, position in the frame, learned tap.
    before, after : int
        Frames that the composite kernel needs on either side; `taps = before + 1 + after`.

    Example
    -------
    >>> table, before, after = strided_table(25, 4, torch.ones(1, dtype=torch.float64))
    >>> table.shape, before, after
    (torch.Size([7, 4, 25]), 3, 3)
    """
    length = kernel_size + len(lowpass) - 1
    left = max(length - factor, 0) // 2
    before = -(-left // factor)
    offset = before * factor - left
    taps = max(-(-(offset + length) // factor), before + 1)
    table = torch.zeros(taps * factor, kernel_size, dtype=lowpass.dtype)
    for j in range(kernel_size):
        table[offset + j : offset + j + len(lowpass), j] = lowpass
    return table.view(taps, factor, kernel_size), before, taps - 1 - before


def composed_weight(table, weight):
    """Composite kernels `sum_j table[..., j] weight[o, i, j]`.

    Computed outside autocast: it is small, and a kernel rounded twice would no longer be the two-step path's.

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
    >>> composed_weight(torch.zeros(28, 25), torch.zeros(16, 32, 25)).shape
    torch.Size([28, 16, 32])
    """
    with torch.autocast(weight.device.type, enabled=False):
        return (table @ weight.flatten(0, 1).t()).unflatten(1, weight.shape[:2])


def frame_convolution(frames, weight, bias, before, after):
    """Convolution of stride 1 over time-major frames, with zeros beyond the edges.

    Arguments
    ---------
    frames : torch.Tensor
        `(batch, time, in)`.
    weight : torch.Tensor
        `(out, taps, in)`.
    bias : torch.Tensor or None
        `(out,)`.
    before, after : int
        Frames of padding on either side; `taps = before + 1 + after` keeps the length.

    Returns
    -------
    torch.Tensor
        `(batch, time, out)`.

    Example
    -------
    >>> frame_convolution(torch.ones(2, 10, 3), torch.ones(5, 7, 3), None, 3, 3).shape
    torch.Size([2, 10, 5])
    """
    padding = (0, before) if before == after else 0
    if before != after:
        frames = F.pad(frames, (0, 0, before, after))
    return _frames(F.conv2d(_image(frames), _image(weight), bias, padding=padding))


def edge_corrected_convolution(frames, weight, bias, first, last, before, after, factor):
    """Convolution of stride 1 over time-major frames that go on beyond the edges, less the excess there.

    Arguments
    ---------
    frames : torch.Tensor
        `(batch, time, in)`.
    weight : torch.Tensor
        `(factor * out, taps, in)`, the composite kernels, phase by phase.
    bias : torch.Tensor or None
        `(factor * out,)`.
    first, last : torch.Tensor
        `(reach, affected, out, in)`, the weights of `edge_tables`, for either edge.
    before, after : int
        Frames of padding on either side.
    factor : int
        Output samples per frame.

    Returns
    -------
    torch.Tensor
        `(batch, factor * time, out)`.

    Example
    -------
    >>> weight, edge = torch.ones(8, 7, 3), torch.ones(1, 5, 2, 3)
    >>> edge_corrected_convolution(torch.ones(6, 10, 3), weight, None, edge, edge, 3, 3, 4).shape
    torch.Size([6, 40, 2])
    """
    # (affected * out, reach * in): one matrix product for all samples of an edge
    first, last = (edge.permute(1, 2, 0, 3).flatten(0, 1).flatten(1) for edge in (first, last))
    image = F.pad(_image(frames), (before, after, 0, 0), mode="replicate")
    arguments = [image, _image(weight), bias, first, last]
    device = image.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        arguments = [None if x is None else x.to(dtype) for x in arguments]
    with torch.autocast(device, enabled=False):
        return _EdgeCorrectedConvolution.apply(*arguments, before, after, factor)


def _image(frames):
    """Time-major frames as an image of height one.

    Two-dimensional convolutions alone keep channels-last memory. On CPU they run near the speed of a matrix
    product then, forward and backward, and neighbouring frames come out contiguous.
    """
    return frames.transpose(1, 2).unsqueeze(2)


def _frames(image):
    return image.squeeze(2).transpose(1, 2)


class _EdgeCorrectedConvolution(torch.autograd.Function):
    """One function, because the automatic derivative of reading and changing a few samples at the edges goes
    through zeros of the whole signal's size. Its backward pass consists of differentiable operations, and so
    can be differentiated again."""

    @staticmethod
    def forward(ctx, image, weight, bias, first, last, before, after, factor):
        ctx.save_for_backward(image, weight, first, last)
        ctx.bias_sizes = None if bias is None else list(bias.shape)
        ctx.before, ctx.after = before, after
        out = len(weight) // factor
        y = _frames(F.conv2d(image, weight, bias)).reshape(len(image), -1, out)
        head, tail = _edge_samples(image, first, before, after)
        left, right = (len(edge) // out for edge in (first, last))
        # a signal shorter than the kernel's half has fewer samples to change
        here = min(left, y.shape[1])
        y[:, :here] -= (head @ first.t()).unflatten(1, (left, out))[:, :here]
        here = min(right, y.shape[1])
        y[:, y.shape[1] - here :] -= (tail @ last.t()).unflatten(1, (right, out))[:, right - here :]
        return y

    @staticmethod
    def backward(ctx, gradient):
        image, weight, first, last = ctx.saved_tensors
        before, after = ctx.before, ctx.after
        batch, samples, out = gradient.shape
        time = image.shape[3] - before - after
        left, right = (len(edge) // out for edge in (first, last))
        head, tail = _edge_samples(image, first, before, after)
        at_head = -F.pad(gradient[:, :left], (0, 0, 0, max(left - samples, 0))).flatten(1)
        at_tail = -F.pad(gradient[:, max(samples - right, 0) :], (0, 0, max(right - samples, 0), 0)).flatten(
            1
        )
        to_image, to_weight, to_bias = torch.ops.aten.convolution_backward(
            _image(gradient.reshape(batch, time, -1)),
            image,
            weight,
            ctx.bias_sizes,
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            [ctx.needs_input_grad[0], ctx.needs_input_grad[1], ctx.bias_sizes is not None],
        )
        if to_image is not None:
            heads, tails = _edge_samples(to_image, first, before, after, flat=False)
            heads += (at_head @ first).unflatten(1, heads.shape[1:])
            tails += (at_tail @ last).unflatten(1, tails.shape[1:])
        return to_image, to_weight, to_bias, at_head.t() @ head, at_tail.t() @ tail, None, None, None


def _edge_samples(image, edge, before, after, flat=True):
    """The first and the last samples of a padded signal, as many as `edge` reads, `(batch, reach, in)`."""
    frames = _frames(image)
    reach = edge.shape[1] // frames.shape[2]
    stop = frames.shape[1] - after
    samples = frames[:, before : before + reach], frames[:, stop - reach : stop]
    return tuple(x.flatten(1) for x in samples) if flat else samples
