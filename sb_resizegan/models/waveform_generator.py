"""Enhancement of waveforms by a convolutional autoencoder in time, SEGAN's shape with a selectable upsampling.

Source
------
S. Pascual, A. Bonafonte, J. Serrà, "SEGAN: Speech Enhancement Generative Adversarial Network", Interspeech
2017, figure 2 (the shape, the latent at the bottleneck), and A. Odena, V. Dumoulin, C. Olah, "Deconvolution
and Checkerboard Artifacts", Distill 2016 (the resize-convolution).
"""

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.models.stages import check_stages
from sb_resizegan.nnet.checks import check_integer
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.level import divided_by_level, utterance_level
from sb_resizegan.nnet.upsampling import Upsample1d

SLOPE = 0.2  # of the activation below zero


class WaveformGenerator(nn.Module):
    """Enhances noisy speech: downsampling stages, the latent joined at the bottleneck, upsampling stages.

    Every stage but the last upsampling one is followed by a leaky ReLU. The upsampling stages mirror the
    downsampling ones and read, beside their predecessor's output, that of the downsampling stage of the same
    rate: joined as further channels as in SEGAN. (Added, they trained worse at the same widths.) There is no
    normalisation of features: an utterance's output does not depend on its batch.

    OUTPUT_RULE

    The utterance is divided by its root mean square on the way in, and the output multiplied by it: the level
    of the input is that of the output, whatever it is, and silence stays exactly silence. Time is extended by
    zeros to a multiple of the total factor, and cut again.

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
        One of the modes of :class:`~sb_resizegan.nnet.upsampling.Upsample1d`.
    downsampling : str
        One of the modes of :class:`~sb_resizegan.nnet.downsampling.Downsample1d`.
    attenuation : float
        Stop-band attenuation of the ``sinc`` interpolation in dB; the other modes do not use it.
    fused : bool
        Compute fixed and learned kernels of a stage as one convolution (see ``Upsample1d``).

    Attributes
    ----------
    latent_hop : int
        Samples for each frame of the latent: the product of the factors.
    causal : bool
        False: the output depends on all of the input.

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

    causal = False

    def __init__(
        self,
        latent_dim=16,
        channels=(16, 24, 32, 48, 64, 64),
        factors=(2, 2, 4, 4, 4, 4),
        kernel_size=11,
        upsampling="nearest",
        downsampling="strided",
        attenuation=50.0,
        fused=True,
    ):
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=0)
        self.latent_hop = check_stages(channels, factors)
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
            for inputs, outputs, factor in zip(inputs, (*skipped, 1), reversed(factors), strict=True)
        )

    def latent_frames(self, time):
        """Frames of the latent for a number of samples: ``ceil(time / latent_hop)``."""
        return -(-time // self.latent_hop)

    def sample_latent(self, batch, time, generator=None):
        """Latents, standard normal.

        Arguments
        ---------
        batch : int
            How many.
        time : int
            Samples of the noisy signals.
        generator : torch.Generator, optional
            A CPU generator to draw from, so that a seed gives the same latents on every device; the default
            one otherwise.

        Returns
        -------
        torch.Tensor
            ``(batch, latent_dim, latent_frames(time))``, on the device of the weights.
        """
        latent = torch.randn(batch, self.latent_dim, self.latent_frames(time), generator=generator)
        return latent.to(self.encoder[0].weight.device)

    def forward(self, noisy, latent=None, level=None):
        """Enhances utterances.

        Arguments
        ---------
        noisy : torch.Tensor
            ``(batch, time)``, any time from 1 on.
        latent : torch.Tensor, optional
            ``(batch, latent_dim, latent_frames(time))``; drawn from PyTorch's default generator otherwise.
        level : torch.Tensor, optional
            ``(batch,)``: root mean square of the utterances, where ``noisy`` is a part of them or holds
            padding.

        Returns
        -------
        torch.Tensor
            ``(batch, time)``.

        Raises
        ------
        ValueError
            For wrong shapes.
        """
        if noisy.dim() != 2 or noisy.shape[1] == 0:
            raise ValueError(
                f"noisy: expected shape (batch, time) with at least one sample, but got {tuple(noisy.shape)}"
            )
        batch, time = noisy.shape
        if latent is None:
            latent = self.sample_latent(batch, time)
        wanted = batch, self.latent_dim, self.latent_frames(time)
        if latent.shape != wanted:
            raise ValueError(f"latent: expected shape {wanted}, but got {tuple(latent.shape)}")
        if level is None:
            level = utterance_level(noisy)
        elif level.shape == (batch,):
            level = level.unsqueeze(1)
        else:
            raise ValueError(f"level: expected shape ({batch},), but got {tuple(level.shape)}")
        x = F.pad(divided_by_level(noisy, level), (0, -time % self.latent_hop)).unsqueeze(1)
        skips = []
        for stage in self.encoder:
            x = F.leaky_relu(stage(x), SLOPE)
            skips.append(x)
        skips[-1] = latent.to(x.dtype)
        for stage in self.decoder[:-1]:
            x = F.leaky_relu(stage(torch.cat([x, skips.pop()], dim=1)), SLOPE)
        x = self.decoder[-1](torch.cat([x, skips.pop()], dim=1)).squeeze(1)[:, :time]
        return noisy + level * x
