"""The critics of a vocoder as one: random windows with and without the mel spectrum, and spectra."""

import torch
from torch import nn

from sb_resizegan.models.random_window_critic import RandomWindowCritic
from sb_resizegan.models.spectral_critic import SpectralCritic
from sb_resizegan.utils.counter_random import RandomSource

__all__ = ["VocoderCritic"]


class VocoderCritic(nn.Module):
    """`RandomWindowCritic` and, beside it, a `SpectralCritic` of the whole segment, a column of scores each.

    Arguments
    ---------
    windows : RandomWindowCritic
        The ensemble.
    spectral : SpectralCritic, optional
        For the segments that are trained on.

    Example
    -------
    >>> critic = VocoderCritic(RandomWindowCritic(frames=(1, 4), width=4), SpectralCritic(2048))
    >>> critic(torch.zeros(3, 2048), torch.zeros(3, 80, 8), critic.draw_starts(3, 8)).shape
    torch.Size([3, 5])
    """

    def __init__(self, windows: RandomWindowCritic, spectral: SpectralCritic | None = None) -> None:
        super().__init__()
        self.windows = windows
        self.spectral = spectral

    def draw_starts(self, batch: int, frames: int, generator: RandomSource = None) -> torch.Tensor:
        """Starts of the windows; see `RandomWindowCritic.draw_starts()`."""
        return self.windows.draw_starts(batch, frames, generator)

    def forward(self, waveforms: torch.Tensor, mel: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """Scores ``(batch, critics)``; see `RandomWindowCritic.forward()`."""
        return self.scores_and_features(waveforms, mel, starts)[0]

    def scores_and_features(
        self, waveforms: torch.Tensor, mel: torch.Tensor, starts: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """As `forward()`, and what each block of the ensemble gives, for feature matching."""
        scores, features = self.windows.scores_and_features(waveforms, mel, starts)
        if self.spectral is not None:
            scores = torch.cat([scores, self.spectral(waveforms)[:, None]], dim=1)
        return scores, features
