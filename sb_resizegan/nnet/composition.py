"""Tables that compose a fixed resampling kernel with a learned one.

A fixed interpolation followed by a learned convolution at the high rate is one transposed convolution whose
kernel is the convolution of the two; a learned convolution followed by a fixed low-pass and a stride is one
strided convolution. Both are computed in polyphase form, at the *low* rate: `factor` neighbouring samples of
the high rate form a frame, and a plain convolution of stride 1 runs over frames.

The tables built here are constant, float64, and map the learned kernel (last axis: its taps) to the kernel
over frames by one matrix product. Their axes are: position in the output's frame, tap, position in the
input's frame, tap of the learned kernel.
"""

import torch

__all__ = [
    "block_table",
    "edge_tables",
    "interpolation_table",
    "same_padding",
    "strided_table",
    "transposed_table",
]


def same_padding(kernel_size: int) -> tuple[int, int]:
    """Zeros on the left and on the right of a convolution that keeps the length.

    TensorFlow's rule: an even kernel gets its extra zero on the right.

    Example
    -------
    >>> same_padding(22)
    (10, 11)
    """
    left = (kernel_size - 1) // 2
    return left, kernel_size - 1 - left


def interpolation_table(phases: torch.Tensor, kernel_size: int) -> tuple[torch.Tensor, int, int]:
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
        `(factor, taps, 1, kernel_size)`.
    before, after : int
        Input samples that the composite kernel needs on either side; `taps = before + 1 + after`.

    Example
    -------
    >>> table, before, after = interpolation_table(torch.ones(4, 1, dtype=torch.float64), 25)
    >>> table.shape, before, after
    (torch.Size([4, 7, 1, 25]), 3, 3)
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
    return table.unsqueeze(2), before, after


def edge_tables(phases: torch.Tensor, kernel_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables of the contribution to be removed: that of the interpolated signal beyond the edges.

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


def transposed_table(kernel_size: int, factor: int) -> tuple[torch.Tensor, int, int]:
    """Table that turns a transposed convolution's kernel into a kernel over input frames.

    The full output, `(time - 1) * factor + kernel_size` samples, is cut to `time * factor` as TensorFlow's
    'same' padding does it: `(kernel_size - factor) // 2` samples on the left, the rest on the right.

    Returns
    -------
    table : torch.Tensor
        `(factor, taps, 1, kernel_size)`, of zeros and ones.
    before, after : int
        As for `interpolation_table`.

    Example
    -------
    >>> table, before, after = transposed_table(25, 4)
    >>> table.shape, before, after
    (torch.Size([4, 7, 1, 25]), 3, 3)
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
    return table.unsqueeze(2), before, after


def strided_table(kernel_size: int, factor: int, lowpass: torch.Tensor) -> tuple[torch.Tensor, int, int]:
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
        `(1, taps, factor, kernel_size)`.
    before, after : int
        Frames that the composite kernel needs on either side; `taps = before + 1 + after`.

    Example
    -------
    >>> table, before, after = strided_table(25, 4, torch.ones(1, dtype=torch.float64))
    >>> table.shape, before, after
    (torch.Size([1, 7, 4, 25]), 3, 3)
    """
    length = kernel_size + len(lowpass) - 1
    left = max(length - factor, 0) // 2
    before = -(-left // factor)
    offset = before * factor - left
    taps = max(-(-(offset + length) // factor), before + 1)
    table = torch.zeros(taps * factor, kernel_size, dtype=lowpass.dtype)
    for j in range(kernel_size):
        table[offset + j : offset + j + len(lowpass), j] = lowpass
    return table.view(1, taps, factor, kernel_size), before, taps - 1 - before


def block_table(table: torch.Tensor, before: int, after: int, frames: int) -> tuple[torch.Tensor, int, int]:
    """Table for blocks of several frames, which are the frames of a coarser convolution.

    Arguments
    ---------
    table : torch.Tensor
        `(p, taps, r, kernel_size)`.
    before, after : int
        Frames that the kernel needs on either side.
    frames : int
        Frames in a block.

    Returns
    -------
    table : torch.Tensor
        `(frames * p, block_taps, frames * r, kernel_size)`.
    before, after : int
        Blocks that the kernel needs on either side; `block_taps = before + 1 + after`.

    Example
    -------
    >>> table, before, after = block_table(torch.ones(4, 7, 1, 25), 3, 3, frames=4)
    >>> table.shape, before, after
    (torch.Size([16, 3, 4, 25]), 1, 1)
    """
    p, taps, r, kernel_size = table.shape
    blocks_before, blocks_after = -(-before // frames), -(-after // frames)
    whole = table.new_zeros(frames, p, (blocks_before + 1 + blocks_after) * frames, r, kernel_size)
    for frame in range(frames):
        start = blocks_before * frames + frame - before
        whole[frame, :, start : start + taps] = table
    return (
        whole.view(frames * p, -1, frames * r, kernel_size),
        blocks_before,
        blocks_after,
    )
