"""What networks of stages share: checks of their sizes, and the stack of convolutions of a critic."""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn

from sb_resizegan.nnet.activations import LeakyReLU
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.phase_shuffle import PhaseShuffle
from sb_resizegan.utils.counter_random import RandomSource

__all__ = ["CriticStages", "check_stages", "check_window"]


def check_stages(channels: Sequence[int], factors: Sequence[int]) -> int:
    """Product of the factors, after a check that the two lists fit together.

    Arguments
    ---------
    channels : tuple of int
        One entry for each stage.
    factors : tuple of int
        Factor of each stage, at least 1.

    Returns
    -------
    int
        The product of the factors.

    Raises
    ------
    ValueError
        For lists of different lengths or none, or a factor below 1.

    Example
    -------
    >>> check_stages((128, 64, 32, 16), (4, 4, 4, 4))
    256
    """
    if len(channels) != len(factors) or not factors:
        raise ValueError(
            "channels and factors: expected one entry per stage in each and at least one stage, "
            f"but got channels={channels} and factors={factors}"
        )
    if any(not isinstance(factor, int) or factor < 1 for factor in factors):
        raise ValueError(f"factors: expected integers of at least 1, but got {list(factors)}")
    return math.prod(factors)


def check_window(window_samples: int, channels: Sequence[int], factors: Sequence[int]) -> int:
    """As `check_stages()`, for stages that hold a window of fixed length.

    Arguments
    ---------
    window_samples : int
        Samples of a window.
    channels : tuple of int
        One entry for each stage.
    factors : tuple of int
        Factor of each stage, at least 1.

    Returns
    -------
    int
        The product of the factors.

    Raises
    ------
    ValueError
        As `check_stages()`, and for a window that is not a positive multiple of the product.

    Example
    -------
    >>> check_window(2048, (128, 64, 32, 16), (4, 4, 4, 4))
    256
    """
    total = check_stages(channels, factors)
    if window_samples < total:
        raise ValueError(
            f"window_samples: expected at least the total factor {total} of factors={list(factors)}, "
            f"but got {window_samples}"
        )
    if window_samples % total:
        raise ValueError(
            f"window_samples: expected a multiple of the total factor {total} of factors={list(factors)}, "
            f"but got {window_samples}"
        )
    return total


class CriticStages(nn.Module):
    """The stack of a critic: one downsampling convolution per stage.

    Each stage is followed by a leaky ReLU and, but for the last, by phase shuffle. There is no
    normalisation: the gradient penalty is per example (Gulrajani et al., "Improved training of Wasserstein
    GANs", NeurIPS 2017, section 4).

    Arguments
    ---------
    in_channels : int
        Signals that the critic reads.
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
        For lists of different lengths, or a wrong size or mode.

    Example
    -------
    >>> stages = CriticStages(1, (8, 16), (4, 4), 9, "strided", phase_shuffle=2, shuffle_per_example=True)
    >>> stages.features(torch.zeros(3, 1, 2048)).shape
    torch.Size([3, 16, 128])
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        factors: Sequence[int],
        kernel_size: int,
        downsampling: str,
        phase_shuffle: int,
        shuffle_per_example: bool,
    ) -> None:
        super().__init__()
        check_stages(channels, factors)
        self.factors = factors
        self.stages = nn.ModuleList(
            Downsample1d(inputs, outputs, kernel_size, factor, downsampling)
            for inputs, outputs, factor in zip((in_channels, *channels[:-1]), channels, factors, strict=True)
        )
        self.activation = LeakyReLU()
        self.shuffles = nn.ModuleList(
            PhaseShuffle(phase_shuffle, shuffle_per_example) for _ in self.stages[:-1]
        )

    def draw_shifts(self, batch: int, generator: RandomSource = None) -> torch.Tensor:
        """Shifts of the phase shuffles for one call, to make a call repeatable.

        Arguments
        ---------
        batch : int
            Examples in the call.
        generator : torch.Generator or CounterRandom, optional
            What to draw from; the CPU's default generator otherwise.

        Returns
        -------
        torch.Tensor
            Integers ``(batch, stages - 1)``, where the generator draws.
        """
        if not len(self.shuffles):
            return torch.zeros(batch, 0, dtype=torch.long)
        shuffles = cast("Iterable[PhaseShuffle]", self.shuffles)
        return torch.stack([shuffle.draw(batch, generator) for shuffle in shuffles], dim=1)

    def features(
        self, x: torch.Tensor, shifts: torch.Tensor | None = None, valid: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Output of the last stage.

        Arguments
        ---------
        x : torch.Tensor
            ``(batch, in_channels, time)``.
        shifts : torch.Tensor, optional
            ``(batch, stages - 1)`` from `draw_shifts()`; drawn anew while training, none in evaluation
            otherwise.
        valid : torch.Tensor, optional
            Integers ``(batch,)``: samples of each example, of which the rest is padding with zeros. After
            them each stage then reads zeros, as it does after the end of an example without padding, and
            not its predecessor's response to zeros.

        Returns
        -------
        torch.Tensor
            ``(batch, channels[-1], frames)``, where each stage rounds its number of frames up.
        """
        for index, (stage, factor) in enumerate(zip(self.stages, self.factors, strict=True)):
            x = self.activation(stage(x))
            if index < len(self.shuffles):
                x = self.shuffles[index](x, None if shifts is None else shifts[:, index])
            if valid is not None:
                valid = -(-valid // factor)
                x = x * (torch.arange(x.shape[2], device=x.device) < valid.view(-1, 1, 1))
        return x
