"""How near resynthesised speech comes to the recording whose mel spectrum it was made of.

Source
------
R. F. Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", IEEE Pacific Rim
Conference 1993; A. Gray and J. Markel, "Distance measures for speech processing", IEEE Trans. ASSP 24, 1976
(log spectral distance); M. Morrison et al., "Chunked autoregressive GAN for conditional waveform synthesis",
ICLR 2022, section 4.2 (errors of pitch, of periodicity, and of the decision of voicing).
"""

import math

import torch

from sb_resizegan.metrics.periodicity import periodicity_tracks
from sb_resizegan.metrics.spectra import check_waveforms, log_mel

__all__ = ["log_spectral_distance", "mel_cepstral_distortion", "pitch_errors"]

_COEFFICIENTS = 13
_MELS = 40
_FLOOR = 1e-5  # magnitude of a bin relative to full scale: -100 dB
_N_FFT, _HOP = 512, 128
_VOICED = 0.45  # as in `measure_periodicity`
_FAINT_DB = 45.0  # below the loudest frame nothing is voiced


def _pair(recording: torch.Tensor, copy: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    recording = check_waveforms(recording, "recording", least)
    copy = check_waveforms(copy, "copy", least)
    if recording.shape != copy.shape:
        shapes = f"{tuple(recording.shape)} and {tuple(copy.shape)}"
        raise ValueError(f"recording and copy: expected one shape, but got {shapes}")
    return recording, copy


def mel_cepstral_distortion(
    recording: torch.Tensor, copy: torch.Tensor, sample_rate: int = 16000
) -> torch.Tensor:
    """Mel-cepstral distortion in dB, without alignment: a copy's frames lie where the recording's do.

    ``10 / ln 10 * sqrt(2 * sum of squared differences)`` of coefficients 1 to 13, the mean over frames. The
    coefficients are the cosine transform of half the log powers of 40 mel bands over their number; the
    level, coefficient 0, does not count.

    Arguments
    ---------
    recording, copy : torch.Tensor
        ``(batch, time)`` each.
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        ``(batch,)``.

    Raises
    ------
    ValueError
        For wrong waveforms, or two shapes.

    Example
    -------
    >>> x = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    >>> mel_cepstral_distortion(x, 0.5 * x).max() < 1e-3
    tensor(True)
    """
    recording, copy = _pair(recording, copy, _N_FFT)
    # Powers below the floor of a quiet room are not told apart.
    floor = math.log(_FLOOR**2)
    bands = [log_mel(x, sample_rate, _MELS).clamp(min=floor) / 2 for x in (recording, copy)]
    order = torch.arange(1, _COEFFICIENTS + 1, dtype=torch.float64)[:, None]
    place = torch.arange(_MELS, dtype=torch.float64) + 0.5
    transform = (torch.cos(math.pi * order * place / _MELS) / _MELS).to(bands[0])
    difference = transform @ (bands[0] - bands[1])
    return (10 / math.log(10) * (2 * difference.square().sum(dim=1)).sqrt()).mean(dim=1)


def log_spectral_distance(recording: torch.Tensor, copy: torch.Tensor) -> torch.Tensor:
    """Root mean square over frequency of the difference of log spectra in dB, the mean over frames.

    Arguments
    ---------
    recording, copy : torch.Tensor
        ``(batch, time)`` each. Frames of 512 samples with a Hann window advance by 128.

    Returns
    -------
    torch.Tensor
        ``(batch,)``.

    Raises
    ------
    ValueError
        For wrong waveforms, or two shapes.

    Example
    -------
    >>> x = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    >>> f"{log_spectral_distance(x, 0.5 * x).item():.2f} dB"
    '6.02 dB'
    """
    recording, copy = _pair(recording, copy, _N_FFT)
    window = torch.hann_window(_N_FFT, device=recording.device)
    spectra = [
        torch.stft(x.float(), _N_FFT, _HOP, window=window, center=False, return_complex=True).abs()
        for x in (recording, copy)
    ]
    levels = [20 * (x * 2 / window.sum()).clamp(min=_FLOOR).log10() for x in spectra]
    return (levels[0] - levels[1]).square().mean(dim=1).sqrt().mean(dim=1)


def pitch_errors(
    recording: torch.Tensor, copy: torch.Tensor, sample_rate: int = 16000
) -> dict[str, torch.Tensor]:
    """Errors of pitch, of voicing and of its strength, frame by frame every 10 ms.

    A frame is voiced if its normalised autocorrelation has a peak above 0.45 (`periodicity_tracks`) and it is
    no more than 45 dB below the loudest frame of its signal.

    Arguments
    ---------
    recording, copy : torch.Tensor
        ``(batch, time)`` each, at least 40 ms.
    sample_rate : int
        In Hz.

    Returns
    -------
    dict of str to torch.Tensor
        ``(batch,)`` each: ``f0_cents``, the root mean square difference of pitch over frames that are voiced
        in both (NaN without any); ``voicing_f1``, the F1 score of the decision, the recording's being true
        (NaN if nothing is voiced in either); ``periodicity_error``, the root mean square difference of the
        strength over frames voiced in either (NaN without any).

    Raises
    ------
    ValueError
        For wrong waveforms, or two shapes.

    Example
    -------
    >>> tone = torch.sin(2 * math.pi * 200 * torch.arange(8000) / 16000)[None]
    >>> sharp = torch.sin(2 * math.pi * 200 * 2 ** (50 / 1200) * torch.arange(8000) / 16000)[None]
    >>> errors = pitch_errors(tone, sharp)
    >>> f"{errors['f0_cents'].item():.0f} cents, F1 {errors['voicing_f1'].item():.2f}"
    '50 cents, F1 1.00'
    """
    recording, copy = _pair(recording, copy, round(0.04 * sample_rate))
    tracks = [periodicity_tracks(x, sample_rate) for x in (recording, copy)]
    (strength, f0), (own_strength, own_f0) = tracks
    true, own = (
        (track[0] > _VOICED) & _audible(x, track[0].shape[1], sample_rate)
        for track, x in zip(tracks, (recording, copy), strict=True)
    )
    both, either = true & own, true | own
    cents = 1200 * torch.log2(own_f0 / f0)
    return {
        "f0_cents": _root_mean_square(cents, both),
        "voicing_f1": 2 * both.sum(1) / (true.sum(1) + own.sum(1)),
        "periodicity_error": _root_mean_square(own_strength - strength, either),
    }


def _audible(waveforms: torch.Tensor, frames: int, sample_rate: int) -> torch.Tensor:
    length, hop = round(0.04 * sample_rate), round(0.01 * sample_rate)
    power = waveforms.float().unfold(1, length, hop)[:, :frames].square().mean(dim=2)
    return power > power.amax(dim=1, keepdim=True) * 10 ** (-_FAINT_DB / 10)


def _root_mean_square(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    squares = torch.where(chosen, values, 0.0).square().sum(dim=1)
    return (squares / chosen.sum(dim=1)).sqrt()  # 0 / 0 is NaN
