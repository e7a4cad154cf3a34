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
    def __init__(
        self,
        latent_dim=16,
        channels=(16, 32, 48, 64, 64),
        factors=(4, 4, 4, 4, 4),
        kernel_size=16,
        upsampling="nearest",
        downsampling="strided",
        attenuation=50.0,
        fused=True,
        skip="concat", direct=False, act="leaky", he=False,
    ):
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=0)
        self.latent_hop = check_stages(channels, factors)
        self.causal = False
        self.skip, self.direct = skip, direct
        self.down = nn.ModuleList(
            Downsample1d(i, o, kernel_size, f, downsampling, fused=fused)
            for i, o, f in zip((1, *channels[:-1]), channels, factors, strict=True)
        )
        m = 2 if skip == "concat" else 1
        ins = [channels[-1] + latent_dim] + [m * c for c in channels[-2::-1]]
        outs = [*channels[-2::-1], 1]
        self.up = nn.ModuleList(
            Upsample1d(i, o, kernel_size, f, upsampling, attenuation=attenuation, fused=fused)
            for i, o, f in zip(ins, outs, factors[::-1], strict=True)
        )
        mk = (lambda c: nn.PReLU(c, init=SLOPE)) if act == "prelu" else (lambda c: nn.LeakyReLU(SLOPE))
        self.dacts = nn.ModuleList(mk(c) for c in channels)
        self.uacts = nn.ModuleList(mk(c) for c in outs[:-1])
        if he:
            with torch.no_grad():
                for s in [*self.down, *self.up]:
                    s.weight *= 2.4
        if he == "zero":
            self.up[-1].weight.data *= 0.1
            self.up[-1].bias.data.zero_()

    def latent_frames(self, time):
        return -(-time // self.latent_hop)

    def sample_latent(self, batch, time, generator=None):
        latent = torch.randn(batch, self.latent_dim, self.latent_frames(time), generator=generator)
        return latent.to(self.up[0].weight.device)

    def forward(self, noisy, latent=None, level=None):
        batch, time = noisy.shape
        if latent is None:
            latent = self.sample_latent(batch, time)
        if level is None:
            level = utterance_level(noisy)
        x = divided_by_level(noisy, level)
        x = F.pad(x, (0, -time % self.latent_hop)).unsqueeze(1)
        skips = []
        for d, a in zip(self.down, self.dacts):
            x = a(d(x))
            skips.append(x)
        x = torch.cat([skips.pop(), latent.to(x.dtype)], dim=1)
        for i, u in enumerate(self.up):
            x = u(x)
            if i < len(self.uacts):
                x = self.uacts[i](x)
                x = torch.cat([x, skips.pop()], 1) if self.skip == "concat" else x + skips.pop()
        y = level * x.squeeze(1)[:, :time]
        return y if self.direct else noisy + y
