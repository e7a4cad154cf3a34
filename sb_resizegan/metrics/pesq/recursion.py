"""Recursive filters as matrix products over blocks.

Within a block of 256 samples, a filter is a triangular matrix on the samples plus the answer to the state
that the block before it left; the states follow from one another by a scan of few steps, as they fade. Unlike
convolution by FFT, this leaves no noise in digital silence, where ringing alone decides on delays.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import sosfilt

BLOCK = 256
SCAN_STEPS = 4  # states reach 16 blocks: in these filters, what is left after 4096 samples is below 1e-48


@dataclass(frozen=True)
class BlockFilter:
    """Matrices of a recursive filter.

    Arguments
    ---------
    response : Tensor
        From the samples of a block to its output, (256, 256).
    readout : Tensor
        From the state before a block to its output, (states, 256).
    drive : Tensor
        From the samples of a block to the state after it, (256, states).
    decay : tuple of Tensor
        From a state to the one 1, 2, 4 and 8 blocks later, (states, states) each.
    """

    response: torch.Tensor
    readout: torch.Tensor
    drive: torch.Tensor
    decay: tuple


@functools.lru_cache(maxsize=16)
def block_filter(
    sections: Sequence[Sequence[float]], device: torch.device, dtype: torch.dtype
) -> BlockFilter:
    """Matrices of a cascade of second-order sections.

    Arguments
    ---------
    sections : tuple of tuple
        (b0, b1, b2, 1, a1, a2) each, in order.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    BlockFilter

    Example
    -------
    >>> one_pole = ((1.0, 0.0, 0.0, 1.0, -0.5, 0.0),)
    >>> block_filter(one_pole, torch.device("cpu"), torch.float32).response[0, :3]
    tensor([1.0000, 0.5000, 0.2500])
    """
    sections = np.asarray(sections)
    states = 2 * len(sections)
    # The state is kept as scipy does: (section, row, 2).
    response, drive = sosfilt(sections, np.eye(BLOCK), zi=np.zeros((len(sections), BLOCK, 2)))
    units = np.eye(states).reshape(states, len(sections), 2).transpose(1, 0, 2)
    readout, decay = sosfilt(sections, np.zeros((states, BLOCK)), zi=units)
    drive, decay = (s.transpose(1, 0, 2).reshape(-1, states) for s in (drive, decay))
    decays = [np.linalg.matrix_power(decay, 1 << step) for step in range(SCAN_STEPS)]
    # Made outside inference mode, so that a later training step can use them too.
    with torch.inference_mode(False):
        response, readout, drive, *decays = (
            torch.tensor(m, dtype=dtype, device=device) for m in (response, readout, drive, *decays)
        )
    return BlockFilter(response, readout, drive, tuple(decays))


def recursive_filter(signal: torch.Tensor, sections: Sequence[Sequence[float]]) -> torch.Tensor:
    """Runs a cascade of second-order sections over signals, from zero state.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    sections : tuple of tuple
        (b0, b1, b2, 1, a1, a2) each, in order; their poles within a radius of 0.98.

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> recursive_filter(torch.eye(1, 4), ((1.0, 0.0, 0.0, 1.0, -0.5, 0.0),))
    tensor([[1.0000, 0.5000, 0.2500, 0.1250]])
    """
    matrices = block_filter(sections, signal.device, signal.dtype)
    time = signal.shape[1]
    blocks = torch.nn.functional.pad(signal, (0, -time % BLOCK)).view(len(signal), -1, BLOCK)
    state = torch.nn.functional.pad(blocks[:, :-1] @ matrices.drive, (0, 0, 1, 0))
    for step, decay in enumerate(matrices.decay):
        reach = 1 << step
        state = state + torch.nn.functional.pad(
            state[:, :-reach] @ decay, (0, 0, min(reach, state.shape[1]), 0)
        )
    return (blocks @ matrices.response + state @ matrices.readout).flatten(1)[:, :time]
