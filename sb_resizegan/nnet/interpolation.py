"""Fixed interpolation kernels, as tables of phases.

Raising the sampling rate by an integer `factor` with a fixed kernel h computes, for output sample
`n = factor * m + p`,

    u[n] = sum over d of  phases[p, d + reach] * x[m + d],    d = -reach .. reach,

that is, one short filter for each phase p. Output sample n stands at `(n + 0.5) / factor - 0.5` on the
input's time axis (half-sample centres, as image libraries and `torch.nn.functional.interpolate` place them),
so that the output covers the same stretch of time as the input, whatever the factor.

Every phase sums to one: a constant stays exactly constant. In the frequency domain, h has zeros at all
multiples of the input's sampling rate, which is where upsampling puts its tones. `linear` and `sinc` also
preserve straight lines, which makes the zeros double. A network's signals are strongest near zero frequency;
with single zeros, the images in the output of an untrained `sinc` generator stood up to 24 dB above their
surroundings; with double zeros they do not stand out.
"""

import math

import torch
from scipy.signal import kaiser_beta

__all__ = ["RESIZE_MODES", "interpolation_phases"]

RESIZE_MODES = ("nearest", "linear", "sinc")


def interpolation_phases(mode: str, factor: int, attenuation: float = 50.0, span: int = 7) -> torch.Tensor:
    """Table of the interpolation filter of each phase.

    Arguments
    ---------
    mode : str
        `nearest` (repeat), `linear`, or `sinc` (Kaiser-windowed, cut off at half the input's sampling rate).
    factor : int
        Ratio of output to input sampling rate.
    attenuation : float
        Stop-band attenuation of `sinc` in dB. More of it widens the transition band.
    span : int
        Length of the `sinc` kernel in input samples, that is, its number of taps per phase. The transition
        band is about `(attenuation - 8) / (7.2 * span)` times the input's bandwidth wide.

    Returns
    -------
    torch.Tensor
        float64, `(factor, 2 * reach + 1)`; each row sums to one.

    Example
    -------
    >>> interpolation_phases("linear", 2)
    tensor([[0.2500, 0.7500, 0.0000],
            [0.0000, 0.7500, 0.2500]], dtype=torch.float64)
    >>> interpolation_phases("sinc", 4, span=5).shape
    torch.Size([4, 5])
    """
    if mode == "nearest" or factor == 1:
        return torch.ones(factor, 1, dtype=torch.float64)
    if mode == "linear":
        span = 2
    reach = span // 2
    centre = (torch.arange(factor, dtype=torch.float64) + 0.5) / factor - 0.5
    distance = centre.unsqueeze(1) - torch.arange(-reach, reach + 1, dtype=torch.float64)
    if mode == "linear":
        return (1 - distance.abs()).clamp(min=0)
    position = (2 * distance / span).clamp(-1, 1)
    beta = torch.tensor(kaiser_beta(attenuation), dtype=torch.float64)
    window = torch.special.i0(beta * (1 - position.square()).sqrt()) / torch.special.i0(beta)
    # a distance of exactly half a span lies outside: the kernel is open at both ends, hence symmetric
    window = window * (distance.abs() < span / 2 - math.ulp(span))
    return _reproduce_ramps(torch.sinc(distance) * window, window, distance)


def _reproduce_ramps(phases: torch.Tensor, window: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Adds to each phase the windowed straight line that puts its sum to one and its centroid in place."""
    moment = [(window * distance**k).sum(1) for k in range(3)]
    gain = 1 - phases.sum(1)
    tilt = -(phases * distance).sum(1)
    determinant = moment[0] * moment[2] - moment[1] ** 2
    free = determinant > 1e-9  # a single tap leaves no freedom for the tilt
    safe = torch.where(free, determinant, 1.0)
    level = torch.where(free, (moment[2] * gain - moment[1] * tilt) / safe, gain / moment[0])
    slope = torch.where(free, (moment[0] * tilt - moment[1] * gain) / safe, 0.0)
    return phases + window * (level.unsqueeze(1) + slope.unsqueeze(1) * distance)
