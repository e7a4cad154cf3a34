"""Activations without aliasing: at twice the rate, between two low-pass filters."""

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet.downsampling import lowpass_kernel
from sb_resizegan.nnet.interpolation import interpolation_phases
from sb_resizegan.nnet.layer_checks import check_input

__all__ = ["AntiAliased"]

FACTOR = 2
SPAN = 13
ATTENUATION = 50.0


class AntiAliased(nn.Module):
    """Applies an activation at twice the sampling rate and filters what it makes before it goes back.

    A nonlinearity makes frequencies that its rate cannot hold, which fold back as tones that move against the
    pitch (T. Karras et al., "Alias-free generative adversarial networks", NeurIPS 2021, section 3; S. Lee et
    al., "BigVGAN", ICLR 2023, section 3.2). At twice the rate those up to three halves of the band stay apart
    and are removed. Both filters are Kaiser-windowed sincs of 50 dB, as `Upsample1d` has them.

    Arguments
    ---------
    activation : torch.nn.Module
        What is applied to `(batch, channels, time)`.

    Example
    -------
    >>> from sb_resizegan.nnet.activations import Snake
    >>> AntiAliased(Snake(16))(torch.zeros(2, 16, 100)).shape
    torch.Size([2, 16, 100])
    """

    reach = SPAN + 1  # samples on either side that an output sample may depend on, at the layer's own rate

    phases: torch.Tensor
    lowpass: torch.Tensor

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation
        phases = interpolation_phases("sinc", FACTOR, ATTENUATION, SPAN)
        self.register_buffer("phases", phases.float(), persistent=False)
        self.register_buffer("lowpass", lowpass_kernel(FACTOR, ATTENUATION, SPAN).float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, channels, time)` to the same shape."""
        check_input(x)
        batch, channels, time = x.shape
        # One filter for all channels: a batch of single signals. The phases are a convolution of two outputs.
        phases, lowpass = self.phases.to(x.dtype), self.lowpass.to(x.dtype)
        reach = phases.shape[1] // 2
        padded = F.pad(x, (reach, reach), mode="replicate").reshape(batch * channels, 1, -1)
        raised = F.conv1d(padded, phases[:, None]).transpose(1, 2).reshape(batch, channels, FACTOR * time)
        shaped = self.activation(raised)
        edge = (len(lowpass) - FACTOR) // 2
        shaped = F.pad(shaped, (edge, edge), mode="replicate").reshape(batch * channels, 1, -1)
        return F.conv1d(shaped, lowpass.view(1, 1, -1), stride=FACTOR).view(batch, channels, time)
