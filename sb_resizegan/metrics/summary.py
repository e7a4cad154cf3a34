"""All measures of a set of generated windows, as one row of a table."""

from collections.abc import Sequence

import torch

from sb_resizegan.metrics.copies import nearest_neighbours
from sb_resizegan.metrics.distribution import frechet_with_noise_floor
from sb_resizegan.metrics.likeness import likeness_with_floor
from sb_resizegan.metrics.measures import reference_column
from sb_resizegan.metrics.spectral_balance import low_frequency_energy, out_of_band_energy, spectral_distance
from sb_resizegan.metrics.stride_tones import StrideTone, stride_tone_prominence, worst_prominence

__all__ = ["measure_artefacts", "measure_windows"]

LOWEST_HZ = 60.0  # below lies no speech
# The pass band over the cut-off, which stands 1.2 times above the frequency of the low-pass: 1400 of 1800 Hz.
PASS_BAND = 1400 / 1800


def measure_artefacts(
    waveforms: torch.Tensor,
    factors: Sequence[int] | None = None,
    sample_rate: int = 16000,
    cutoff_hz: float | None = None,
    n_fft: int = 2048,
) -> dict[str, float]:
    """The measures that need no real data.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    factors : sequence of int
        Upsampling factors from the first stage to the last. ``None`` leaves the stride tones out.
    sample_rate : int
        Sampling rate in Hz.
    cutoff_hz : float
        Frequency in Hz above which there should be nothing. ``None`` leaves the out-of-band energy out.
    n_fft : int
        Largest length of the spectra.

    Returns
    -------
    dict of str to float
        ``prominence_{base}hz_db`` at the base frequency of each stage that can be resolved,
        ``prominence_worst_db`` over all tones, ``below_60hz_db``, ``out_of_band_db``.

    Example
    -------
    >>> import torch
    >>> list(measure_artefacts(torch.randn(16, 2048), factors=[4]))
    ['prominence_4000hz_db', 'prominence_worst_db', 'below_60hz_db']
    """
    row = {}
    if factors is not None:
        prominence = stride_tone_prominence(waveforms, factors, sample_rate, n_fft)
        stages: dict[int, StrideTone] = {}
        for tone in prominence:
            stages.setdefault(tone.stage, tone)  # by ascending frequency: the base frequency comes first
        for tone in stages.values():
            row[f"prominence_{tone.frequency:g}hz_db"] = prominence[tone]
        row["prominence_worst_db"] = worst_prominence(prominence)
    row["below_60hz_db"] = float(low_frequency_energy(waveforms, LOWEST_HZ, sample_rate, n_fft))
    if cutoff_hz is not None:
        row["out_of_band_db"] = float(out_of_band_energy(waveforms, cutoff_hz, sample_rate, n_fft))
    return row


def measure_windows(
    waveforms: torch.Tensor,
    reference: torch.Tensor,
    factors: Sequence[int] | None = None,
    sample_rate: int = 16000,
    cutoff_hz: float | None = None,
    train: torch.Tensor | None = None,
    n_fft: int = 2048,
    floor: dict[str, float] | None = None,
) -> dict[str, float]:
    """Measures generated windows against real ones.

    Windows on a GPU come to the host in one copy, for which it waits once, and are measured there: the
    measures of likeness train a classifier, search and sort, which would make it wait hundreds of times.

    Arguments
    ---------
    waveforms : torch.Tensor
        Generated windows, ``(batch, time)``, full scale 1.
    reference : torch.Tensor
        Real windows, ``(batch', time)``; best twice as many as generated ones
        (`frechet_with_noise_floor()`). Where ``train`` is given, of files that were not trained on.
    factors : sequence of int
        Upsampling factors of the generator from the first stage to the last. ``None`` leaves the stride
        tones out.
    sample_rate : int
        Sampling rate in Hz.
    cutoff_hz : float
        Frequency in Hz above which there should be nothing. ``None`` leaves the out-of-band energy out.
    train : torch.Tensor
        Training windows, ``(batch'', time'')``. ``None`` leaves the search for copies out.
    n_fft : int
        Largest length of the spectra in which tones are looked for.
    floor : dict, optional
        An earlier row with the same real windows, whose floors of likeness are taken instead of computed.

    Returns
    -------
    dict of str to float
        Names end in the unit; those of real data have ``_real`` before it. By measure:
        ``prominence_{base}hz_db`` at the base frequency of each stage that can be resolved,
        ``prominence_worst_db`` over all tones, ``prominence_worst_real_db``; ``out_of_band_db``,
        ``out_of_band_real_db``; ``below_60hz_db``, ``below_60hz_real_db``; ``spectral_distance_db``,
        ``spectral_distance_in_band_db`` (60 Hz to the end of the pass band); the measures of
        `likeness_with_floor()`; ``frechet_log_mel``, ``frechet_log_mel_floor``; ``nearest_neighbour_auc``,
        ``nearest_neighbour_copied``.

    Example
    -------
    >>> import torch
    >>> row = measure_windows(torch.randn(16, 2048), torch.randn(32, 2048), factors=[4, 4], cutoff_hz=1800)
    >>> for name in list(row)[:9]: print(name)
    prominence_1000hz_db
    prominence_4000hz_db
    prominence_worst_db
    prominence_worst_real_db
    below_60hz_db
    below_60hz_real_db
    out_of_band_db
    out_of_band_real_db
    spectral_distance_db
    """
    waveforms, reference, train = _on_host(waveforms, reference, train)
    own = measure_artefacts(waveforms, factors, sample_rate, cutoff_hz, n_fft)
    real = measure_artefacts(reference, factors, sample_rate, cutoff_hz, n_fft)
    row = {}
    for name, value in own.items():
        row[name] = value
        if name in ("prominence_worst_db", "out_of_band_db", "below_60hz_db"):
            row[reference_column(name)] = real[name]
    row["spectral_distance_db"] = spectral_distance(waveforms, reference, sample_rate)
    if cutoff_hz is not None:
        # The skirt of the low-pass, which falls by 60 dB, would outweigh all that lies in the band.
        in_band = (LOWEST_HZ, PASS_BAND * cutoff_hz)
        row["spectral_distance_in_band_db"] = spectral_distance(waveforms, reference, sample_rate, in_band)
    row.update(likeness_with_floor(waveforms, reference, sample_rate, train, floor))
    row["frechet_log_mel"], row["frechet_log_mel_floor"] = frechet_with_noise_floor(
        waveforms, reference, sample_rate
    )
    if train is not None:
        nearest = nearest_neighbours(waveforms, train, reference)
        row["nearest_neighbour_auc"] = nearest.auc
        row["nearest_neighbour_copied"] = nearest.copied_fraction
    return row


def _on_host(*signals: torch.Tensor | None) -> list:
    """Signals in the host's memory; those of one device and type come in one copy."""
    found = list(signals)
    kinds: dict[tuple, list[int]] = {}
    for number, signal in enumerate(signals):
        if signal is not None and signal.device.type != "cpu":
            kinds.setdefault((signal.device, signal.dtype), []).append(number)
    for numbers in kinds.values():
        own = [signal for number in numbers if (signal := signals[number]) is not None]
        joined = torch.cat([signal.flatten() for signal in own]).cpu()
        parts = joined.split([signal.numel() for signal in own])
        for number, signal, part in zip(numbers, own, parts, strict=True):
            found[number] = part.view(signal.shape)
    return found
