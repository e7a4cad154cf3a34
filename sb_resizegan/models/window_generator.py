"""Generator of short windows of speech, WaveGAN's shape with a selectable upsampling.

Source
------
C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis", ICLR 2019, table 3 (the shape), and
A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016 (the
resize-convolution).
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from sb_resizegan.models.residual import NoiseInput, ResidualBlock, activation_layer
from sb_resizegan.models.stages import check_window
from sb_resizegan.nnet.band_limit import BandLimit
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_uniform


class WindowGenerator(nn.Module):
    """Maps a latent vector to a window of waveform: dense layer, then one upsampling convolution per stage.

    An activation stands before every stage, a tanh behind the last one. There is no normalisation. Optionally
    residual blocks stand before each stage's activation, and high-passed noise is added behind each stage but
    the last; the noise is part of the latent vector, so that a latent still gives one window. With a
    band limit, a fixed low-pass follows: whatever the learned layers do, nothing remains above the band of
    the data. Its margins are taken from samples generated beyond the window.

    Arguments
    ---------
    latent_dim : int
        Size of the latent vector without noise.
    window_samples : int
        Samples of the generated window; a multiple of the product of ``factors``.
    channels : sequence of int
        Input channels of each stage, first to last; the last stage has one output channel.
    factors : sequence of int
        Upsampling factor of each stage.
    kernel_size : int
        Length of the learned kernels, in samples at the output rate of their stage.
    upsampling : str
        One of the modes of `Upsample1d`.
    attenuation : float
        Stop-band attenuation of the ``sinc`` interpolation in dB; the other modes do not use it.
    fused : bool
        Compute each resize-convolution as one transposed convolution (see ``Upsample1d``).
    band_limit_hz : float, optional
        Cut-off of the low-pass in Hz (`BandLimit`); none by default.
    sample_rate : int
        Of the windows in Hz; only the band limit needs it.
    band_limit_transition, band_limit_db : float
        Half of its transition over the cut-off, and its attenuation. 0.05 and 60 dB at the data's own cut-off
        make it the filter that the data went through.
    activation : str
        ``relu`` or ``snake`` (`Snake`).
    residual_blocks : int
        Residual blocks before each stage (`ResidualBlock`).
    noise : bool
        Whether noise is added (`NoiseInput`).
    rectified_init : bool
        False: weights and biases start as PyTorch's own convolutions do, whose signals fall by 8 dB a layer
        until the biases, the same for all latents, are the loudest. True: weights start with a variance of 2
        over the number of inputs (K. He et al., "Delving deep into rectifiers", ICCV 2015), biases with zero.

    Raises
    ------
    ValueError
        For lists of different lengths, a window that the stages cannot make, or a wrong mode.

    Example
    -------
    >>> generator = WindowGenerator(latent_dim=64, window_samples=2048, upsampling="nearest")
    >>> generator(generator.sample_latent(3)).shape
    torch.Size([3, 2048])
    """

    def __init__(
        self,
        latent_dim: int = 64,
        window_samples: int = 2048,
        channels: Sequence[int] = (128, 64, 32, 16),
        factors: Sequence[int] = (4, 4, 4, 4),
        kernel_size: int = 25,
        upsampling: str = "nearest",
        attenuation: float = 50.0,
        fused: bool = True,
        band_limit_hz: float | None = None,
        sample_rate: int = 16000,
        band_limit_transition: float = 0.1,
        band_limit_db: float = 80.0,
        activation: str = "relu",
        residual_blocks: int = 0,
        noise: bool = False,
        rectified_init: bool = False,
    ) -> None:
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        if latent_dim < 1:
            raise ValueError(f"latent_dim: expected at least 1, but got {latent_dim}")
        total_factor = check_window(window_samples, channels, factors)
        self.latent_dim = latent_dim
        self.window_samples = window_samples
        self.factors = factors
        self.upsampling = upsampling
        self.band_limit = None
        if band_limit_hz is not None:
            self.band_limit = BandLimit(band_limit_hz, sample_rate, band_limit_transition, band_limit_db)
        margin = 0 if self.band_limit is None else self.band_limit.margin
        # Whole samples of the first stage that the window and the filter's margins take.
        self.first_shape = (channels[0], -(-(window_samples + 2 * margin) // total_factor))
        self.dense = nn.Linear(latent_dim, math.prod(self.first_shape))
        self.stages = nn.ModuleList(
            Upsample1d(
                in_channels,
                out_channels,
                kernel_size,
                factor,
                upsampling,
                attenuation=attenuation,
                fused=fused,
            )
            for in_channels, out_channels, factor in zip(channels, (*channels[1:], 1), factors, strict=True)
        )

        blocks = check_integer("residual_blocks", residual_blocks, minimum=0)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, activation) for _ in range(blocks))) for width in channels
        )
        self.activations = nn.ModuleList(activation_layer(activation, width) for width in channels)
        self.noise = nn.ModuleList(
            NoiseInput(width, factor) for width, factor in zip(channels[1:], factors, strict=False) if noise
        )
        if rectified_init:
            self._rectify()
        # The latent vector's parts: the latent itself, then the noise behind each stage.
        lengths = [self.first_shape[1] * math.prod(factors[: stage + 1]) for stage in range(len(self.noise))]
        self.latent_parts = (latent_dim, *lengths)

    @torch.no_grad()
    def _rectify(self) -> None:
        # PyTorch draws from a variance of 1 / (3 fan-in).
        for layer in (self.dense, *self.stages, *self.blocks.modules()):
            if isinstance(layer, nn.Linear | Upsample1d | Downsample1d):
                layer.weight.mul_(math.sqrt(6))
                if layer.bias is not None:
                    layer.bias.zero_()

    def sample_latent(self, batch: int, generator: RandomSource = None) -> torch.Tensor:
        """Latent vectors, uniform on [-1, 1] (WaveGAN, section 3.1).

        Arguments
        ---------
        batch : int
            How many.
        generator : torch.Generator or CounterRandom, optional
            A CPU generator or a stream to draw from, so that a seed gives the same latents on every device;
            the default one otherwise.

        Returns
        -------
        torch.Tensor
            ``(batch, latent_dim)``, and as many columns more as there are samples of noise; on the device of
            the weights.
        """
        return draw_uniform(generator, self.dense.weight.device, batch, sum(self.latent_parts)) * 2 - 1

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Generates windows.

        Arguments
        ---------
        latent : torch.Tensor
            As from `sample_latent()`.

        Returns
        -------
        torch.Tensor
            ``(batch, window_samples)``, in [-1, 1], which a band limit may exceed a little.
        """
        size = sum(self.latent_parts)
        if latent.dim() != 2 or latent.shape[1] != size:
            raise ValueError(f"latent: expected shape (batch, {size}), but got {tuple(latent.shape)}")
        latent, *noises = latent.split(self.latent_parts, dim=1)
        x = self.dense(latent).unflatten(1, self.first_shape)
        for index, (blocks, activation, stage) in enumerate(
            zip(self.blocks, self.activations, self.stages, strict=True)
        ):
            if index and self.noise:
                # Uniform on [-1, 1]: a variance of one third.
                x = self.noise[index - 1](x, math.sqrt(3) * noises[index - 1])
            x = stage(activation(blocks(x)))
        x = torch.tanh(x.squeeze(1))
        if self.band_limit is None:
            return x
        x = self.band_limit(x)
        start = (x.shape[1] - self.window_samples) // 2
        return x[:, start : start + self.window_samples]
