"""Mel spectra as SpeechBrain's vocoders take them, and their pseudo-inverse.

Source
------
SpeechBrain, `recipes/LibriTTS/vocoder/hifigan/hparams/train.yaml` (HiFi-GAN at 16 kHz), for the settings; Y.
Lv et al., "FreeV: free lunch for vocoders through pseudo inversed mel filter", Interspeech 2024, for the
pseudo-inverse.
"""

import math

import torch
import torchaudio
from torch import nn

from sb_resizegan.utils.checks import check_integer

__all__ = ["MEL_FLOOR", "MelAnalysis"]

MEL_FLOOR = 1e-5  # below it magnitudes are flattened before the logarithm


class MelAnalysis(nn.Module):
    """Natural logarithm of mel magnitudes, equal to those of SpeechBrain's HiFi-GAN.

    The defaults are those of SpeechBrain's HiFi-GAN for LibriTTS at 16 kHz: 80 bands of unit area on Slaney's
    scale from 0 Hz to half the rate, a Hann window of 1024 samples, a hop of 256, magnitudes (not powers),
    clamped at 1e-5. Frame `i` is centred on sample `i * hop_length`; beyond its ends a signal is mirrored.

    Arguments
    ---------
    sample_rate : int
        In Hz.
    n_mels : int
        Bands.
    n_fft : int
        Length of window and transform in samples.
    hop_length : int
        From one frame to the next, in samples.

    Raises
    ------
    TypeError, ValueError
        For a size that is no integer or too small.

    Example
    -------
    >>> analysis = MelAnalysis()
    >>> mel = analysis(torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)))
    >>> mel.shape, analysis.pseudo_inverse(mel).shape
    (torch.Size([2, 80, 63]), torch.Size([2, 513, 63]))
    """

    window: torch.Tensor  # constant buffers
    bands: torch.Tensor
    inverse: torch.Tensor

    def __init__(
        self, sample_rate: int = 16000, n_mels: int = 80, n_fft: int = 1024, hop_length: int = 256
    ) -> None:
        super().__init__()
        self.sample_rate = check_integer("sample_rate", sample_rate)
        self.n_mels = check_integer("n_mels", n_mels)
        self.n_fft = check_integer("n_fft", n_fft, minimum=4)
        self.hop_length = check_integer("hop_length", hop_length, maximum=self.n_fft)
        bands = torchaudio.functional.melscale_fbanks(
            self.n_fft // 2 + 1,
            0.0,
            sample_rate / 2,
            self.n_mels,
            sample_rate,
            norm="slaney",
            mel_scale="slaney",
        ).t()
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        self.register_buffer("bands", bands.contiguous(), persistent=False)
        inverse = torch.linalg.pinv(bands.double()).float()
        self.register_buffer("inverse", inverse, persistent=False)

    @property
    def highest(self) -> float:
        """No signal within [-1, 1] has a higher value: a constant magnitude of the window's sum."""
        return math.log(float(self.window.sum() * self.bands.sum(dim=1).max()))

    def forward(self, waveforms: torch.Tensor, centred: bool = True) -> torch.Tensor:
        """Mel spectra of waveforms.

        Arguments
        ---------
        waveforms : torch.Tensor
            `(batch, time)`, at least a window long.
        centred : bool
            True: frames from the first sample to the last. False: only frames whose window lies within the
            signal, the first of them centred on sample `n_fft // 2`.

        Returns
        -------
        torch.Tensor
            `(batch, n_mels, frames)` in float32, `frames` being `1 + time // hop_length` if centred and
            `1 + (time - n_fft) // hop_length` otherwise.

        Raises
        ------
        ValueError
            For another shape, or signals shorter than a window.
        """
        if waveforms.dim() != 2:
            raise ValueError(f"waveforms: expected shape (batch, time), but got {tuple(waveforms.shape)}")
        if waveforms.shape[1] < self.n_fft:
            raise ValueError(
                f"waveforms: expected at least a window of {self.n_fft} samples "
                f"({1000 * self.n_fft / self.sample_rate:g} ms at {self.sample_rate} Hz), "
                f"but got {waveforms.shape[1]}"
            )
        with torch.autocast(waveforms.device.type, enabled=False):
            spectra = torch.stft(
                waveforms.float(),
                self.n_fft,
                self.hop_length,
                window=self.window,
                center=centred,
                return_complex=True,
            )
            return (self.bands @ spectra.abs()).clamp(min=MEL_FLOOR).log()

    def pseudo_inverse(self, mel: torch.Tensor) -> torch.Tensor:
        """Magnitudes of all bins that have given mel spectra, of least squares, negative ones set to zero.

        Arguments
        ---------
        mel : torch.Tensor
            `(batch, n_mels, frames)`, as from `forward()`.

        Returns
        -------
        torch.Tensor
            `(batch, n_fft / 2 + 1, frames)` in float32.
        """
        with torch.autocast(mel.device.type, enabled=False):
            return (self.inverse @ mel.float().exp()).clamp(min=0.0)

    def extra_repr(self) -> str:
        return f"{self.sample_rate}, n_mels={self.n_mels}, n_fft={self.n_fft}, hop_length={self.hop_length}"
