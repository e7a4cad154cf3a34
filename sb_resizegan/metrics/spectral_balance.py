"""Where in frequency the energy of waveforms ``(batch, time)`` lies, averaged over time."""

import math

import torch

from sb_resizegan.metrics.spectra import check_waveforms, frequencies, mean_power_spectrum, power_spectra

__all__ = ["low_frequency_energy", "out_of_band_energy", "spectral_distance"]

_FEWEST_SAMPLES = 64
_RELATIVE_FLOOR = 1e-20  # -200 dB: keeps ratios of what is exactly zero finite


def out_of_band_energy(
    waveforms: torch.Tensor,
    cutoff_hz: float,
    sample_rate: int = 16000,
    n_fft: int = 2048,
    reduce: bool = True,
) -> float | torch.Tensor:
    """Ratio of the energy above a cut-off to all energy.

    The energies are sums over the averaged power spectrum. Its tapered window keeps the cut at a waveform's
    ends from spreading energy over all frequencies; it also gives little weight to the ends themselves.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    cutoff_hz : float
        Frequency in Hz from which on energy counts.
    sample_rate : int
        Sampling rate in Hz.
    n_fft : int
        Largest length of the spectra; shorter waveforms give shorter spectra.
    reduce : bool
        Whether to pool the energy of all waveforms. Otherwise each is measured by itself.

    Returns
    -------
    float | torch.Tensor
        Ratio in dB, or ``(batch,)`` of them. At least -200; NaN for silence.

    Raises
    ------
    ValueError
        If the waveforms are wrong or the cut-off doesn't lie between 0 and half the sampling rate.

    Example
    -------
    >>> noise = torch.randn(64, 2048, generator=torch.Generator().manual_seed(0))
    >>> round(out_of_band_energy(noise, cutoff_hz=4000.0))   # half of it
    -3
    """
    above, _ = _energy_shares(waveforms, cutoff_hz, sample_rate, n_fft, reduce)
    return float(above) if reduce else above


def low_frequency_energy(
    waveforms: torch.Tensor, cutoff_hz: float = 60.0, sample_rate: int = 16000, n_fft: int = 2048
) -> float:
    """Ratio of the energy below a cut-off to all energy: rumble and offsets, which are no speech.

    As `out_of_band_energy()`; the window's main lobe reaches four bins, 31 Hz with the longest spectra at 16
    kHz, so that a cut-off of 60 Hz sees little of a voice above 95 Hz.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    cutoff_hz : float
        Frequency in Hz below which energy counts.
    sample_rate : int
        Sampling rate in Hz.
    n_fft : int
        Largest length of the spectra; shorter waveforms give shorter spectra.

    Returns
    -------
    float
        Ratio in dB of the pooled energy of all waveforms. At least -200; NaN for silence.

    Raises
    ------
    ValueError
        If the waveforms are wrong or the cut-off doesn't lie between 0 and half the sampling rate.

    Example
    -------
    >>> time = torch.arange(4096) / 16000
    >>> hum = torch.sin(2 * math.pi * 30 * time) + torch.sin(2 * math.pi * 300 * time)
    >>> round(low_frequency_energy(hum[None]))
    -3
    """
    _, below = _energy_shares(waveforms, cutoff_hz, sample_rate, n_fft, reduce=True)
    return float(below)


def _energy_shares(
    waveforms: torch.Tensor, cutoff_hz: float, sample_rate: int, n_fft: int, reduce: bool
) -> list[torch.Tensor]:
    """Energy from a cut-off on and energy below it, in dB of all, ``(batch,)`` or ``(1,)``."""
    waveforms = check_waveforms(waveforms, min_samples=_FEWEST_SAMPLES)
    if not 0 < cutoff_hz < sample_rate / 2:
        raise ValueError(
            f"cutoff_hz: expected a frequency between 0 and {sample_rate / 2:g} Hz, but got {cutoff_hz}"
        )
    n_fft = min(n_fft, waveforms.shape[1])
    power = power_spectra(waveforms, n_fft)
    if reduce:
        power = power.mean(dim=0, keepdim=True)
    above = (frequencies(n_fft, sample_rate) >= cutoff_hz).to(power)
    # All bins but DC and Nyquist stand for two of the two-sided spectrum.
    power = power * _two_sided(n_fft).to(power)
    total = power.sum(dim=1)
    ratios = [torch.where(total > 0, (power @ share) / total, math.nan) for share in (above, 1 - above)]
    return [10 * torch.log10(ratio.clamp(min=_RELATIVE_FLOOR)) for ratio in ratios]


def spectral_distance(
    waveforms: torch.Tensor,
    reference: torch.Tensor,
    sample_rate: int = 16000,
    band_hz: tuple[float, float] | None = None,
    n_fft: int = 512,
    floor_db: float = -80.0,
) -> float:
    """Distance of long-term average spectra: the root mean square over bins of their difference in dB.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    reference : torch.Tensor
        ``(batch', time')``, usually real data of the same level: a difference in level counts.
    sample_rate : int
        Sampling rate in Hz.
    band_hz : tuple of float
        Lowest and highest frequency in Hz that count. ``None`` takes all from 50 Hz on (there is no
        speech below).
    n_fft : int
        Length of the spectra; at 16 kHz, 512 gives bins of 31 Hz.
    floor_db : float
        Power below this level is raised to it, in dB relative to the reference's largest bin.

    Returns
    -------
    float
        In dB. NaN if the reference is silent.

    Raises
    ------
    ValueError
        If the waveforms are wrong or there is no bin in the band.

    Example
    -------
    >>> noise = torch.randn(64, 2048, generator=torch.Generator().manual_seed(0))
    >>> round(spectral_distance(noise / 2, noise))
    6
    """
    # Short transforms also for long windows: a bin must hold enough independent values to be steady.
    power = mean_power_spectrum(waveforms, n_fft)
    target = mean_power_spectrum(check_waveforms(reference, "reference", n_fft), n_fft)
    low, high = band_hz or (50.0, sample_rate / 2)
    axis = frequencies(n_fft, sample_rate)
    inside = (axis >= low) & (axis <= high)
    if not inside.any():
        raise ValueError(f"band_hz: no bin of {sample_rate / n_fft:g} Hz lies between {low} and {high} Hz")
    floor = target.max() * 10 ** (floor_db / 10)
    if floor == 0:
        return math.nan
    difference = 10 * torch.log10(power.clamp(min=floor) / target.clamp(min=floor))[inside]
    return float(difference.square().mean().sqrt())


def _two_sided(n_fft: int) -> torch.Tensor:
    weight = torch.full((n_fft // 2 + 1,), 2.0, dtype=torch.float64)
    weight[0] = 1.0
    if n_fft % 2 == 0:
        weight[-1] = 1.0
    return weight
