"""Learned upsampling in time, with and without tones at multiples of the input's sampling rate."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet.checks import check_choice, check_input, check_integer, check_positive
from sb_resizegan.nnet.composition import (
    composed_weight,
    edge_corrected_convolution,
    edge_tables,
    frame_convolution,
    interpolation_table,
    same_padding,
    transposed_table,
)
from sb_resizegan.nnet.interpolation import RESIZE_MODES, interpolation_phases

__all__ = ["UPSAMPLING_MODES", "Upsample1d", "interpolate"]

UPSAMPLING_MODES = ("transpose", *RESIZE_MODES, "subpixel")


def interpolate(x, phases):
    """Interpolation by a table of phases; the first and last samples are repeated beyond the edges.

    Arguments
    ---------
    x : torch.Tensor
        `(batch, channels, time)`.
    phases : torch.Tensor
        `(factor, 2 * reach + 1)`, from `interpolation_phases`.

    Returns
    -------
    torch.Tensor
        `(batch, channels, factor * time)`.

    Example
    -------
    >>> from sb_resizegan.nnet.interpolation import interpolation_phases
    >>> interpolate(torch.ones(2, 3, 10), interpolation_phases("sinc", 4).float()).shape
    torch.Size([2, 3, 40])
    """
    channels, time = x.shape[1:]
    factor, width = phases.shape
    reach = width // 2
    # zeros between the samples, then the low-pass filter, which reads the phases from the last neighbour on
    kernel = phases.flip(1).t().reshape(1, 1, -1).expand(channels, -1, -1)
    y = F.conv_transpose1d(F.pad(x, (reach, reach), mode="replicate"), kernel, stride=factor, groups=channels)
    start = 2 * reach * factor
    return y[..., start : start + time * factor]


class Upsample1d(nn.Module):
    """Upsamples by an integer factor and convolves with a learned kernel.

    - `transpose`: a transposed convolution, cut as TensorFlow's 'same' padding cuts it. Its phases are
      independent filters of unequal gain, which puts tones at the multiples of the input's sampling rate
      (Odena et al., "Deconvolution and checkerboard artifacts", Distill, 2016).
    - `nearest`, `linear`, `sinc`: a fixed interpolation to the output's rate, then a convolution with zero
      'same' padding, the resize-convolution of Odena et al. `nearest` equals `tf.image.resize` and `conv1d`
      of TensorFlow, `linear` equals `torch.nn.functional.interpolate(mode="linear", align_corners=False)` and
      a convolution. `sinc` is band-limited: zeros are inserted between the samples, of which the first and
      the last are taken to go on beyond the edges, and a Kaiser-windowed sinc that ends the band at half the
      input's sampling rate removes the images. All place output sample n at `(n + 0.5) / factor - 0.5` input
      samples.
    - `subpixel`: a convolution at the input's rate to `factor` channels for each output channel, interleaved
      (Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
      convolutional neural network", CVPR 2016), with equal initial values in all phases (ICNR: Aitken et al.,
      "Checkerboard artifact free sub-pixel convolution", 2017).

    An even kernel has its extra tap on the right, as in TensorFlow.

    With `fused=True` interpolation and convolution are computed as one transposed convolution whose kernel is
    the convolution of the fixed and the learned one, in polyphase form, with a small correction of the first
    and last samples; values, gradients and second gradients are those of the two steps.

    The output's memory is time-major (channels last), which the next layer reads without a copy.

    Arguments
    ---------
    in_channels : int
        Input channels.
    out_channels : int
        Output channels.
    kernel_size : int
        Taps of the learned kernel: at the output's rate, for `subpixel` at the input's. `transpose` wants at
        least `factor`: a shorter one leaves holes.
    factor : int
        Ratio of output to input sampling rate, 1 or more.
    mode : str
        `transpose`, `nearest`, `linear`, `sinc` or `subpixel`.
    fused : bool
        False computes the textbook operations one after the other, for comparison.
    bias : bool
        Whether to add a learned offset to each output channel.
    attenuation : float
        `sinc`: attenuation of the images in dB, above 0.
    span : int
        `sinc`: length of the interpolation kernel in input samples. See `interpolation_phases`.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is below 1, the mode unknown, the kernel of `transpose` shorter than `factor`, the
        attenuation not above 0; in `forward`, if the input isn't `(batch, in_channels, time)`.

    Example
    -------
    >>> layer = Upsample1d(32, 16, kernel_size=22, factor=2, mode="nearest")
    >>> layer(torch.randn(4, 32, 100)).shape
    torch.Size([4, 16, 200])
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
        attenuation=50.0,
        span=7,
    ):
        super().__init__()
        self.in_channels = check_integer("in_channels", in_channels)
        self.out_channels = check_integer("out_channels", out_channels)
        self.kernel_size = check_integer("kernel_size", kernel_size)
        self.factor = check_integer("factor", factor)
        self.mode = check_choice("mode", mode, UPSAMPLING_MODES)
        self.fused = fused
        if mode == "transpose":
            if self.kernel_size < self.factor:
                raise ValueError(
                    f"kernel_size: a transposed convolution expected at least factor = {factor} taps, "
                    f"or some output samples get no input, but got {kernel_size}"
                )
            shape = (self.in_channels, self.out_channels, self.kernel_size)
            table, self.before, self.after = transposed_table(self.kernel_size, self.factor)
            tables = [table]
        elif mode == "subpixel":
            shape = (self.out_channels * self.factor, self.in_channels, self.kernel_size)
            self.before, self.after = same_padding(self.kernel_size)
            tables = []
        else:
            shape = (self.out_channels, self.in_channels, self.kernel_size)
            attenuation = check_positive("attenuation", attenuation)
            phases = interpolation_phases(mode, self.factor, attenuation, check_integer("span", span))
            self.register_buffer("phases", phases.float(), persistent=False)
            table, self.before, self.after = interpolation_table(phases, self.kernel_size)
            tables = [table, *edge_tables(phases, self.kernel_size)]
        # the tables in one matrix: one product composes all kernels
        self.table_shapes = [table.shape[:2] for table in tables]
        if tables:
            table = torch.cat([table.flatten(0, 1) for table in tables]).float()
            self.register_buffer("table", table, persistent=False)
        self.weight = nn.Parameter(torch.empty(shape))
        self.register_parameter("bias", None)
        if bias:
            self.bias = nn.Parameter(torch.empty(shape[1] if mode == "transpose" else shape[0]))
        self.reset_parameters()

    def reset_parameters(self):
        """Draws the weights as PyTorch's own (transposed) convolution does; `subpixel` as ICNR does."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        repeats = self.factor if self.mode == "subpixel" else 1
        with torch.no_grad():
            for parameter in (self.weight, self.bias):
                if parameter is not None:
                    kernel = torch.empty_like(parameter[::repeats]).uniform_(-bound, bound)
                    parameter.copy_(kernel.repeat_interleave(repeats, dim=0))

    def forward(self, x):
        """Upsamples a batch.

        Arguments
        ---------
        x : torch.Tensor
            `(batch, in_channels, time)`.

        Returns
        -------
        torch.Tensor
            `(batch, out_channels, factor * time)`.
        """
        check_input(x, self.in_channels)
        if not self.fused:
            return self._stepwise(x)
        frames = x.transpose(1, 2)
        bias = self.bias
        if self.mode == "subpixel":
            kernels = self.weight.unflatten(0, (-1, self.factor)).permute(1, 0, 3, 2).flatten(0, 1)
            bias = None if bias is None else bias.view(-1, self.factor).t().flatten()
            edges = []
        else:
            kernels, *edges = self._composite()
            bias = None if bias is None else bias.repeat(self.factor)
        if edges and len(edges[0]) > 0:  # the interpolation reaches beyond a sample's own stretch of time
            y = edge_corrected_convolution(
                frames, kernels, bias, *edges, self.before, self.after, self.factor
            )
        else:
            y = frame_convolution(frames, kernels, bias, self.before, self.after)
        return y.reshape(len(x), x.shape[2] * self.factor, self.out_channels).transpose(1, 2)

    def _composite(self):
        """Kernels over input samples, `(factor * out, taps, in)`, and the resize modes' two edge weights,
        `(reach, affected, out, in)`."""
        learned = self.weight.transpose(0, 1) if self.mode == "transpose" else self.weight
        products = composed_weight(self.table, learned).split([a * b for a, b in self.table_shapes])
        kernels, *edges = (
            x.unflatten(0, shape) for x, shape in zip(products, self.table_shapes, strict=True)
        )
        return kernels.transpose(1, 2).flatten(0, 1), *edges

    def _stepwise(self, x):
        if self.mode == "transpose":
            cut = (self.kernel_size - self.factor) // 2
            y = F.conv_transpose1d(x, self.weight, self.bias, stride=self.factor)
            return y[..., cut : cut + x.shape[2] * self.factor]
        if self.mode == "subpixel":
            y = F.conv1d(F.pad(x, (self.before, self.after)), self.weight, self.bias)
            return y.unflatten(1, (-1, self.factor)).transpose(2, 3).flatten(2)
        if self.mode == "sinc":
            u = interpolate(x, self.phases)
        elif self.mode == "linear":
            u = F.interpolate(x, scale_factor=self.factor, mode="linear", align_corners=False)
        else:
            u = F.interpolate(x, scale_factor=self.factor, mode="nearest")
        return F.conv1d(F.pad(u, same_padding(self.kernel_size)), self.weight, self.bias)

    def extra_repr(self):
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, factor={self.factor}, "
            f"mode={self.mode}, fused={self.fused}"
        )
