"""Input filters: wide-band input (P.862.2), alignment (P.862, clause 10.1.2), and the taper before each."""

import torch

from sb_resizegan.metrics.pesq import numbers
from sb_resizegan.metrics.pesq.layout import SLOT, Lengths
from sb_resizegan.metrics.pesq.recursion import recursive_filter


def inside(signal: torch.Tensor, samples: Lengths) -> torch.Tensor:
    """Sets to zero what lies behind each signal's end.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    samples : Lengths
        Length of each, (batch,).

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> import numpy as np
    >>> inside(torch.ones(2, 3), Lengths.of(np.array([3, 1]), torch.device("cpu")))
    tensor([[1., 1., 1.],
            [1., 0., 0.]])
    """
    if (samples.host >= signal.shape[1]).all():
        return signal
    time = torch.arange(signal.shape[1], device=signal.device)
    return torch.where(time < samples.device[:, None], signal, 0.0)


def taper(signal: torch.Tensor, samples: Lengths, ramp: torch.Tensor) -> torch.Tensor:
    """Fades each signal in and out.

    Arguments
    ---------
    signal : Tensor
        (batch, time).
    samples : Lengths
        Length of each, at least twice the ramp's, (batch,).
    ramp : Tensor
        Rising factors, (length,).

    Returns
    -------
    Tensor
        (batch, time).

    Example
    -------
    >>> import numpy as np
    >>> taper(torch.ones(1, 5), Lengths.of(np.array([4]), torch.device("cpu")), torch.tensor([0.5]))
    tensor([[0.5000, 1.0000, 1.0000, 0.5000, 1.0000]])
    """
    steps = torch.arange(len(ramp), device=signal.device)
    index = torch.cat([steps.expand(len(signal), -1), samples.device[:, None] - len(ramp) + steps], 1)
    factors = torch.cat([ramp, ramp.flip(0)])
    return signal.scatter(1, index, signal.gather(1, index) * factors)


def wideband_filter(signal: torch.Tensor, samples: Lengths) -> torch.Tensor:
    """The wide-band input filter, a high-pass section at 100 Hz (P.862.2).

    Arguments
    ---------
    signal : Tensor
        Level-aligned signals, zero behind their ends, (batch, time).
    samples : Lengths
        Length of each, (batch,).

    Returns
    -------
    Tensor
        (batch, time), zero behind each end: the filter's ringing there is cut.

    Example
    -------
    >>> import numpy as np
    >>> lengths = Lengths.of(np.array([8000, 6000]), torch.device("cpu"))
    >>> wideband_filter(torch.randn(2, 8000), lengths)[1, 6000:].abs().max()
    tensor(0.)
    """
    ramp = torch.arange(1, 16, dtype=signal.dtype, device=signal.device) / 16
    faded = taper(signal, samples, ramp)
    return inside(recursive_filter(faded, (numbers.WIDEBAND_SECTION,)), samples)


def alignment_filter(signal: torch.Tensor, samples: Lengths, padded: Lengths) -> torch.Tensor:
    """The filter before time alignment, with removal of the mean (P.862, clause 10.1.2).

    Arguments
    ---------
    signal : Tensor
        Output of the wide-band filter, (batch, time).
    samples : Lengths
        Length of each, (batch,).
    padded : Lengths
        Length of each with the silence around it, the divisor of the mean, (batch,).

    Returns
    -------
    Tensor
        (batch, time + 512): the ringing after the end is kept.

    Example
    -------
    >>> import numpy as np
    >>> lengths = Lengths.of(np.array([8000]), torch.device("cpu"))
    >>> alignment_filter(torch.randn(1, 8000), lengths, lengths + 9600).shape
    torch.Size([1, 8512])
    """
    mean = signal.sum(1, keepdim=True) / padded.device.to(signal.dtype)[:, None]
    ramp = (torch.arange(SLOT, dtype=signal.dtype, device=signal.device) + 0.5) / SLOT
    faded = taper(inside(signal - mean, samples), samples, ramp)
    # In float64: where speech pauses, delays depend on what is 120 dB below the preceding speech.
    longer = torch.nn.functional.pad(faded, (0, 512)).double()
    return recursive_filter(longer, numbers.ALIGNMENT_SECTIONS).to(signal.dtype)
