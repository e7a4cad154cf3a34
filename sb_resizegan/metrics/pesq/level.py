"""Level alignment: both signals brought to the same power in the telephone band (P.862, clause 10.1.1)."""

import functools

import numpy as np
import torch

from sb_resizegan.metrics.pesq import numbers
from sb_resizegan.metrics.pesq.filters import inside
from sb_resizegan.metrics.pesq.layout import TAIL, Lengths

TARGET_POWER = 1e7


@functools.lru_cache(maxsize=32)
def band_pass_gain(size: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Gain of the level filter at the bins of an FFT, up to the last one where it is not negligible.

    Arguments
    ---------
    size : int
        Points of the FFT.
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    Tensor
        (bins,).

    Example
    -------
    >>> band_pass_gain(16384, torch.device("cpu"), torch.float32).shape
    torch.Size([3585])
    """
    hertz, decibel = zip(*numbers.LEVEL_GAIN_DB, strict=True)
    frequency = np.arange(size // 2 + 1) * (numbers.SAMPLE_RATE / size)
    frequency = frequency[frequency <= hertz[4]]
    with torch.inference_mode(False):
        return torch.tensor(10 ** (np.interp(frequency, hertz, decibel) / 20), dtype=dtype, device=device)


def band_power(signal: torch.Tensor, samples: Lengths, divisor: Lengths) -> torch.Tensor:
    """Mean power of each signal behind the level filter, 350 to 3250 Hz.

    The filter is circular over the power of two that holds the signal and 320 ms of silence, so signals are
    grouped by that size.

    Arguments
    ---------
    signal : Tensor
        Signals, zero behind their ends, (batch, time).
    samples : Lengths
        Length of each in samples, (batch,).
    divisor : Lengths
        Samples that the energy is divided by, (batch,).

    Returns
    -------
    Tensor
        (batch,).

    Example
    -------
    >>> tone = torch.sin(2 * torch.pi * 1000 / 16000 * torch.arange(16000.0))[None]
    >>> lengths = Lengths.of(np.array([16000]), torch.device("cpu"))
    >>> band_power(tone, lengths, lengths).round(decimals=3)
    tensor([0.5000])
    """
    sizes = np.array([1 << int(n + TAIL - 1).bit_length() for n in samples.host])
    order: list[int] = []
    energies = []
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size).tolist()
        all_alike = len(rows) == len(sizes)
        # Row by row: to select by a list of numbers would copy the list to the device.
        part = signal if all_alike else torch.stack([signal[row] for row in rows])
        gain = band_pass_gain(size, signal.device, signal.dtype)
        spectrum = torch.fft.rfft(part[:, :size], n=size)[:, : len(gain)] * gain
        filtered = torch.fft.irfft(spectrum, n=size)
        ends = (samples if all_alike else samples.rows(rows)) + TAIL
        energies.append(inside(filtered[:, : int(ends.host.max())], ends).square().sum(1))
        order += rows
    energy = torch.cat(energies)
    if len(energies) > 1:
        energy = torch.stack([energy[place] for place in np.argsort(order).tolist()])
    return energy / divisor.device.to(signal.dtype)


def level_align(signal: torch.Tensor, samples: Lengths, longest: Lengths) -> torch.Tensor:
    """Scales each signal to a power of 1e7 between 350 and 3250 Hz.

    Arguments
    ---------
    signal : Tensor
        Signals, zero behind their ends, (batch, time).
    samples : Lengths
        Length of each in samples, (batch,).
    longest : Lengths
        Length of the longer signal of each pair, (batch,).

    Returns
    -------
    Tensor
        (batch, time). A signal without power stays as it is.

    Example
    -------
    >>> lengths = Lengths.of(np.array([8000]), torch.device("cpu"))
    >>> loud = level_align(torch.randn(1, 8000), lengths, lengths)
    >>> quiet = level_align(1e-3 * torch.randn(1, 8000), lengths, lengths)
    >>> loud.shape, bool((quiet.std() / loud.std() - 1).abs() < 0.1)
    (torch.Size([1, 8000]), True)
    """
    power = band_power(signal, samples, longest + TAIL)
    gain = torch.sqrt(TARGET_POWER / torch.where(power > 0, power, TARGET_POWER))
    return signal * gain[:, None]
