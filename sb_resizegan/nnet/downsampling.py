"""Learned downsampling in time, with and without aliasing."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet.checks import check_choice, check_input, check_integer, check_positive
from sb_resizegan.nnet.composition import composed_weight, frame_convolution, strided_table
from sb_resizegan.nnet.interpolation import interpolation_phases

__all__ = ["DOWNSAMPLING_MODES", "Downsample1d", "lowpass_kernel"]

DOWNSAMPLING_MODES = ("strided", "blur")


def lowpass_kernel(factor, attenuation=30.0, span=3):
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


class Downsample1d(nn.Module):
    """Convolves with a learned kernel and keeps every `factor`-th sample.

    - `strided`: a strided convolution with TensorFlow's 'same' padding, as in WaveGAN's critic (Donahue et
      al., "Adversarial audio synthesis", ICLR 2019).
    - `blur`: a fixed low-pass filter between the convolution and the stride (Zhang, "Making convolutional
      networks shift-invariant again", ICML 2019). The input counts as zero beyond its edges for both filters
      together.

    Both are computed as one convolution: the low-pass is convolved with the learned kernel, and the result
    runs with stride one over frames of `factor` samples. The default filter of three frames lengthens a
    kernel of 25 taps from 7 frames to 9 (factor 4); see `lowpass_kernel`.

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
        False computes the textbook operations one after the other, for comparison.
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

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        factor,
        mode,
        fused=True,
        bias=True,
        attenuation=30.0,
        span=3,
    ):
        super().__init__()
        self.in_channels = check_integer("in_channels", in_channels)
        self.out_channels = check_integer("out_channels", out_channels)
        self.kernel_size = check_integer("kernel_size", kernel_size)
        self.factor = check_integer("factor", factor)
        self.mode = check_choice("mode", mode, DOWNSAMPLING_MODES)
        self.fused = fused
        lowpass = torch.ones(1, dtype=torch.float64)
        if mode == "blur":
            attenuation = check_positive("attenuation", attenuation)
            lowpass = lowpass_kernel(self.factor, attenuation, check_integer("span", span))
        table, self.before, self.after = strided_table(self.kernel_size, self.factor, lowpass)
        self.register_buffer("lowpass", lowpass.float(), persistent=False)
        self.register_buffer("table", table.flatten(0, 1).float(), persistent=False)
        # drawn as PyTorch's own convolution draws them
        bound = 1 / math.sqrt(self.in_channels * self.kernel_size)
        self.weight = nn.Parameter(torch.empty(self.out_channels, self.in_channels, self.kernel_size))
        self.register_parameter("bias", nn.Parameter(torch.empty(self.out_channels)) if bias else None)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x):
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
            return self._stepwise(x)
        frames = x.transpose(1, 2).reshape(len(x), x.shape[2] // self.factor, self.factor * self.in_channels)
        products = composed_weight(self.table, self.weight).unflatten(0, (-1, self.factor))
        kernels = products.permute(2, 0, 1, 3).flatten(2)
        return frame_convolution(frames, kernels, self.bias, self.before, self.after).transpose(1, 2)

    def _stepwise(self, x):
        length = self.kernel_size + len(self.lowpass) - 1
        left = max(length - self.factor, 0) // 2
        x = F.pad(x, (left, length - self.factor - left))
        if self.mode == "strided":
            return F.conv1d(x, self.weight, self.bias, stride=self.factor)
        z = F.conv1d(x, self.weight, self.bias)
        kernel = self.lowpass.expand(self.out_channels, 1, -1)
        return F.conv1d(z, kernel, stride=self.factor, groups=self.out_channels)

    def extra_repr(self):
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, factor={self.factor}, "
            f"mode={self.mode}, fused={self.fused}"
        )
