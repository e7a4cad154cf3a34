"""Critic on windows of waveform, WaveGAN's shape with a selectable downsampling.

Source
------
C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis", ICLR 2019, table 4; for the anti-aliased
stages R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
"""

import torch
from torch import nn

from sb_resizegan.models.window_generator import check_stages
from sb_resizegan.nnet.activations import LeakyReLU
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.phase_shuffle import PhaseShuffle


class WindowCritic(nn.Module):
    """Scores windows of waveform: one downsampling convolution per stage, then a dense layer.

    Each stage is followed by a leaky ReLU (slope 0.2) and, but for the last, by phase shuffle. There is no
    normalisation: the gradient penalty is per example.

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
        One of the modes of :class:`~sb_resizegan.nnet.downsampling.Downsample1d`.
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
    >>> critic = WindowCritic(window_samples=2048)
    >>> critic(torch.zeros(3, 2048)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        window_samples=2048,
        channels=(16, 32, 64, 128),
        factors=(4, 4, 4, 4),
        kernel_size=25,
        downsampling="strided",
        phase_shuffle=2,
        shuffle_per_example=True,
    ):
        super().__init__()
        channels, factors = tuple(channels), tuple(factors)
        total_factor = check_stages(window_samples, channels, factors)
        self.window_samples = window_samples
        self.stages = nn.ModuleList(
            Downsample1d(in_channels, out_channels, kernel_size, factor, downsampling)
            for in_channels, out_channels, factor in zip((1, *channels[:-1]), channels, factors, strict=True)
        )
        self.activation = LeakyReLU(0.2)
        self.shuffles = nn.ModuleList(
            PhaseShuffle(phase_shuffle, shuffle_per_example) for _ in self.stages[:-1]
        )
        self.dense = nn.Linear(channels[-1] * (window_samples // total_factor), 1)

    def draw_shifts(self, batch, generator=None):
        """Shifts of the phase shuffles for one call, to make a call repeatable.

        Arguments
        ---------
        batch : int
            Examples in the call.
        generator : torch.Generator, optional
            A CPU generator to draw from; the default one otherwise.

        Returns
        -------
        torch.Tensor
            Integers ``(batch, stages - 1)``.
        """
        if not len(self.shuffles):
            return torch.zeros(batch, 0, dtype=torch.long)
        return torch.stack([shuffle.draw(batch, generator) for shuffle in self.shuffles], dim=1)

    def forward(self, windows, shifts=None):
        """Scores windows.

        Arguments
        ---------
        windows : torch.Tensor
            ``(batch, window_samples)``.
        shifts : torch.Tensor, optional
            ``(batch, stages - 1)`` from :meth:`draw_shifts`; drawn anew while training, none in evaluation
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
        x = windows.unsqueeze(1)
        for index, stage in enumerate(self.stages):
            x = self.activation(stage(x))
            if index < len(self.shuffles):
                x = self.shuffles[index](x, None if shifts is None else shifts[:, index])
        return self.dense(x.flatten(1)).squeeze(1)
