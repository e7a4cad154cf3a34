"""The network of a spectral generator made ready for a stream, where one frame comes at a time.

It computes what `SpectralGenerator.network` computes of one frame. A frame is so little work that most of
the time goes into starting operations. So there are few of them, and no modules, whose calls cost as much:

- The kernels of the stages are composed once. A stage is then one matrix product over the windows of its
  input, in the order of memory that the recurrent layers want.
- The path along time takes one step, for which a cell is enough.
- The path along the bands goes both ways at once: one layer, whose input is a frame beside its mirror image,
  and whose matrices are block-diagonal.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch.nn import functional as F

from sb_resizegan.models.dual_path import DualPathBlock, RecurrentPath
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.upsampling import Upsample1d

if TYPE_CHECKING:
    from sb_resizegan.models.spectral_generator import SpectralGenerator

__all__ = ["FrameFunction", "FrameNetwork"]

# From a compressed frame, a latent and states to the network's outputs and the states for the next frame.
FrameFunction = Callable[
    [torch.Tensor, torch.Tensor | None, Sequence[torch.Tensor]], tuple[torch.Tensor, list[torch.Tensor]]
]


class FrameNetwork:
    """What `SpectralGenerator.stream_outputs` computes, with fewer operations.

    Arguments
    ---------
    generator : SpectralGenerator
        Causal. Its weights are copied, on their device: what becomes of them later is not heard.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> generator = SpectralGenerator(8, 8, 8, blocks=1, latent_dim=0, causal=True)
    >>> states = list(generator.stream_states(2).values())
    >>> frame = torch.randn(2, 256, 2)
    >>> one, other = (f(frame, None, states)[0] for f in (FrameNetwork(generator), generator.stream_outputs))
    >>> bool(torch.allclose(one, other, atol=1e-6))
    True
    """

    @torch.no_grad()
    def __init__(self, generator: "SpectralGenerator"):
        blocks = list(cast("Iterable[DualPathBlock]", generator.blocks))
        self._encoder = [prepared_stage(stage) for stage in cast("Iterable[Downsample1d]", generator.encoder)]
        self._decoder = [prepared_stage(stage) for stage in cast("Iterable[Upsample1d]", generator.decoder)]
        self._paths = [(TimeStep(block.time_path), BandPath(block.band_path)) for block in blocks]
        self._band_embedding = generator.band_embedding.detach().clone()
        latents = generator.latent_input
        self._latents = None if latents is None else latents.weight.detach().clone()
        self._slope = generator.activation.negative_slope

    def __call__(
        self, compressed: torch.Tensor, latent: torch.Tensor | None, states: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """One frame.

        Arguments
        ---------
        compressed : torch.Tensor
            ``(streams, bins, 2)``: real and imaginary part.
        latent : torch.Tensor or None
            ``(streams, latent_dim)``.
        states : sequence of torch.Tensor
            Of `SpectralGenerator.stream_states()`, or from the frame before.

        Returns
        -------
        x : torch.Tensor
            ``(streams, bins, 2 * estimates)``.
        states : list of torch.Tensor
            For the next frame.
        """
        x, skips = compressed, []
        for stage in self._encoder:
            x = F.leaky_relu(stage(x), self._slope)  # (streams, bins / factors so far, channels)
            skips.append(x)
        x = x + self._band_embedding
        if self._latents is not None and latent is not None:
            x = x + F.linear(latent, self._latents).unsqueeze(1)
        after: list[torch.Tensor] = []
        for number, (along_time, along_bands) in enumerate(self._paths):
            x, *state = along_time(x, states[2 * number], states[2 * number + 1])
            after += state
            x = along_bands(x)
        for stage in self._decoder:
            x = stage(F.leaky_relu(x + skips.pop(), self._slope))
        return x, after


class PreparedPath:
    """What both paths have: a layer norm before, and a linear layer behind.

    Arguments
    ---------
    path : RecurrentPath
        The path.
    """

    def __init__(self, path: RecurrentPath):
        norm, linear = path.norm, path.linear
        self._scale, self._shift = norm.weight.detach().clone(), norm.bias.detach().clone()
        self._epsilon = norm.eps
        self._linear = linear.weight.detach().clone(), linear.bias.detach().clone()

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        return torch.layer_norm(x, self._scale.shape, self._scale, self._shift, self._epsilon)


class TimeStep(PreparedPath):
    """One step of a path along time, with its residual connection.

    Arguments
    ---------
    path : RecurrentPath
        Forwards.
    """

    def __init__(self, path: RecurrentPath):
        super().__init__(path)
        self._cell = [parameter.detach().clone() for parameter in path.recurrent.parameters()]

    def __call__(
        self, x: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``(streams, bands, channels)`` and states ``(1, streams * bands, units)`` to the same shapes."""
        along_time = self._normalised(x).flatten(0, 1)
        hidden, cell = torch.lstm_cell(along_time, (hidden[0], cell[0]), *self._cell)
        return x + F.linear(hidden, *self._linear).view_as(x), hidden.unsqueeze(0), cell.unsqueeze(0)


class BandPath(PreparedPath):
    """A path along the bands in both directions at once, with its residual connection.

    Arguments
    ---------
    path : RecurrentPath
        In two directions.
    """

    def __init__(self, path: RecurrentPath):
        super().__init__(path)
        both = path.recurrent
        self._units = both.hidden_size
        self._weights = []
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            directions = (getattr(both, name + suffix).detach() for suffix in ("", "_reverse"))
            gates = zip(*(parameter.chunk(4) for parameter in directions), strict=True)
            joined = torch.block_diag if name.startswith("weight") else lambda *parts: torch.cat(parts)
            self._weights.append(torch.cat([joined(*parts) for parts in gates]))
        self._nothing = self._weights[0].new_zeros(1, 1, 2 * self._units)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``(streams, bands, channels)`` to the same shape."""
        along_bands = self._normalised(x).transpose(0, 1)
        pairs = torch.cat([along_bands, along_bands.flip(0)], dim=2)
        nothing = self._nothing.expand(-1, len(x), -1).contiguous()
        # One layer with biases, without dropout, not in training, in one direction, time first.
        y, _, _ = torch.lstm(pairs, (nothing, nothing), self._weights, True, 1, 0.0, False, False, False)
        forwards, backwards = y.split(self._units, dim=2)
        y = torch.cat([forwards, backwards.flip(0)], dim=2).transpose(0, 1)
        return x + F.linear(y, *self._linear)


class WindowedProduct:
    """A convolution over blocks as one matrix product; see `sb_resizegan.nnet.polyphase.block_convolution`.

    Arguments
    ---------
    kernels : torch.Tensor
        ``(p, taps, r, out, in)``: a block has r samples in the input and p in the output.
    bias : torch.Tensor or None
        ``(out,)``, or for several samples of a block, ``(n * out,)``; repeated as often as it takes.
    before, after : int
        Blocks of zeros on either side; ``taps = before + 1 + after``.
    """

    def __init__(self, kernels: torch.Tensor, bias: torch.Tensor | None, before: int, after: int):
        self._p, self._taps, self._r, self._out, _ = kernels.shape
        self._before, self._after = before, after
        # From a window (taps, r, in) to a block (p, out).
        self._matrix = kernels.permute(1, 2, 4, 0, 3).flatten(0, 2).flatten(1).contiguous()
        bias = kernels.new_zeros(self._out) if bias is None else bias.detach()
        self._bias = bias.repeat(self._matrix.shape[1] // len(bias))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``(streams, time, in)`` to ``(streams, time * p / r, out)``."""
        streams, time, width = x.shape
        block, blocks = self._r * width, -(-time // self._r)
        x = F.pad(x, (0, 0, self._before * self._r, (blocks + self._after) * self._r - time)).flatten(1)
        windows = x.unfold(1, self._taps * block, block)  # (streams, blocks, taps * r * in)
        y = torch.addmm(self._bias, windows.flatten(0, 1), self._matrix).view(streams, -1, self._out)
        return y[:, : time * self._p // self._r]


def prepared_stage(stage: Downsample1d | Upsample1d) -> Callable[[torch.Tensor], torch.Tensor]:
    """A stage from ``(streams, time, in)`` to ``(streams, time', out)`` with its kernels composed; as it is
    where it treats the edges in a way of its own."""
    kernels, bias, edges = stage.fused_kernels()
    if stage.fused and not edges:
        return WindowedProduct(kernels, bias, stage.before, stage.after)
    stage = copy.deepcopy(stage)
    return lambda x: stage(x.transpose(1, 2)).transpose(1, 2)
