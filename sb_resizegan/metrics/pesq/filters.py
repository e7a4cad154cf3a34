"""Input filters: wide-band input (P.862.2), alignment (P.862, clause 10.1.2), and the taper before each."""

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import SLOT, to_device
from sb_resizegan.metrics.pesq.tables import tables

# Overlap-save blocks: long against the impulse responses, small enough to stay in the cache.
BLOCK = 4096


def causal_filter(signal, response):
    """Convolves with an impulse response by overlap-save, to the length of the signal.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    response : Tensor
        (taps,), fewer than 4096.

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> causal_filter(torch.eye(1, 5), torch.tensor([1.0, 2.0])).abs().round(decimals=4)
    tensor([[1., 2., 0., 0., 0.]])
    """
    hop = BLOCK - len(response) + 1
    blocks = -(-signal.shape[1] // hop)
    padded = torch.nn.functional.pad(signal, (len(response) - 1, blocks * hop - signal.shape[1]))
    spectrum = torch.fft.rfft(padded.unfold(1, BLOCK, hop))
    filtered = torch.fft.irfft(spectrum * torch.fft.rfft(response, n=BLOCK), n=BLOCK)
    return filtered[:, :, len(response) - 1 :].reshape(signal.shape[0], -1)[:, : signal.shape[1]]


def inside(signal, samples):
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


def taper(signal, samples, ramp):
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


def wideband_filter(signal, samples):
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
    return inside(causal_filter(faded, tables(signal.device, signal.dtype).wideband), samples)


def alignment_filter(signal, samples, padded):
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
    filtered = causal_filter(
        torch.nn.functional.pad(faded, (0, 512)), tables(signal.device, signal.dtype).alignment
    )
    # Digital silence stays silent: what the transforms leave there is rounding.
    floor = filtered.abs().amax(1, keepdim=True) * (1e-6 if signal.dtype == torch.float32 else 1e-12)
    return torch.where(filtered.abs() > floor, filtered, 0.0)
