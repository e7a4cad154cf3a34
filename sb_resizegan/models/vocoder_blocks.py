"""Parts of the vocoder's generator: conditioned residual blocks, and the end by an inverse transform.

Source
------
M. Bińkowski et al., "High fidelity speech synthesis with adversarial networks" (GAN-TTS), ICLR 2020, section
3.1 and figure 2 (blocks); T. Kaneko et al., "iSTFTNet: fast and lightweight mel-spectrogram vocoder
incorporating inverse short-time Fourier transform", ICASSP 2022.
"""

import math
from collections.abc import Iterable
from typing import cast

import torch
from torch import nn

from sb_resizegan.nnet.activations import LeakyReLU, Snake
from sb_resizegan.nnet.antialiasing import AntiAliased
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_choice

__all__ = [
    "VOCODER_ACTIVATIONS",
    "ConditionalNorm",
    "DilatedBlock",
    "InverseSpectra",
    "check_mel",
    "he_convolution",
    "stack_reach",
    "vocoder_activation",
]

VOCODER_ACTIVATIONS = ("leaky_relu", "snake")
SMALL = 0.1
LOUDEST = 4.0  # nepers, of what the network adds to a log magnitude
OVERLAP = 4  # frames that cover a sample


def vocoder_activation(name: str, channels: int) -> nn.Module:
    """The activation of a word: a leaky rectifier, or Snake at twice the rate between two filters.

    Arguments
    ---------
    name : str
        ``leaky_relu`` (`LeakyReLU`) or ``snake`` (`Snake` within `AntiAliased`).
    channels : int
        Channels of its input.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        For another word.

    Example
    -------
    >>> type(vocoder_activation("snake", 8)).__name__
    'AntiAliased'
    """
    check_choice("activation", name, VOCODER_ACTIVATIONS)
    return AntiAliased(Snake(channels)) if name == "snake" else LeakyReLU()


def he_convolution(inputs: int, outputs: int, kernel_size: int, dilation: int = 1) -> nn.Conv1d:
    """A convolution of odd length that keeps time, with weights of variance 2 over the number of inputs.

    Example
    -------
    >>> he_convolution(2, 3, 5, dilation=4)(torch.zeros(1, 2, 7)).shape
    torch.Size([1, 3, 7])
    """
    layer = nn.Conv1d(inputs, outputs, kernel_size, dilation=dilation, padding=dilation * (kernel_size // 2))
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ConditionalNorm(nn.Module):
    """Normalises each frame over its channels; a latent vector sets gain and offset of each channel.

    GAN-TTS has batch normalisation in this place. Its statistics tie the examples of a batch, the frames of
    an utterance and the processes of a training together; the root mean square over the channels of one frame
    ties nothing, so an utterance sounds alike in any batch and a chunk as within the whole.

    Arguments
    ---------
    channels : int
        Channels of the input.
    latent_dim : int
        Size of the latent vector.

    Example
    -------
    >>> ConditionalNorm(16, 8)(torch.randn(2, 16, 100), torch.randn(2, 8)).shape
    torch.Size([2, 16, 100])
    """

    def __init__(self, channels: int, latent_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(latent_dim, 2 * channels)
        nn.init.normal_(self.affine.weight, std=SMALL / math.sqrt(latent_dim))
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """``(batch, channels, time)`` and ``(batch, latent_dim)`` to ``(batch, channels, time)``."""
        gain, offset = self.affine(latent).unsqueeze(2).chunk(2, dim=1)
        scale = (x.square().mean(dim=1, keepdim=True) + 1e-6).rsqrt()
        return x * scale * (1 + gain) + offset


class DilatedBlock(nn.Module):
    """Adds to its input what a dilated and a plain convolution make of it, an activation before each.

    With a latent vector each activation follows a `ConditionalNorm`. The second convolution starts small.

    Arguments
    ---------
    channels : int
        Of input and output.
    kernel_size : int
        Taps, odd.
    dilation : int
        Of the first convolution, in samples.
    activation : str
        See `vocoder_activation()`.
    latent_dim : int
        Size of the latent vector; 0 for none.

    Example
    -------
    >>> DilatedBlock(16, 3, 4, "leaky_relu")(torch.zeros(2, 16, 100)).shape
    torch.Size([2, 16, 100])
    """

    def __init__(
        self, channels: int, kernel_size: int, dilation: int, activation: str, latent_dim: int = 0
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ConditionalNorm(channels, latent_dim) for _ in range(2) if latent_dim)
        self.activations = nn.ModuleList(vocoder_activation(activation, channels) for _ in range(2))
        self.convolutions = nn.ModuleList(
            he_convolution(channels, channels, kernel_size, each) for each in (dilation, 1)
        )
        with torch.no_grad():
            self.convolutions[1].get_parameter("weight").mul_(SMALL)
        # Samples on either side that an output sample depends on.
        self.reach = (dilation + 1) * (kernel_size // 2)
        self.reach += sum(getattr(layer, "reach", 0) for layer in self.activations)

    def forward(self, x: torch.Tensor, latent: torch.Tensor | None = None) -> torch.Tensor:
        """``(batch, channels, time)`` to the same shape."""
        y = x
        for index, (activation, convolution) in enumerate(
            zip(self.activations, self.convolutions, strict=True)
        ):
            if self.norms:
                y = self.norms[index](y, latent)
            y = convolution(activation(y))
        return x + y


class InverseSpectra(nn.Module):
    """The last stage by an inverse short-time Fourier transform: features to spectra, spectra to samples.

    A convolution gives for each bin a log magnitude and a direction ``(a, b)``, not of unit length, so that a
    phase has no seam; the spectrum is ``exp(prior + magnitude) (a + ib)``. Directions are relative to a
    carrier in the middle of the bin: a sine needs no more than a turn by what it differs from there. Frames
    are Hann windows that overlap four times, whose squares add up to 1.5 everywhere.

    Arguments
    ---------
    channels : int
        Of the features.
    hop : int
        Samples of a frame of features; the transform has four times as many.
    kernel_size : int
        Taps of the convolution, odd.

    Example
    -------
    >>> InverseSpectra(16, hop=8)(torch.zeros(2, 16, 100)).shape
    torch.Size([2, 800])
    """

    synthesis: torch.Tensor  # constant buffers
    carrier: torch.Tensor

    def __init__(self, channels: int, hop: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.hop, self.n_fft = hop, OVERLAP * hop
        self.bins = self.n_fft // 2 + 1
        self.convolution = he_convolution(channels, 3 * self.bins, kernel_size)
        with torch.no_grad():
            self.convolution.weight[: self.bins].mul_(SMALL)
        window = torch.hann_window(self.n_fft, dtype=torch.float64)
        unit = torch.eye(self.bins, dtype=torch.complex128)
        matrix = torch.fft.irfft(torch.cat([unit, 1j * unit]), self.n_fft) * window
        self.register_buffer("synthesis", (matrix / 1.5).float(), persistent=False)
        # Frame j of bin k is turned by k j / 4 of a circle: (bins, 4, 2).
        turns = torch.arange(self.bins)[:, None] * torch.arange(OVERLAP)[None] % OVERLAP
        angle = 2 * math.pi / OVERLAP * turns.double()
        self.register_buffer("carrier", torch.stack([angle.cos(), angle.sin()], 2).float(), persistent=False)
        self.reach = kernel_size // 2 + OVERLAP // 2

    def forward(self, x: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
        """Samples of features.

        Arguments
        ---------
        x : torch.Tensor
            ``(batch, channels, frames)``.
        prior : torch.Tensor, optional
            Log magnitudes ``(batch, bins, frames)``; 0 by default.

        Returns
        -------
        torch.Tensor
            ``(batch, hop * frames)``; frame ``i`` is centred in its ``hop`` samples.
        """
        outputs = self.convolution(x)
        with torch.autocast(x.device.type, enabled=False):
            magnitude, a, b = outputs.float().split(self.bins, dim=1)
            # A magnitude far out at the beginning of a training would end it.
            magnitude = LOUDEST * torch.tanh(magnitude / LOUDEST)
            magnitude = (magnitude if prior is None else magnitude + prior).exp()
            frames = x.shape[2]
            cosine, sine = self.carrier.repeat(1, -(-frames // OVERLAP), 1)[:, :frames].unbind(2)
            spectra = torch.cat([magnitude * (a * cosine - b * sine), magnitude * (a * sine + b * cosine)], 1)
            parts = (spectra.transpose(1, 2) @ self.synthesis).unflatten(2, (OVERLAP, self.hop))
            # Part k of frame i belongs to hop i + k of the overlapping sum.
            total = x.new_zeros(len(x), frames + OVERLAP - 1, self.hop, dtype=torch.float32)
            for k in range(OVERLAP):
                total = total + nn.functional.pad(parts[:, :, k], (0, 0, k, OVERLAP - 1 - k))
            start = (self.n_fft - self.hop) // 2
            return total.flatten(1)[:, start : start + frames * self.hop]


def stack_reach(
    blocks: nn.ModuleList, stages: nn.ModuleList, activations: nn.ModuleList
) -> tuple[float, int]:
    """How far a stack of upsampling stages with blocks between them reads.

    Arguments
    ---------
    blocks : torch.nn.ModuleList
        Lists of `DilatedBlock`: before the first stage, between two, and behind the last.
    stages : torch.nn.ModuleList
        `Upsample1d`, one less than there are lists of blocks.
    activations : torch.nn.ModuleList
        Behind each list of blocks.

    Returns
    -------
    reach : float
        Frames of the input on either side that an output sample depends on, beside its own.
    rate : int
        Output samples for each frame.

    Example
    -------
    >>> block = nn.ModuleList([DilatedBlock(8, 3, 4, "leaky_relu")])
    >>> stack_reach(nn.ModuleList([block]), nn.ModuleList(), nn.ModuleList([nn.ReLU()]))
    (5.0, 1)
    """
    reach, rate = 0.0, 1
    for index, some in enumerate(blocks):
        if index:
            stage = cast("Upsample1d", stages[index - 1])
            neighbours = 0 if stage.phases is None else stage.phases.shape[1] // 2
            taps = stage.kernel_size * (stage.factor if stage.mode == "subpixel" else 1)
            reach += (neighbours + 1) / rate
            rate *= stage.factor
            reach += taps / rate
        reach += sum(block.reach for block in cast("Iterable[DilatedBlock]", some)) / rate
        reach += getattr(activations[index], "reach", 0) / rate
    return reach, rate


def check_mel(mel: torch.Tensor, n_mels: int) -> None:
    """Raises a ``ValueError`` unless mel spectra are ``(batch, n_mels, frames)`` with a frame or more.

    Example
    -------
    >>> check_mel(torch.zeros(1, 80, 3), 80)
    """
    if mel.dim() != 3 or mel.shape[1] != n_mels or mel.shape[2] == 0:
        raise ValueError(
            f"mel: expected shape (batch, {n_mels}, frames) with at least one frame, "
            f"but got {tuple(mel.shape)}"
        )
