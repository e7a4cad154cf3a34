"""The constants of wide-band PESQ as tensors on a device."""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq import numbers


@dataclass(frozen=True)
class Tables:
    """Constant tensors of the perceptual model and the delay estimation.

    Band 0 holds FFT bin 0 alone, which the model sets to zero: it is left out, so there are 48 bands.

    Arguments
    ---------
    hann512 : Tensor
        Periodic Hann window of the perceptual model, (512,).
    hann1024 : Tensor
        Periodic Hann window of the delay estimation, (1024,).
    bands : Tensor
        From the squared real and imaginary parts of 257 bins, interleaved, to band powers, (514, 48).
    threshold : Tensor
        Absolute hearing threshold as a power, (48,).
    width : Tensor
        Width of the bands in Bark, (48,).
    exponent : Tensor
        Exponent of the loudness law, (48,).
    loudness : Tensor
        Factor of the loudness law, (48,).
    smoothing : Tensor
        First taps of the recursion of the short-term gain, latest frame last, (20,).
    """

    hann512: torch.Tensor
    hann1024: torch.Tensor
    bands: torch.Tensor
    threshold: torch.Tensor
    width: torch.Tensor
    exponent: torch.Tensor
    loudness: torch.Tensor
    smoothing: torch.Tensor


def _band_matrix() -> np.ndarray:
    """Sums bins into bands, with the power scale and correction; bins 0 and 256 are not used."""
    matrix = np.zeros((257, 2, 49))
    first = 0
    for band, (bins, correction) in enumerate(zip(numbers.BAND_BINS, numbers.BAND_CORRECTION, strict=True)):
        matrix[first : first + bins, :, band] = numbers.POWER_SCALE * correction
        first += bins
    return matrix.reshape(514, 49)[:, 1:]


# The tables are constants: one copy for each device and precision.
@functools.lru_cache(maxsize=16)
def tables(device: torch.device, dtype: torch.dtype) -> Tables:
    """Constant tensors on a device.

    Arguments
    ---------
    device : torch.device
        Where the signals are.
    dtype : torch.dtype
        Precision of the signals.

    Returns
    -------
    Tables

    Example
    -------
    >>> tables(torch.device("cpu"), torch.float32).bands.shape
    torch.Size([514, 48])
    """
    centre = np.asarray(numbers.BAND_CENTRE)[1:]
    threshold = np.asarray(numbers.BAND_THRESHOLD)[1:]
    exponent = 0.23 * np.where(centre < 4, np.minimum(2.0, 6.0 / (centre + 2.0)), 1.0) ** 0.15
    values = {
        "hann512": 0.5 * (1 - np.cos(2 * np.pi * np.arange(512) / 512)),
        "hann1024": 0.5 * (1 - np.cos(2 * np.pi * np.arange(1024) / 1024)),
        "bands": _band_matrix(),
        "threshold": threshold,
        "width": np.asarray(numbers.BAND_WIDTH)[1:],
        "exponent": exponent,
        "loudness": numbers.LOUDNESS_SCALE * (threshold / 0.5) ** exponent,
        "smoothing": 0.8 * 0.2 ** np.arange(19, -1, -1),
    }
    # A table first made inside inference mode must serve a later training step too.
    with torch.inference_mode(False):
        return Tables(**{k: torch.tensor(v, dtype=dtype, device=device) for k, v in values.items()})
