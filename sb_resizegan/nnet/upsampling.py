"""Learned upsampling in time, with and without tones at multiples of the input's sampling rate.

`interpolate` and `upsample` define what is computed; `Upsample1d` holds the weights, and its last methods
compute the same as one convolution.

Why one convolution is enough: interpolation by a fixed kernel h and convolution with a learned kernel w are
both linear and keep time, so that

    y = w * (h * up(x)) = (w * h) * up(x),    up(x): zeros between the samples,

which is one transposed convolution with the kernel `w * h`. Output samples of one phase `n mod factor` meet
the same taps of it, and zeros elsewhere, so each phase is a plain convolution at the input's rate. At the
edges the two differ: zeros follow the textbook's interpolated signal, that of the long kernel goes on; what
this adds to a few samples is taken away again. Tables for `w * h` are in `sb_resizegan.nnet.composition`, the
convolution is in `sb_resizegan.nnet.polyphase`.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet import composition
from sb_resizegan.nnet.interpolation import RESIZE_MODES, interpolation_phases
from sb_resizegan.nnet.layer_checks import LONGEST, MOST_DB, check_input
from sb_resizegan.nnet.polyphase import block_convolution, composed_kernels, frames_in_block
from sb_resizegan.utils.checks import check_choice, check_integer, check_positive

__all__ = ["UPSAMPLING_MODES", "Upsample1d", "interpolate", "upsample"]

UPSAMPLING_MODES = ("transpose", *RESIZE_MODES, "subpixel")


def interpolate(x: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
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


def upsample(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    factor: int,
    mode: str,
    phases: torch.Tensor | None = None,
) -> torch.Tensor:
    """Upsampling by the textbook, which defines what `Upsample1d` computes. See there for the modes.

    Arguments
    ---------
    x : torch.Tensor
        `(batch, in_channels, time)`.
    weight : torch.Tensor
        The learned kernel `(outputs, in_channels, kernel_size)`, the first two exchanged for `transpose`.
        There are `out_channels` outputs, for `subpixel` `factor` times as many.
    bias : torch.Tensor or None
        `(outputs,)`.
    factor : int
        Ratio of output to input sampling rate.
    mode : str
        One of `UPSAMPLING_MODES`.
    phases : torch.Tensor, optional
        `sinc`: from `interpolation_phases`, by default with its default settings.

    Returns
    -------
    torch.Tensor
        `(batch, out_channels, factor * time)`.

    Raises
    ------
    ValueError
        For an unknown mode.

    Example
    -------
    >>> upsample(torch.randn(4, 32, 100), torch.randn(16, 32, 22), None, factor=2, mode="nearest").shape
    torch.Size([4, 16, 200])
    """
    check_choice("mode", mode, UPSAMPLING_MODES)
    kernel_size = weight.shape[2]
    if mode == "transpose":
        y = F.conv_transpose1d(x, weight, bias, stride=factor)
        cut = (kernel_size - factor) // 2
        return y[..., cut : cut + x.shape[2] * factor]
    if mode == "subpixel":
        y = F.conv1d(F.pad(x, composition.same_padding(kernel_size)), weight, bias)
        return y.unflatten(1, (-1, factor)).transpose(2, 3).flatten(2)  # from (batch, out, factor, time)
    if mode == "nearest":
        u = F.interpolate(x, scale_factor=factor, mode="nearest")
    elif mode == "linear":
        u = F.interpolate(x, scale_factor=factor, mode="linear", align_corners=False)
    else:
        u = interpolate(x, interpolation_phases(mode, factor).to(x) if phases is None else phases)
    return F.conv1d(F.pad(u, composition.same_padding(kernel_size)), weight, bias)


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

    `upsample` is the definition. With `fused=True` the same is computed as one convolution, with the values,
    gradients and second gradients of the definition.

    The output's memory is time-major (channels last), which the next layer reads without a copy.

    Arguments
    ---------
    in_channels : int
        Input channels.
    out_channels : int
        Output channels.
    kernel_size : int
        Taps of the learned kernel: at the output's rate, for `subpixel` at the input's. `transpose` needs at
        least `factor`, or some output samples get no input.
    factor : int
        Ratio of output to input sampling rate, 1 or more.
    mode : str
        `transpose`, `nearest`, `linear`, `sinc` or `subpixel`.
    fused : bool
        False computes the definition's operations one after the other, for comparison.
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

    bias: nn.Parameter | None
    phases: torch.Tensor | None  # constant buffers
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
        attenuation: float = 50.0,
        span: int = 7,
    ) -> None:
        super().__init__()
        self.in_channels = check_integer("in_channels", in_channels)
        self.out_channels = check_integer("out_channels", out_channels)
        self.kernel_size = check_integer("kernel_size", kernel_size, maximum=LONGEST)
        self.factor = check_integer("factor", factor, maximum=LONGEST)
        self.mode = check_choice("mode", mode, UPSAMPLING_MODES)
        self.fused = fused
        phases, outputs = None, self.out_channels
        if mode == "transpose":
            if self.kernel_size < self.factor:
                raise ValueError(
                    f"kernel_size: a transposed convolution expected at least factor = {factor} taps, "
                    f"or some output samples get no input, but got {kernel_size}"
                )
        elif mode == "subpixel":
            outputs *= self.factor
        else:
            attenuation = check_positive("attenuation", attenuation, maximum=MOST_DB)
            phases = interpolation_phases(
                mode, self.factor, attenuation, check_integer("span", span, maximum=LONGEST)
            )
        self.register_buffer("phases", None if phases is None else phases.float(), persistent=False)
        channels = (self.in_channels, outputs) if mode == "transpose" else (outputs, self.in_channels)
        self.weight = nn.Parameter(torch.empty(*channels, self.kernel_size))
        self.register_parameter("bias", nn.Parameter(torch.empty(outputs)) if bias else None)
        self.reset_parameters()
        self._prepare_fused(phases)

    def reset_parameters(self) -> None:
        """Draws the weights as PyTorch's own (transposed) convolution does; `subpixel` as ICNR does."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        repeats = self.factor if self.mode == "subpixel" else 1
        with torch.no_grad():
            for parameter in (self.weight, self.bias):
                if parameter is not None:
                    kernel = torch.empty_like(parameter[::repeats]).uniform_(-bound, bound)
                    parameter.copy_(kernel.repeat_interleave(repeats, dim=0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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
            return upsample(x, self.weight, self.bias, self.factor, self.mode, self.phases)
        kernels, bias, edges = self.fused_kernels()
        y = block_convolution(x.transpose(1, 2), kernels, bias, self.before, self.after, edges)
        return y.transpose(1, 2)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, factor={self.factor}, "
            f"mode={self.mode}, fused={self.fused}"
        )

    # From here on: how the same is computed fast.

    def _prepare_fused(self, phases: torch.Tensor | None) -> None:
        """Tables that make all fused kernels of the learned one: one matrix, for one product."""
        edges: tuple[torch.Tensor, ...] = ()
        if self.mode == "transpose":
            table, before, after = composition.transposed_table(self.kernel_size, self.factor)
        elif phases is None:  # subpixel: the kernel as it is
            table = torch.eye(self.kernel_size, dtype=torch.float64).view(1, self.kernel_size, 1, -1)
            before, after = composition.same_padding(self.kernel_size)
        else:
            table, before, after = composition.interpolation_table(phases, self.kernel_size)
            if phases.shape[1] > 1:  # else the interpolated signal ends where the input ends
                edges = composition.edge_tables(phases, self.kernel_size)
        frames = frames_in_block(self.factor * self.out_channels)
        table, self.before, self.after = composition.block_table(table, before, after, frames)
        self.shapes = [table.shape[:3], *(edge.shape[:2] for edge in edges)]
        table = torch.cat([rows.flatten(0, -2) for rows in (table, *edges)]).float()
        self.register_buffer("table", table, persistent=False)

    def fused_kernels(self) -> tuple[torch.Tensor, torch.Tensor | None, list[torch.Tensor] | None]:
        """Kernels `(p, taps, r, out, in)`, bias and edge weights for `block_convolution`."""
        learned = self.weight.transpose(0, 1) if self.mode == "transpose" else self.weight
        products = composed_kernels(self.table, learned).split([math.prod(shape) for shape in self.shapes])
        kernels, *edges = (x.unflatten(0, shape) for x, shape in zip(products, self.shapes, strict=True))
        if self.mode != "subpixel":
            return kernels, self.bias, edges or None
        # the convolution's channels hold the phases of an output channel one after the other
        kernels = kernels.unflatten(3, (-1, self.factor)).permute(0, 4, 1, 2, 3, 5).flatten(0, 1)
        bias = None if self.bias is None else self.bias.view(-1, self.factor).t().flatten()
        return kernels, bias, None
