"""What a stage of a window generator may hold beside its upsampling: residual blocks, activations, noise."""

import torch
from torch import nn

from sb_resizegan.nnet.activations import Snake
from sb_resizegan.nnet.downsampling import Downsample1d, lowpass_kernel
from sb_resizegan.utils.checks import check_choice

__all__ = ["ACTIVATIONS", "NoiseInput", "ResidualBlock", "activation_layer"]

ACTIVATIONS = ("relu", "snake")
SMALL = 0.1


def activation_layer(name: str, channels: int) -> nn.Module:
    """The activation of a name.

    Arguments
    ---------
    name : str
        ``relu`` or ``snake``.
    channels : int
        Channels of its input.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        For another name.

    Example
    -------
    >>> activation_layer("snake", 8)
    Snake(8)
    """
    check_choice("activation", name, ACTIVATIONS)
    return Snake(channels) if name == "snake" else nn.ReLU()


class ResidualBlock(nn.Module):
    """Adds to its input what two convolutions make of it, an activation before each.

    The second convolution starts small, so that a new block changes little.

    Arguments
    ---------
    channels : int
        Of input and output.
    activation : str
        See `activation_layer()`.
    kernel_size : int
        Taps of either convolution.

    Example
    -------
    >>> ResidualBlock(16)(torch.zeros(2, 16, 100)).shape
    torch.Size([2, 16, 100])
    """

    def __init__(self, channels: int, activation: str = "relu", kernel_size: int = 7) -> None:
        super().__init__()
        self.activations = nn.ModuleList(activation_layer(activation, channels) for _ in range(2))
        # A convolution without stride in the memory layout of its neighbours.
        self.convolutions = nn.ModuleList(
            Downsample1d(channels, channels, kernel_size, 1, "strided") for _ in range(2)
        )
        with torch.no_grad():
            for parameter in self.convolutions[1].parameters():
                parameter.mul_(SMALL)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, channels, time)`` to the same shape."""
        y = x
        for activation, convolution in zip(self.activations, self.convolutions, strict=True):
            y = convolution(activation(y))
        return x + y


class NoiseInput(nn.Module):
    """Adds noise above the band that an upsampling by ``factor`` leaves, with a learned gain per channel.

    Y. Shang et al. mix high-passed noise into filtered features, which a low-pass after upsampling has
    emptied; T. Karras et al., "A style-based generator architecture", CVPR 2019, section 3.2, have the gains.

    Arguments
    ---------
    channels : int
        Channels of the input.
    factor : int
        Of the upsampling before it, at least 2.

    Example
    -------
    >>> NoiseInput(16, 4)(torch.zeros(2, 16, 100), torch.randn(2, 100)).shape
    torch.Size([2, 16, 100])
    """

    highpass: torch.Tensor

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.gains = nn.Parameter(SMALL * torch.randn(channels, 1))
        lowpass = lowpass_kernel(factor, span=4)
        if len(lowpass) % 2 == 0:  # two taps of an average make it symmetric about a sample
            lowpass = (nn.functional.pad(lowpass, (1, 0)) + nn.functional.pad(lowpass, (0, 1))) / 2
        highpass = -lowpass
        highpass[len(highpass) // 2] += 1
        self.register_buffer("highpass", highpass.float(), persistent=False)

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Adds to ``(batch, channels, time)`` the noise ``(batch, time)`` of variance 1, filtered."""
        with torch.autocast(noise.device.type, enabled=False):
            filtered = nn.functional.conv1d(
                noise.to(self.highpass.dtype)[:, None],
                self.highpass.view(1, 1, -1),
                padding=len(self.highpass) // 2,
            )
            return x + self.gains * filtered
