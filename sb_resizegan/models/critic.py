"""Critic on windows of waveform, WaveGAN's shape with a selectable downsampling.

Source
------
C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis", ICLR 2019, table 4; for the anti-aliased
stages R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
"""

from collections.abc import Sequence

import torch
from torch import nn

from sb_resizegan.models.stages import CriticStages, check_window


class WindowCritic(CriticStages):
    """Scores windows of waveform: the stages of `CriticStages`, then a
    dense layer.

    Arguments
    ---------
    window_samples : int
        Samples of a window; a multiple of the product of ``factors``.
    channels : sequence of int
        Output channels of each stage, first to last.
    factors : sequence of int
        Downsampling factor of each stage.
    kernel_size : int
        Length of the learned kernels in samples at the input rate of their stage.
    downsampling : str
        One of the modes of `Downsample1d`.
    phase_shuffle : int
        Largest shift of the phase shuffle in samples at the output rate of a stage; 0 for none.
    shuffle_per_example : bool
        Draw one shift per example (True) or one for the batch, as WaveGAN's code does (False).

    Raises
    ------
    ValueError
        For lists of different lengths, a window that the stages cannot read, or a wrong mode.

    Example
    -------
    >>> import torch
    >>> critic = WindowCritic(window_samples=2048)
    >>> critic(torch.zeros(3, 2048)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        window_samples: int = 2048,
        channels: Sequence[int] = (16, 32, 64, 128),
        factors: Sequence[int] = (4, 4, 4, 4),
        kernel_size: int = 25,
        downsampling: str = "strided",
        phase_shuffle: int = 2,
        shuffle_per_example: bool = True,
    ) -> None:
        channels, factors = tuple(channels), tuple(factors)
        total_factor = check_window(window_samples, channels, factors)
        super().__init__(1, channels, factors, kernel_size, downsampling, phase_shuffle, shuffle_per_example)
        self.window_samples = window_samples
        self.dense = nn.Linear(channels[-1] * (window_samples // total_factor), 1)

    def forward(self, windows: torch.Tensor, shifts: torch.Tensor | None = None) -> torch.Tensor:
        """Scores windows.

        Arguments
        ---------
        windows : torch.Tensor
            ``(batch, window_samples)``.
        shifts : torch.Tensor, optional
            ``(batch, stages - 1)`` from `draw_shifts()`; drawn anew while training, none in evaluation
            otherwise.

        Returns
        -------
        torch.Tensor
            ``(batch,)``, higher for what looks real.
        """
        if windows.dim() != 2 or windows.shape[1] != self.window_samples:
            raise ValueError(
                f"windows: expected shape (batch, {self.window_samples}), but got {tuple(windows.shape)}"
            )
        return self.dense(self.features(windows.unsqueeze(1), shifts).flatten(1)).squeeze(1)
