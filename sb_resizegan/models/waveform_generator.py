"""Generator of enhanced waveforms, SEGAN's shape with a selectable upsampling.

Source
------
S. Pascual, A. Bonafonte, J. Serrà, "SEGAN: Speech Enhancement Generative Adversarial Network", Interspeech
2017, figure 2 (the shape, the latent at the bottleneck), and A. Odena, V. Dumoulin, C. Olah, "Deconvolution
and Checkerboard Artifacts", Distill 2016 (the resize-convolution).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.models.enhancement_generator import EnhancementGenerator
from sb_resizegan.models.stages import check_stages
from sb_resizegan.nnet.activations import LEAKY_SLOPE
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.upsampling import Upsample1d


class WaveformGenerator(EnhancementGenerator):
    """Enhances noisy speech: downsampling stages, the latent joined at the bottleneck, upsampling stages.

    Every stage but the last upsampling one is followed by a leaky ReLU. The upsampling stages mirror the
    downsampling ones and read, beside their predecessor's output, that of the downsampling stage of the same
    rate: joined as further channels as in SEGAN. (Added, they trained worse at the same widths.) There is no
    normalisation of features: an utterance's output does not depend on its batch.

    The last stage has two channels, g and c, and the output is ``sigmoid(g) * noisy + c``: speech that
    is to be kept need not be synthesised, nor noise that is to be removed be matched sample by sample. Of the
    three forms tried it trained best, before ``c`` alone (lowest SI-SDR) and ``noisy + c`` (highest spectral
    loss).

    The utterance is divided by its root mean square before the stages, and the output is multiplied by it: an
    input of another level gives the same output at that level, and silence stays exactly silent. Time is
    extended by zeros to a multiple of the total factor, and cut again.

    The latents' hop is the product of the factors.

    Arguments
    ---------
    latent_dim : int
        Channels of the latent; 0 for a deterministic model.
    channels : sequence of int
        Output channels of each downsampling stage, first to last.
    factors : sequence of int
        Downsampling factor of each stage; the upsampling stages have them in reverse.
    kernel_size : int
        Length of the learned kernels in samples at the higher rate of their stage.
    upsampling : str
        One of the modes of `Upsample1d`.
    downsampling : str
        One of the modes of `Downsample1d`.
    attenuation : float
        Stop-band attenuation of the ``sinc`` interpolation in dB; the other modes do not use it.
    fused : bool
        Compute fixed and learned kernels of a stage as one convolution (see ``Upsample1d``).

    Raises
    ------
    ValueError
        For lists of different lengths, or a wrong size or mode.

    Example
    -------
    >>> generator = WaveformGenerator(latent_dim=16, upsampling="nearest")
    >>> noisy = torch.randn(2, 16000)
    >>> generator.sample_latent(2, 16000).shape, generator(noisy).shape
    (torch.Size([2, 16, 16]), torch.Size([2, 16000]))
    """

    def __init__(
        self,
        latent_dim: int = 16,
        channels: Sequence[int] = (16, 24, 32, 48, 64, 64),
        factors: Sequence[int] = (2, 2, 4, 4, 4, 4),
        kernel_size: int = 11,
        upsampling: str = "nearest",
        downsampling: str = "strided",
        attenuation: float = 50.0,
        fused: bool = True,
    ) -> None:
        channels, factors = tuple(channels), tuple(factors)
        super().__init__(latent_dim, latent_hop=check_stages(channels, factors))
        self.factors = factors
        self.upsampling = upsampling
        self.encoder = nn.ModuleList(
            Downsample1d(inputs, outputs, kernel_size, factor, downsampling, fused=fused)
            for inputs, outputs, factor in zip((1, *channels[:-1]), channels, factors, strict=True)
        )
        skipped = channels[-2::-1]
        inputs = (channels[-1] + latent_dim, *(2 * count for count in skipped))
        self.decoder = nn.ModuleList(
            Upsample1d(inputs, outputs, kernel_size, factor, upsampling, attenuation=attenuation, fused=fused)
            for inputs, outputs, factor in zip(inputs, (*skipped, 2), reversed(factors), strict=True)
        )

    def enhance(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Enhanced speech of normalised noisy speech; see `EnhancementGenerator`."""
        time = noisy.shape[1]
        x = F.pad(noisy, (0, -time % self.latent_hop)).unsqueeze(1)
        skips = []
        for stage in self.encoder:
            x = F.leaky_relu(stage(x), LEAKY_SLOPE)
            skips.append(x)
        skips[-1] = x[:, :0] if latent is None else latent.to(x.dtype)
        for stage in self.decoder[:-1]:
            x = F.leaky_relu(stage(torch.cat([x, skips.pop()], dim=1)), LEAKY_SLOPE)
        x = self.decoder[-1](torch.cat([x, skips.pop()], dim=1))[..., :time].to(noisy.dtype)
        gate, correction = x.unbind(dim=1)
        return torch.sigmoid(gate) * noisy + correction
