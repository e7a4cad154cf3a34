"""Averaged spectra and log-mel features, on which the measures are built.

All spectra are computed in float64 with a four-term Blackman-Harris window, whose side lobes lie 92 dB
below its main lobe: the strong low frequencies of speech must not hide what lies 60 dB and more below them.
"""

import math

import torch
import torchaudio

__all__ = [
    "blackman_harris",
    "check_waveforms",
    "frequencies",
    "log_mel",
    "mean_power_spectrum",
    "power_spectra",
]

# F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", Proc.
# IEEE 66, 1978, table I: the four-term window of minimal side lobes.
_BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)
_FRAMES_PER_BLOCK = 4096


def check_waveforms(waveforms: torch.Tensor, name: str = "waveforms", min_samples: int = 1) -> torch.Tensor:
    """Raises a ``ValueError`` unless the argument is a finite, non-empty ``(batch, time)`` tensor.

    Arguments
    ---------
    waveforms : torch.Tensor
        The argument, ``(batch, time)``.
    name : str
        Name of the argument, for the message.
    min_samples : int
        Smallest acceptable length in samples.

    Returns
    -------
    torch.Tensor
        The same, detached.
    """
    if not isinstance(waveforms, torch.Tensor) or waveforms.dim() != 2:
        shape = tuple(waveforms.shape) if hasattr(waveforms, "shape") else type(waveforms).__name__
        raise ValueError(f"{name}: expected a tensor of shape (batch, time), but got {shape}")
    if not waveforms.is_floating_point():
        raise ValueError(f"{name}: expected floating-point samples, but got {waveforms.dtype}")
    if waveforms.shape[0] == 0 or waveforms.shape[1] < min_samples:
        raise ValueError(
            f"{name}: expected at least one waveform of at least {min_samples} samples, "
            f"but got {tuple(waveforms.shape)}"
        )
    if not torch.isfinite(waveforms).all():
        bad = int((~torch.isfinite(waveforms)).any(dim=1).sum())
        raise ValueError(f"{name}: {bad} of {waveforms.shape[0]} waveforms hold NaN or Inf")
    return waveforms.detach()


def blackman_harris(length: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Periodic four-term Blackman-Harris window in float64.

    Arguments
    ---------
    length : int
        Length in samples.
    device : torch.device | str
        Where to make it.

    Returns
    -------
    torch.Tensor
        The window, ``(length,)``.

    Example
    -------
    >>> blackman_harris(512).shape
    torch.Size([512])
    """
    phase = 2 * math.pi * torch.arange(length, dtype=torch.float64, device=device) / length
    terms = (a * torch.cos(k * phase) for k, a in enumerate(_BLACKMAN_HARRIS))
    return sum(terms, start=torch.zeros_like(phase))


def frequencies(n_fft: int, sample_rate: int) -> torch.Tensor:
    """Frequencies of the bins of a one-sided spectrum.

    Arguments
    ---------
    n_fft : int
        Length of the transform.
    sample_rate : int
        Sampling rate in Hz.

    Returns
    -------
    torch.Tensor
        Frequencies in Hz, ``(n_fft // 2 + 1,)``, float64.

    Example
    -------
    >>> frequencies(4, 16000).tolist()
    [0.0, 4000.0, 8000.0]
    """
    return torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft


def power_spectra(waveforms: torch.Tensor, n_fft: int = 2048, hop_length: int | None = None) -> torch.Tensor:
    """Power spectrum of each waveform, averaged over its frames (Welch's method).

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``. Frames lie wholly inside a waveform; samples after the last whole frame are
        ignored.
    n_fft : int
        Length of a frame in samples, at most ``time``.
    hop_length : int
        Distance of frames in samples; a quarter of ``n_fft`` by default, for which the squared windows add up
        to a constant.

    Returns
    -------
    torch.Tensor
        Power per bin, ``(batch, n_fft // 2 + 1)``, float64, scaled by the energy of the window: white noise
        of variance 1 gives 1 in every bin, DC and Nyquist included.

    Example
    -------
    >>> power_spectra(torch.rand(3, 2048)).shape
    torch.Size([3, 1025])
    """
    waveforms = check_waveforms(waveforms, min_samples=n_fft)
    hop_length = hop_length or max(1, n_fft // 4)
    window = blackman_harris(n_fft, waveforms.device)
    frames_each = (waveforms.shape[1] - n_fft) // hop_length + 1
    block = max(1, _FRAMES_PER_BLOCK // frames_each)
    powers = []
    for part in waveforms.split(block):
        total = part.new_zeros(part.shape[0], n_fft // 2 + 1, dtype=torch.float64)
        frames = part.unfold(1, n_fft, hop_length)
        for some in frames.split(_FRAMES_PER_BLOCK, dim=1):
            total += torch.fft.rfft(some.double() * window).abs().square().sum(dim=1)
        powers.append(total / frames_each)
    return torch.cat(powers) / window.square().sum()


def mean_power_spectrum(
    waveforms: torch.Tensor, n_fft: int = 2048, hop_length: int | None = None
) -> torch.Tensor:
    """Long-term average power spectrum of a set of waveforms: the batch's mean of `power_spectra()`.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    n_fft : int
        Length of a frame in samples, at most ``time``.
    hop_length : int
        Distance of frames in samples; a quarter of ``n_fft`` by default.

    Returns
    -------
    torch.Tensor
        Power per bin, ``(n_fft // 2 + 1,)``, float64, on the CPU.

    Example
    -------
    >>> mean_power_spectrum(torch.rand(3, 4096), n_fft=512).shape
    torch.Size([257])
    """
    return power_spectra(waveforms, n_fft, hop_length).mean(dim=0).cpu()


def log_mel(
    waveforms: torch.Tensor,
    sample_rate: int = 16000,
    n_mels: int = 32,
    n_fft: int = 512,
    hop_length: int = 128,
    floor_db: float = -80.0,
) -> torch.Tensor:
    """Log-mel spectrogram without padding: no frame extends beyond an end of the waveform.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, full scale 1.
    sample_rate : int
        Sampling rate in Hz.
    n_mels : int
        Number of triangular bands (HTK's mel scale) from 50 Hz to half the sampling rate.
    n_fft : int
        Length of a frame in samples, at most ``time``.
    hop_length : int
        Distance of frames in samples.
    floor_db : float
        Power that is added to every band before the logarithm, in dB relative to a full-scale sine, so that
        differences between inaudible levels don't count.

    Returns
    -------
    torch.Tensor
        Natural logarithm of the band powers, ``(batch, n_mels, frames)``, float64.

    Example
    -------
    >>> log_mel(torch.rand(3, 2048)).shape
    torch.Size([3, 32, 13])
    """
    waveforms = check_waveforms(waveforms, min_samples=n_fft)
    bands = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, 50.0, sample_rate / 2, n_mels, sample_rate, mel_scale="htk"
    ).to(waveforms.device, torch.float64)
    window = blackman_harris(n_fft, waveforms.device)
    # A sine of amplitude 1 has a power of sum(window)² / 4 in its bin.
    scale = 4 / window.sum().square()
    floor = 10 ** (floor_db / 10)
    frames_each = (waveforms.shape[1] - n_fft) // hop_length + 1
    logs = []
    for part in waveforms.split(max(1, _FRAMES_PER_BLOCK // frames_each)):
        power = torch.fft.rfft(part.unfold(1, n_fft, hop_length).double() * window).abs().square() * scale
        logs.append(torch.log(power @ bands + floor).transpose(1, 2))
    return torch.cat(logs)
