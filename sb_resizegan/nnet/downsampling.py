"""Learned downsampling in time, with and without aliasing."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet.composition import block_table, strided_table
from sb_resizegan.nnet.interpolation import interpolation_phases
from sb_resizegan.nnet.layer_checks import LONGEST, MOST_DB, check_input
from sb_resizegan.nnet.polyphase import block_convolution, composed_kernels, frames_in_block
from sb_resizegan.utils.checks import check_choice, check_integer, check_positive

__all__ = ["DOWNSAMPLING_MODES", "Downsample1d", "downsample", "lowpass_kernel"]

DOWNSAMPLING_MODES = ("strided", "blur")


def lowpass_kernel(factor: int, attenuation: float = 30.0, span: int = 3) -> torch.Tensor:
    """Low-pass filter to be applied before keeping every `factor`-th sample.

    The time-reversed kernel of `sinc` interpolation, scaled to unit gain at zero frequency: what passes
    backwards through the layer is interpolated by it. Its gain is exactly zero at all multiples of the
    output's sampling rate.

    Arguments
    ---------
    factor : int
        The stride.
    attenuation : float
        Stop-band attenuation in dB. More of it widens the transition band.
    span : int
        Length in output samples: the filter has `factor * span` taps, one fewer if `factor` is odd and `span`
        even.

    Returns
    -------
    torch.Tensor
        float64, `(length,)`, symmetric, of sum one.

    Example
    -------
    >>> lowpass_kernel(4).shape
    torch.Size([12])
    """
    phases = interpolation_phases("sinc", factor, attenuation, span)
    kernel = phases.flip(1).t().flatten()
    support = kernel.nonzero()
    return kernel[support.min() : support.max() + 1] / factor


def downsample(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, factor: int, lowpass: torch.Tensor
) -> torch.Tensor:
    """Downsampling by the textbook, which defines what `Downsample1d` computes.

    Arguments
    ---------
    x : torch.Tensor
        `(batch, in_channels, time)`, of which `factor` divides the time.
    weight : torch.Tensor
        The learned kernel `(out_channels, in_channels, kernel_size)`.
    bias : torch.Tensor or None
        `(out_channels,)`.
    factor : int
        The stride.
    lowpass : torch.Tensor
        `(length,)`, from `lowpass_kernel`; a single 1 for a plain strided convolution.

    Returns
    -------
    torch.Tensor
        `(batch, out_channels, time / factor)`.

    Example
    -------
    >>> downsample(torch.randn(2, 1, 2048), torch.randn(16, 1, 25), None, 4, torch.ones(1)).shape
    torch.Size([2, 16, 512])
    """
    length = weight.shape[2] + len(lowpass) - 1
    left = max(length - factor, 0) // 2
    x = F.pad(x, (left, length - factor - left))
    if len(lowpass) == 1:
        return F.conv1d(x, weight, bias, stride=factor)
    y = F.conv1d(x, weight, bias)
    kernel = lowpass.expand(len(weight), 1, -1)
    return F.conv1d(y, kernel, stride=factor, groups=len(weight))


class Downsample1d(nn.Module):
    """Convolves with a learned kernel and keeps every `factor`-th sample.

    - `strided`: a strided convolution with TensorFlow's 'same' padding, as in WaveGAN's critic (Donahue et
      al., "Adversarial audio synthesis", ICLR 2019).
    - `blur`: a fixed low-pass filter between the convolution and the stride (Zhang, "Making convolutional
      networks shift-invariant again", ICML 2019). The input counts as zero beyond its edges for both filters
      together.

    `downsample` is the definition. With `fused=True` the same is computed as one convolution: the low-pass is
    convolved with the learned kernel, and the result runs with stride one over frames of `factor` samples.
    The default filter of three frames lengthens a kernel of 25 taps from 7 frames to 9 (factor 4); see
    `lowpass_kernel`.

    With K the length of the whole kernel (`kernel_size`, for `blur` plus the filter's length less one),
    output m reads input samples from `factor * m - max(K - factor, 0) // 2` on. A time that `factor` does not
    divide is extended with zeros on the right.

    The output's memory is time-major (channels last), which the next layer reads without a copy.

    Arguments
    ---------
    in_channels : int
        Input channels.
    out_channels : int
        Output channels.
    kernel_size : int
        Taps of the learned kernel.
    factor : int
        Ratio of input to output sampling rate, 1 or more.
    mode : str
        `strided` or `blur`.
    fused : bool
        False computes the definition's operations one after the other, for comparison.
    bias : bool
        Whether to add a learned offset to each output channel.
    attenuation : float
        `blur`: stop-band attenuation of the low-pass in dB, above 0.
    span : int
        `blur`: length of the low-pass in output samples.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is below 1, the mode unknown, or the attenuation not above 0; in `forward`, if the input
        isn't `(batch, in_channels, time)`.

    Example
    -------
    >>> layer = Downsample1d(1, 16, kernel_size=25, factor=4, mode="blur")
    >>> layer(torch.randn(2, 1, 2048)).shape
    torch.Size([2, 16, 512])
    """

    bias: nn.Parameter | None
    lowpass: torch.Tensor  # constant buffers
    table: torch.Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        factor: int,
        mode: str,
        fused: bool = True,
        bias: bool = True,
        attenuation: float = 30.0,
        span: int = 3,
    ) -> None:
        super().__init__()
        self.in_channels = check_integer("in_channels", in_channels)
        self.out_channels = check_integer("out_channels", out_channels)
        self.kernel_size = check_integer("kernel_size", kernel_size, maximum=LONGEST)
        self.factor = check_integer("factor", factor, maximum=LONGEST)
        self.mode = check_choice("mode", mode, DOWNSAMPLING_MODES)
        self.fused = fused
        lowpass = torch.ones(1, dtype=torch.float64)
        if mode == "blur":
            attenuation = check_positive("attenuation", attenuation, maximum=MOST_DB)
            lowpass = lowpass_kernel(self.factor, attenuation, check_integer("span", span, maximum=LONGEST))
        table, before, after = strided_table(self.kernel_size, self.factor, lowpass)
        narrow = min(self.factor * self.in_channels, self.out_channels)
        table, self.before, self.after = block_table(table, before, after, frames_in_block(narrow))
        self.block_shape = table.shape[:3]
        self.register_buffer("lowpass", lowpass.float(), persistent=False)
        self.register_buffer("table", table.flatten(0, 2).float(), persistent=False)
        # drawn as PyTorch's own convolution draws them
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size)
        self.weight = nn.Parameter(torch.empty(self.out_channels, self.in_channels, self.kernel_size))
        self.register_parameter("bias", nn.Parameter(torch.empty(self.out_channels)) if bias else None)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Downsamples a batch.

        Arguments
        ---------
        x : torch.Tensor
            `(batch, in_channels, time)`.

        Returns
        -------
        torch.Tensor
            `(batch, out_channels, ceil(time / factor))`.
        """
        check_input(x, self.in_channels)
        missing = -x.shape[2] % self.factor
        if missing:
            x = F.pad(x, (0, missing))
        if not self.fused:
            return downsample(x, self.weight, self.bias, self.factor, self.lowpass)
        y = block_convolution(x.transpose(1, 2), *self.fused_kernels()[:2], self.before, self.after)
        return y.transpose(1, 2)

    def fused_kernels(self) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Kernels `(p, taps, r, out, in)` and bias for `block_convolution`; it needs no edge weights."""
        return composed_kernels(self.table, self.weight).unflatten(0, self.block_shape), self.bias, None

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, factor={self.factor}, "
            f"mode={self.mode}, fused={self.fused}"
        )
