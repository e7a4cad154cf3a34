"""The network that says where something is missing, and that makes up what could have been there.

Source
------
The blocks: see `dual_path`. Noise as an input of a convolutional generator, so that it need not make its own:
T. Karras et al., "A style-based generator architecture for generative adversarial networks", CVPR 2019,
section 3.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from sb_resizegan.models.dual_path import DualPathBlock
from sb_resizegan.nnet.activations import LEAKY_SLOPE
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_integer

__all__ = ["RestorationNetwork"]

# Two spectra are read, two gates are said, and two complex numbers are made up for each bin.
READ, GATES, MADE = 4, 2, 4
SMALL = 0.1


class RestorationNetwork(nn.Module):
    """Two decoders on one encoder: gates, which know no noise, and what is added, which does.

    Convolutions with a stride go down the frequency axis, each frame by itself; a first group of dual-path
    blocks sees what was heard and decides the gates; behind it the noise comes in, and a second group decides
    what is added. Upsampling convolutions go up to the bins again, with the stage of the same resolution
    added.

    Arguments
    ---------
    bins : int
        Of a frame; a multiple of the product of ``factors``.
    channels : int
        Channels of all stages and blocks.
    time_units, band_units : int
        Hidden units of the recurrent paths along time and along the bands.
    blocks : sequence of int
        Blocks before the gates and behind them, each at least 1.
    factors : sequence of int
        Factors of the stages down the frequency axis.
    kernel_size : int
        Length of the learned kernels of the stages, in bins at the higher resolution.
    upsampling, attenuation, downsampling
        Those of `Upsample1d` and `Downsample1d`.

    Example
    -------
    >>> network = RestorationNetwork(64, channels=8, time_units=8, band_units=8)
    >>> gates, made = network(torch.randn(1, 5, 64, 4), torch.randn(2, 5, 64, 2), torch.randn(2, 5, 8))
    >>> gates.shape, made.shape
    (torch.Size([1, 5, 64, 2]), torch.Size([2, 5, 64, 4]))
    """

    def __init__(
        self,
        bins: int,
        channels: int = 48,
        time_units: int = 96,
        band_units: int = 48,
        blocks: Sequence[int] = (1, 2),
        factors: Sequence[int] = (4, 4),
        kernel_size: int = 8,
        upsampling: str = "nearest",
        attenuation: float = 50.0,
        downsampling: str = "strided",
    ) -> None:
        super().__init__()
        if len(blocks) != 2:
            raise ValueError(f"blocks: expected two numbers, before the gates and behind, but got {blocks}")
        self.activation = nn.LeakyReLU(LEAKY_SLOPE)

        def encoder(inputs: int) -> nn.ModuleList:
            widths = [inputs, *[channels] * len(factors)]
            return nn.ModuleList(
                Downsample1d(narrow, wide, kernel_size, factor, downsampling)
                for narrow, wide, factor in zip(widths, widths[1:], factors, strict=False)
            )

        def decoder(outputs: int) -> nn.ModuleList:
            widths = [*[channels] * len(factors), outputs]
            return nn.ModuleList(
                Upsample1d(wide, narrow, kernel_size, factor, upsampling, attenuation=attenuation)
                for wide, narrow, factor in zip(widths, widths[1:], reversed(factors), strict=False)
            )

        def group(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                DualPathBlock(channels, time_units, band_units) for _ in range(check_integer("blocks", count))
            )

        bands = bins
        for factor in factors:
            bands, remainder = divmod(bands, factor)
            if remainder:
                raise ValueError(f"factors: expected a product that divides {bins} bins, but got {factors}")
        self.heard, self.noise = encoder(READ), encoder(2)
        self.band_embedding = nn.Parameter(torch.zeros(bands, channels))
        self.before, self.behind = group(blocks[0]), group(blocks[1])
        self.gates, self.made = decoder(GATES), decoder(MADE)
        with torch.no_grad():
            # At first hardly anything is made up; the first steps would be spent on taking it back.
            self.made[-1].get_parameter("weight").mul_(SMALL)

    def forward(
        self, heard: torch.Tensor, noise: torch.Tensor, latent: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gates of what was heard, and what is added in one or several draws.

        Arguments
        ---------
        heard : torch.Tensor
            ``(batch, frames, bins, 4)``: real and imaginary parts of two spectra.
        noise : torch.Tensor
            ``(draws * batch, frames, bins, 2)``, one draw of the batch after the other.
        latent : torch.Tensor
            ``(draws * batch, frames, channels)``, added to all bands.

        Returns
        -------
        gates : torch.Tensor
            ``(batch, frames, bins, 2)``, float32, before any sigmoid.
        made : torch.Tensor
            ``(draws * batch, frames, bins, 4)``, float32.
        """
        draws, frames = len(noise) // len(heard), heard.shape[1]
        x, skips = self._down(self.heard, heard)
        x = x + self.band_embedding
        for block in self.before:
            x = block(x)
        gates = self._up(self.gates, x, skips)
        added, noisy_skips = self._down(self.noise, noise)
        x = x.repeat(draws, 1, 1, 1) + added + latent.unsqueeze(2)
        for block in self.behind:
            x = block(x)
        skips = [
            (skip.unflatten(0, (-1, frames)).repeat(draws, 1, 1, 1).flatten(0, 1) + noisy)
            for skip, noisy in zip(skips, noisy_skips, strict=True)
        ]
        return gates, self._up(self.made, x, skips)

    def _down(
        self, stages: Iterable[torch.nn.Module], x: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Bands ``(batch, frames, bands, channels)``, and each stage's output."""
        batch, skips = len(x), []
        x = x.flatten(0, 1).transpose(1, 2)  # (batch * frames, parts, bins)
        for stage in stages:
            x = self.activation(stage(x))
            skips.append(x)
        return x.transpose(1, 2).unflatten(0, (batch, -1)), skips

    def _up(
        self, stages: Iterable[torch.nn.Module], x: torch.Tensor, skips: list[torch.Tensor]
    ) -> torch.Tensor:
        batch = len(x)
        x = x.flatten(0, 1).transpose(1, 2)
        for stage, skip in zip(stages, reversed(skips), strict=True):
            x = stage(self.activation(x + skip))
        return x.float().transpose(1, 2).unflatten(0, (batch, -1))
