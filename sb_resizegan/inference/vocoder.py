"""A vocoder in the place of SpeechBrain's `HIFIGAN`: mel spectra in, waveforms out."""

import os
from pathlib import Path

import torch

from sb_resizegan.dataio.mel_files import read_mel
from sb_resizegan.inference.interfaces import CheckedPretrained
from sb_resizegan.inference.mel_checks import check_mel
from sb_resizegan.utils.random import derive_seed

__all__ = ["Vocoder"]


class Vocoder(CheckedPretrained):
    """Turns mel spectra into waveforms, with the methods of ``speechbrain.inference.vocoders.HIFIGAN``.

    The mel spectra are those of SpeechBrain's HiFi-GAN at the model's rate (`MelAnalysis`), as SpeechBrain's
    Tacotron2 and FastSpeech2 predict them when they are trained on them. What cannot be one is an error that
    says what it seems to be (`check_mel()`). Long spectra are computed in chunks.

    Example
    -------
    >>> from sb_resizegan.models.vocoder_generator import VocoderGenerator
    >>> generator = VocoderGenerator(channels=(8, 8), factors=(4,))
    >>> vocoder = Vocoder({"generator": generator}, {"sample_rate": 16000}, run_opts={"device": "cpu"})
    >>> mel = vocoder.mel(0.1 * torch.randn(2, 16000))
    >>> mel.shape, vocoder.decode_batch(mel).shape
    (torch.Size([2, 80, 63]), torch.Size([2, 1, 16128]))
    """

    TASK = "vocoder"
    MODULES_NEEDED = ("generator",)
    HPARAMS_NEEDED = ("sample_rate",)

    @property
    def sample_rate(self) -> int:
        """Of the waveforms, in Hz."""
        return self.hparams.sample_rate

    @property
    def hop_length(self) -> int:
        """Samples of a frame."""
        return self.mods.generator.hop_length

    @torch.no_grad()
    def mel(self, waveforms: torch.Tensor, sample_rate: int | None = None) -> torch.Tensor:
        """Mel spectra of waveforms, as the vocoder reads them.

        Arguments
        ---------
        waveforms : torch.Tensor
            ``(batch, time)`` or ``(time,)``, in [-1, 1], a window of the analysis at least.
        sample_rate : int, optional
            Of the waveforms, for the check that it is the model's.

        Returns
        -------
        torch.Tensor
            ``(batch, n_mels, frames)`` or ``(n_mels, frames)`` with ``1 + time // hop_length`` frames.

        Raises
        ------
        ValueError
            For another rate, NaN or Inf, integers, another shape, or waveforms shorter than a window.
        """
        if sample_rate is not None and sample_rate != self.sample_rate:
            raise ValueError(f"sample_rate: expected {self.sample_rate} Hz, but got {sample_rate}")
        if not waveforms.is_floating_point():
            raise ValueError(f"waveforms: expected floating-point samples, but got {waveforms.dtype}")
        if not waveforms.isfinite().all():
            raise ValueError("waveforms: expected finite samples, but some are NaN or Inf")
        batch = waveforms.unsqueeze(0) if waveforms.dim() == 1 else waveforms
        mel = self.mods.generator.analysis(batch.to(self.device))
        return mel[0] if waveforms.dim() == 1 else mel

    @torch.no_grad()
    def decode_batch(
        self,
        spectrogram: torch.Tensor,
        mel_lens: torch.Tensor | None = None,
        hop_len: int | None = None,
        seed: int | None = None,
    ) -> torch.Tensor:
        """Waveforms of a batch of mel spectra.

        Arguments
        ---------
        spectrogram : torch.Tensor
            ``(batch, n_mels, frames)``.
        mel_lens : torch.Tensor, optional
            Frames of each spectrum, integers ``(batch,)``, as Tacotron2 and FastSpeech2 give them. Padding
            is not read: each waveform is what it would be alone, with zeros behind it.
        hop_len : int, optional
            SpeechBrain's argument; only the model's own hop will do.
        seed : int, optional
            Of a generator with a latent vector: which one it gets; the middle of their distribution by
            default.

        Returns
        -------
        torch.Tensor
            ``(batch, 1, frames * hop_length)`` on the model's device.

        Raises
        ------
        ValueError
            For what is no mel spectrum of the model's settings, and for wrong lengths.
        """
        generator = self.mods.generator
        check_mel(spectrogram, generator.analysis, "spectrogram")
        if hop_len is not None and hop_len != self.hop_length:
            raise ValueError(f"hop_len: expected the model's {self.hop_length}, but got {hop_len}")
        mel = spectrogram.to(self.device, torch.float32)
        batch, _, frames = mel.shape
        latent = None
        if seed is not None and generator.latent_dim:
            random = torch.Generator().manual_seed(derive_seed(seed, "vocode"))
            latent = generator.sample_latent(batch, random)
        with self.inference_ctx:
            if mel_lens is None:
                return generator.in_chunks(mel, latent).float().unsqueeze(1)
            waveforms = mel.new_zeros(batch, 1, frames * self.hop_length)
            for index, count in enumerate(_frame_counts(mel_lens, batch, frames)):
                own = None if latent is None else latent[index : index + 1]
                decoded = generator.in_chunks(mel[index : index + 1, :, :count], own)
                waveforms[index, 0, : decoded.shape[1]] = decoded[0]
            return waveforms

    def decode_spectrogram(self, spectrogram: torch.Tensor, seed: int | None = None) -> torch.Tensor:
        """Waveform ``(1, frames * hop_length)`` of one mel spectrum ``(n_mels, frames)``."""
        if spectrogram.dim() != 2:
            raise ValueError(
                f"spectrogram: expected shape (n_mels, frames), but got {tuple(spectrogram.shape)}"
            )
        return self.decode_batch(spectrogram.unsqueeze(0), seed=seed)[0]

    def read_mel(self, path: str | os.PathLike) -> torch.Tensor:
        """A mel spectrum from a file, checked.

        Arguments
        ---------
        path : str or Path
            A ``.npz`` of `write_mel()` or a ``.npy``.

        Returns
        -------
        torch.Tensor
            ``(n_mels, frames)``.

        Raises
        ------
        ValueError
            Naming the file, for one that is cut off, of other settings, or no mel spectrum.
        """
        mel = torch.from_numpy(
            read_mel(path, {"sample_rate": self.sample_rate, "hop_length": self.hop_length})
        )
        check_mel(mel.unsqueeze(0), self.mods.generator.analysis, str(Path(path)))
        return mel

    def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """As `decode_batch()`."""
        return self.decode_batch(spectrogram)


def _frame_counts(mel_lens: torch.Tensor, batch: int, frames: int) -> list[int]:
    """Frames of each spectrum as integers."""
    counts = torch.as_tensor(mel_lens).flatten().tolist()
    if len(counts) != batch or any(count != int(count) or not 1 <= count <= frames for count in counts):
        raise ValueError(f"mel_lens: expected {batch} whole numbers from 1 to {frames}, but got {counts}")
    return [int(count) for count in counts]
