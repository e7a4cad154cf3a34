"""Input filters: wide-band input (P.862.2), alignment (P.862, clause 10.1.2), and the taper before each."""

import numpy as np
import torch

from sb_resizegan.metrics.pesq import numbers
from sb_resizegan.metrics.pesq.layout import SLOT, to_device
from sb_resizegan.metrics.pesq.recursion import recursive_filter


def inside(signal: torch.Tensor, samples: np.ndarray) -> torch.Tensor:
    """Sets to zero what lies behind each signal's end.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    samples : numpy.ndarray
        Length of each, (batch,).

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> inside(torch.ones(2, 3), np.array([3, 1]))
    tensor([[1., 1., 1.],
            [1., 0., 0.]])
    """
    if (samples >= signal.shape[1]).all():
        return signal
    time = torch.arange(signal.shape[1], device=signal.device)
    return torch.where(time < to_device(samples, signal.device)[:, None], signal, 0.0)


def taper(signal: torch.Tensor, samples: np.ndarray, ramp: np.ndarray) -> torch.Tensor:
    """Fades each signal in and out.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    samples : numpy.ndarray
        Length of each, at least twice the ramp's, (batch,).
    ramp : numpy.ndarray
        Rising factors, (length,).

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> taper(torch.ones(1, 5), np.array([4]), np.array([0.5]))
    tensor([[0.5000, 1.0000, 1.0000, 0.5000, 1.0000]])
    """
    size = len(ramp)
    starts = np.zeros_like(samples)[:, None] + np.arange(size)
    ends = (samples - size)[:, None] + np.arange(size)
    index = to_device(np.concatenate([starts, ends], 1), signal.device)
    factors = torch.as_tensor(np.concatenate([ramp, ramp[::-1]]), dtype=signal.dtype, device=signal.device)
    return signal.scatter(1, index, signal.gather(1, index) * factors)


def wideband_filter(signal: torch.Tensor, samples: np.ndarray) -> torch.Tensor:
    """The wide-band input filter, a high-pass section at 100 Hz (P.862.2).

    Arguments
    ---------
    signal : Tensor
        Level-aligned signals, zero behind their ends, (batch, time).
    samples : numpy.ndarray
        Length of each, (batch,).

    Returns
    -------
    Tensor
        (batch, time), zero behind each end: the filter's ringing there is cut.

    Example
    -------
    >>> wideband_filter(torch.randn(2, 8000), np.array([8000, 6000]))[1, 6000:].abs().max()
    tensor(0.)
    """
    faded = taper(signal, samples, np.arange(1, 16) / 16)
    return inside(recursive_filter(faded, (numbers.WIDEBAND_SECTION,)), samples)


def alignment_filter(signal: torch.Tensor, samples: np.ndarray, padded: np.ndarray) -> torch.Tensor:
    """The filter before time alignment, with removal of the mean (P.862, clause 10.1.2).

    Arguments
    ---------
    signal : Tensor
        Output of the wide-band filter, (batch, time).
    samples : numpy.ndarray
        Length of each, (batch,).
    padded : numpy.ndarray
        Length of each with the silence around it, the divisor of the mean, (batch,).

    Returns
    -------
    Tensor
        (batch, time + 512): the ringing after the end is kept.

    Example
    -------
    >>> alignment_filter(torch.randn(1, 8000), np.array([8000]), np.array([17600])).shape
    torch.Size([1, 8512])
    """
    mean = (
        signal.sum(1, keepdim=True)
        / torch.as_tensor(padded, dtype=signal.dtype, device=signal.device)[:, None]
    )
    faded = taper(inside(signal - mean, samples), samples, (np.arange(SLOT) + 0.5) / SLOT)
    # In float64: where speech pauses, delays depend on what is 120 dB below the preceding speech.
    padded = torch.nn.functional.pad(faded, (0, 512)).double()
    return recursive_filter(padded, numbers.ALIGNMENT_SECTIONS).to(signal.dtype)
