"""How long the recurrent layers of a spectral generator remember, and how to limit it.

A generator that is trained on segments of seconds can learn to keep something for minutes, since nothing in
the training discourages it. Chunks of a long file then differ from one pass, whatever context they get.

Source
------
The time constant of a forget gate: C. Tallec, Y. Ollivier, "Can recurrent neural networks warp time?",
ICLR 2018, section 2.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import nn
from torch.nn.functional import logsigmoid, pad

from sb_resizegan.models.dual_path import DualPathBlock
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.utils.checks import check_positive

__all__ = ["limit_memory", "memory_steps"]

MOST_ROUNDS = 50
TOLERANCE = 1.01


@torch.no_grad()
def memory_steps(lstm: nn.LSTM, x: torch.Tensor) -> list[torch.Tensor]:
    """Time constants of an LSTM's cells on an input.

    In each step a cell's content is multiplied by its forget gate. The time constant is the number of steps
    in which the product of the gates falls to 1 / e, at its mean rate over the input.

    Arguments
    ---------
    lstm : torch.nn.LSTM
        Of one layer, in one or two directions.
    x : torch.Tensor
        ``(steps, batch, channels)``.

    Returns
    -------
    list of torch.Tensor
        For each direction ``(units,)``: the longest over the rows of the batch, in steps.

    Example
    -------
    >>> lstm = torch.nn.LSTM(2, 3, bidirectional=True)
    >>> [tuple(steps.shape) for steps in memory_steps(lstm, torch.randn(50, 4, 2))]
    [(3,), (3,)]
    """
    units = lstm.hidden_size
    gate = slice(units, 2 * units)  # PyTorch's order of gates: input, forget, cell, output
    outputs = lstm.forward(x)[0].split(units, dim=2)  # without hooks, which limit_memory uses
    found = []
    for suffix, output in zip(("_l0", "_l0_reverse"), outputs, strict=False):
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(lstm, name + suffix)[gate] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        backwards = suffix.endswith("reverse")
        before = pad(output[1:], (0, 0, 0, 0, 0, 1)) if backwards else pad(output[:-1], (0, 0, 0, 0, 1, 0))
        logarithm = logsigmoid(x @ weight_ih.T + before @ weight_hh.T + bias_ih + bias_hh)
        found.append((-1 / logarithm.mean(0)).amax(0))
    return found


@torch.no_grad()
def limit_memory(
    generator: SpectralGenerator, noisy: torch.Tensor, seconds: float, sample_rate: int = 16000
) -> int:
    """Lowers the forget biases of the paths along time until no time constant on given speech is too long.

    A cell's content has fallen by 60 dB after 6.9 time constants. Cells within the limit are left unchanged.

    Arguments
    ---------
    generator : SpectralGenerator
        Changed in place.
    noisy : torch.Tensor
        ``(batch, time)``: a minute or more of the kind of speech it is for, without long digital silence.
    seconds : float
        The limit, above 0.
    sample_rate : int
        In Hz.

    Returns
    -------
    int
        How many cells were changed.

    Raises
    ------
    ValueError
        For a limit out of range, or one that lower biases do not reach.

    Example
    -------
    >>> generator = SpectralGenerator(channels=8, time_units=8, band_units=8, blocks=1)
    >>> limit_memory(generator, torch.randn(1, 32000), seconds=5.0)
    0
    """
    most = check_positive("seconds", seconds) * sample_rate / generator.hop
    changed = []

    def limit(lstm: nn.LSTM, inputs: tuple[torch.Tensor, ...]) -> None:
        cells = [torch.zeros(lstm.hidden_size, dtype=torch.bool) for _ in range(1 + lstm.bidirectional)]
        for _ in range(MOST_ROUNDS):
            steps = memory_steps(lstm, inputs[0])
            if all((longest <= TOLERANCE * most).all() for longest in steps):
                break
            for suffix, longest, own in zip(("_l0", "_l0_reverse"), steps, cells, strict=False):
                over = longest > TOLERANCE * most
                own |= over.cpu()
                bias = getattr(lstm, f"bias_ih{suffix}")[lstm.hidden_size : 2 * lstm.hidden_size]
                # A gate that is nearly open has a time constant of exp(bias), up to a factor.
                bias -= torch.where(over, (longest / most).log(), 0.0)
        else:
            remaining = max(float(part.max()) for part in steps) * generator.hop / sample_rate
            raise ValueError(
                f"seconds: expected a limit that can be reached, but got {seconds}: {remaining:.1f} remain"
            )
        changed.append(sum(int(own.sum()) for own in cells))

    layers = [block.time_path.recurrent for block in cast("Iterable[DualPathBlock]", generator.blocks)]
    hooks = [layer.register_forward_pre_hook(limit) for layer in layers]
    try:
        # The same latent every time, for the same result.
        random = torch.Generator().manual_seed(0)
        batch, time = noisy.shape
        generator(noisy, generator.sample_latent(batch, time, random))
    finally:
        for hook in hooks:
            hook.remove()
    return sum(changed)
