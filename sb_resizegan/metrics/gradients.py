"""What a critic's gradient with respect to a waveform looks like: the signal that trains a generator.

A gradient passes backwards through a strided convolution as a signal passes forwards through a transposed
one: it is upsampled without interpolation. So it may show the same imprint of the stride (Odena et al.,
"Deconvolution and checkerboard artifacts", Distill, 2016, "Artifacts in Gradients"), in three forms, each
with its measure: tones at the multiples of a stage's rate (``prominence``), sample positions with more energy
than others (``unevenness``), and images of its low frequencies above them (``out_of_band``).
"""

import math
from collections.abc import Callable, Sequence

import torch

from sb_resizegan.metrics.spectra import check_waveforms
from sb_resizegan.metrics.spectral_balance import out_of_band_energy
from sb_resizegan.metrics.stride_tones import stride_tone_prominence, worst_prominence

__all__ = ["gradient_waveforms", "measure_gradients", "position_unevenness"]


def gradient_waveforms(
    score: Callable[[torch.Tensor], torch.Tensor], windows: torch.Tensor, batch_size: int = 256
) -> torch.Tensor:
    """Gradient of each window's score with respect to its samples.

    Arguments
    ---------
    score : callable
        From windows ``(batch, time)`` to scores ``(batch,)``, each a function of its own window alone; a
        critic, or one bound to its other arguments.
    windows : torch.Tensor
        ``(batch, time)``.
    batch_size : int
        Windows computed at a time.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``, detached; parameters of the critic get no gradients.

    Raises
    ------
    ValueError
        If the windows are of wrong shape or not finite, the scores of wrong shape, or no function of the
        windows.

    Example
    -------
    >>> gradient_waveforms(lambda x: x.square().sum(dim=1) / 2, torch.ones(3, 5)).shape
    torch.Size([3, 5])
    """
    windows = check_waveforms(windows, "windows")
    gradients = []
    for part in windows.split(batch_size):
        part = part.detach().clone().requires_grad_()
        with torch.enable_grad():
            scores = score(part)
            total = scores.sum()
        if scores.shape != part.shape[:1]:
            raise ValueError(f"score: expected scores of shape ({len(part)},), but got {tuple(scores.shape)}")
        if not total.requires_grad:
            raise ValueError("score: the scores don't depend on the windows by differentiable operations")
        gradients.append(torch.autograd.grad(total, part)[0])
    return torch.cat(gradients)


def position_unevenness(waveforms: torch.Tensor, period: int) -> float:
    """How unevenly energy is spread over the positions in a period: the checkerboard in one dimension.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``. An incomplete last period is ignored. White noise of a million
        samples gives 0.1 dB at a period of 16.
    period : int
        In samples; at least 2 and at most ``time``.

    Returns
    -------
    float
        The mean power at the strongest position over that at the weakest, in dB; NaN for silence.

    Raises
    ------
    ValueError
        If the waveforms are wrong, or shorter than a period.

    Example
    -------
    >>> round(position_unevenness(torch.tensor([[2.0, 1.0, 1.0, 1.0] * 8]), period=4), 2)
    6.02
    """
    if period < 2:
        raise ValueError(f"period: expected at least 2 samples, but got {period}")
    waveforms = check_waveforms(waveforms, min_samples=period)
    whole = waveforms.shape[1] // period * period
    power = waveforms[:, :whole].double().square().unflatten(1, (-1, period)).mean(dim=(0, 1))
    if not power.max() > 0:
        return math.nan
    return float(10 * torch.log10(power.max() / power.min().clamp(min=1e-20 * power.max())))


def measure_gradients(
    gradients: torch.Tensor, factors: Sequence[int], sample_rate: int = 16000, cutoff_hz: float | None = None
) -> dict[str, float]:
    """Measures the imprint of a critic's strides on its gradients.

    The gradients must differ from one another. If the gradient hardly depends on the window, as with an
    untrained critic, they are all one realisation of noise, however many windows there are; one realisation
    of 2048 samples has 9 dB at the worst of its 32 tones and 0.6 dB of unevenness at a period of 4. In that
    case take about a hundred critics, with a few windows for each.

    Arguments
    ---------
    gradients : torch.Tensor
        ``(batch, time)``, from `gradient_waveforms()`.
    factors : sequence of int
        The critic's downsampling factors from its input on.
    sample_rate : int
        Sampling rate in Hz.
    cutoff_hz : float
        Frequency in Hz above which the windows hold nothing. ``None`` leaves the out-of-band energy out.

    Returns
    -------
    dict of str to float
        ``prominence_worst_db``, as `stride_tone_prominence()` gives it for the factors in reverse, since the
        last stage's gradient is the first to be upsampled; ``unevenness_db`` over the period of the critic's
        first stage, the last to upsample; ``out_of_band_db``.

    Example
    -------
    >>> from sb_resizegan.models.critic import WindowCritic
    >>> gradients = gradient_waveforms(WindowCritic().eval(), torch.randn(16, 2048))
    >>> list(measure_gradients(gradients, factors=[4, 4, 4, 4]))
    ['prominence_worst_db', 'unevenness_db']
    """
    factors = list(factors)
    tones = stride_tone_prominence(gradients, factors[::-1], sample_rate)
    row = {
        "prominence_worst_db": worst_prominence(tones),
        "unevenness_db": position_unevenness(gradients, factors[0]),
    }
    if cutoff_hz is not None:
        row["out_of_band_db"] = float(out_of_band_energy(gradients, cutoff_hz, sample_rate))
    return row
