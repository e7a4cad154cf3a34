"""Blocks of two recurrent paths over a spectrum: along time for each band, along the bands of each frame.

Source
------
Y. Luo, Z. Chen, T. Yoshioka, "Dual-path RNN", ICASSP 2020, in the time-frequency form of X. Le et al.,
"DPCRN: Dual-path convolution recurrent network for single channel speech enhancement", Interspeech 2021.
"""

import torch
from torch import nn

from sb_resizegan.utils.checks import check_integer

__all__ = ["DualPathBlock", "RecurrentPath", "remember"]

# Hidden values and cells of an LSTM, (directions, batch, units) each.
State = tuple[torch.Tensor, torch.Tensor]


class DualPathBlock(nn.Module):
    """A recurrent layer along time and one along the bands, both with a residual connection.

    Arguments
    ---------
    channels : int
        Channels of input and output.
    time_units, band_units : int
        Hidden units of the two layers, of all directions together.
    causal : bool
        Whether the layer along time goes forwards only.

    Example
    -------
    >>> DualPathBlock(16, 16, 16)(torch.randn(2, 50, 32, 16)).shape
    torch.Size([2, 50, 32, 16])
    """

    def __init__(self, channels: int, time_units: int, band_units: int, causal: bool = False) -> None:
        super().__init__()
        self.time_path = RecurrentPath(channels, time_units, bidirectional=not causal)
        self.band_path = RecurrentPath(channels, band_units, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, frames, bands, channels)`` to the same shape."""
        return self.step(x)[0]

    def step(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """The next frames of a stream.

        Arguments
        ---------
        x : torch.Tensor
            ``(batch, frames, bands, channels)``.
        state : tuple of torch.Tensor, optional
            What the path along time knows of the frames before.

        Returns
        -------
        x : torch.Tensor
            ``(batch, frames, bands, channels)``.
        state : tuple of torch.Tensor
            For the next frames.
        """
        batch, frames, bands, _ = x.shape
        along_time = x.transpose(0, 1).flatten(1, 2)  # (frames, batch * bands, channels)
        heard, state = self.time_path.step(along_time, state)
        x = along_time + heard
        x = x.unflatten(1, (batch, bands))  # (frames, batch, bands, channels)
        along_bands = x.transpose(0, 2).flatten(1, 2)  # (bands, batch * frames, channels)
        x = along_bands + self.band_path(along_bands)
        x = x.unflatten(1, (batch, frames))  # (bands, batch, frames, channels)
        return x.permute(1, 2, 0, 3), state  # (batch, frames, bands, channels)


class RecurrentPath(nn.Module):
    """Layer norm, LSTM and a linear layer; the LSTM begins with its forget gates open.

    Arguments
    ---------
    channels : int
        Channels of input and output.
    units : int
        Hidden units of all directions together.
    bidirectional : bool
        Whether half of them go backwards.

    Example
    -------
    >>> RecurrentPath(16, 32, bidirectional=True)(torch.randn(50, 3, 16)).shape
    torch.Size([50, 3, 16])
    """

    def __init__(self, channels: int, units: int, bidirectional: bool) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        if check_integer("units", units) % directions:
            raise ValueError(f"units: expected an even number for two directions, but got {units}")
        self.norm = nn.LayerNorm(channels)
        self.recurrent = nn.LSTM(channels, units // directions, bidirectional=bidirectional)
        self.linear = nn.Linear(units, channels)
        remember(self.recurrent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(steps, batch, channels)`` to the same shape."""
        return self.step(x)[0]

    def step(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """The next steps of a sequence, with what the LSTM knows of those before."""
        x, state = self.recurrent(self.norm(x), state)
        return self.linear(x), state


@torch.no_grad()
def remember(lstm: nn.LSTM) -> None:
    """Opens the forget gates of a new LSTM, so that it learns from far back from the first step on.

    Source: R. Jozefowicz, W. Zaremba, I. Sutskever, "An empirical exploration of recurrent network
    architectures", ICML 2015, section 2.2 (a bias of 1).

    Arguments
    ---------
    lstm : torch.nn.LSTM
        Of one layer.

    Example
    -------
    >>> lstm = nn.LSTM(2, 3)
    >>> before = lstm.bias_ih_l0.clone()
    >>> remember(lstm)
    >>> (lstm.bias_ih_l0 - before).round().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    size = lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_ih"):
            parameter[size : 2 * size] += 1  # PyTorch's order of gates: input, forget, cell, output
