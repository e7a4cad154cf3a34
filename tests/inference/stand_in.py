"""A small untrained generator of enhanced speech: a mask on the spectrum out of a recurrent layer."""

import torch


class MaskGenerator(torch.nn.Module):
    """Has the interface that enhancement asks for, and remembers as a trained recurrent model would.

    Arguments
    ---------
    latent_dim : int
    causal : bool
        Whether it looks ahead and normalises levels.
    """

    def __init__(self, latent_dim=4, causal=False):
        super().__init__()
        self.latent_dim, self.latent_hop, self.causal = latent_dim, 128, causal
        self.recurrent = torch.nn.GRU(129 + latent_dim, 24, batch_first=True, bidirectional=not causal)
        self.linear = torch.nn.Linear(24 if causal else 48, 129)
        self.register_buffer("window", torch.hann_window(256).sqrt())

    def latent_frames(self, time):
        return -(-time // self.latent_hop)

    def sample_latent(self, batch, time, generator=None):
        return torch.randn(batch, self.latent_dim, self.latent_frames(time), generator=generator)

    def forward(self, noisy, latent=None, level=None):
        batch, time = noisy.shape
        if latent is None:
            latent = self.sample_latent(batch, time)
        if level is None:
            level = torch.ones(batch) if self.causal else noisy.square().mean(1).sqrt()
        padded = torch.nn.functional.pad(noisy / level.clamp_min(1e-12)[:, None], (0, -time % 128))
        spectrum = torch.stft(
            padded, 256, 128, window=self.window, pad_mode="constant", return_complex=True
        ).transpose(1, 2)
        # One frame more than latents.
        latent = torch.cat([latent, latent[..., -1:]], dim=2).transpose(1, 2)
        features, _ = self.recurrent(torch.cat([spectrum.abs().log1p(), latent], dim=2))
        masked = spectrum * 2 * self.linear(features).sigmoid()
        enhanced = torch.istft(masked.transpose(1, 2), 256, 128, window=self.window, length=padded.shape[1])
        return enhanced[:, :time] * level[:, None]
