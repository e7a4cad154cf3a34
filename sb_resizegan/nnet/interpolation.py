"""Fixed interpolation kernels, as tables of phases.

Raising the sampling rate by an integer `factor` with a fixed kernel h computes, for output sample
`n = factor * m + p`,

    u[n] = sum over d of  phases[p, d + reach] * x[m + d],    d = -reach .. reach,

that is, one short filter for each phase p. Output sample n stands at `(n + 0.5) / factor - 0.5` on the
input's time axis (half-sample centres, as image libraries and `torch.nn.functional.interpolate` place them),
so that the output covers the same stretch of time as the input, whatever the factor.

Every phase sums to one: a constant stays exactly constant. Seen in the frequency domain, h has zeros at all
multiples of the input's sampling rate, which is where upsampling puts its tones.
"""

import math

import torch

__all__ = ["RESIZE_MODES", "interpolation_phases", "kaiser_beta"]

RESIZE_MODES = ("nearest", "linear", "sinc")


def kaiser_beta(attenuation):
    """Shape parameter of the Kaiser window for a stop-band attenuation.

    Kaiser's empirical formula: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
    function", Proc. IEEE ISCAS, 1974.

    Arguments
    ---------
    attenuation : float
        Stop-band attenuation in dB, above 0.

    Returns
    -------
    float

    Example
    -------
    >>> round(kaiser_beta(50.0), 2)
    4.53
    """
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    return 0.0


def interpolation_phases(mode, factor, attenuation=50.0, span=7):
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
    inside = distance.abs() < span / 2 - math.ulp(span)
    phases = torch.sinc(distance) * window * inside
    return phases / phases.sum(1, keepdim=True)
