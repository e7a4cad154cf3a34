"""Windows of speech out of a trained generator."""

import os
from pathlib import Path

import numpy as np
import soundfile
import torch

from sb_resizegan.dataio.sinks import write_audio
from sb_resizegan.inference.interfaces import CheckedPretrained
from sb_resizegan.utils.random import derive_seed


class SpeechWindowGenerator(CheckedPretrained):
    """Generates windows of speech with a trained generator.

    Example
    -------
    >>> from sb_resizegan.models.window_generator import WindowGenerator
    >>> hparams = {"sample_rate": 16000, "lowpass_hz": 1500.0}
    >>> model = SpeechWindowGenerator({"generator": WindowGenerator()}, hparams, run_opts={"device": "cpu"})
    >>> model.generate(64, seed=0).shape
    torch.Size([64, 2048])
    """

    TASK = "windows"
    MODULES_NEEDED = ("generator",)
    HPARAMS_NEEDED = ("sample_rate", "lowpass_hz")

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the windows in Hz."""
        return self.hparams.sample_rate

    @property
    def lowpass_hz(self) -> float | None:
        """Cut-off of the training data in Hz, or None for full-band data."""
        return self.hparams.lowpass_hz

    @property
    def factors(self) -> tuple[int, ...]:
        """Upsampling factor of each stage."""
        return self.mods.generator.factors

    @torch.no_grad()
    def generate(self, num_windows: int, seed: int | None = None, batch_size: int = 256) -> torch.Tensor:
        """Generates windows.

        Arguments
        ---------
        num_windows : int
            How many, at least 1.
        seed : int, optional
            The same seed gives the same windows, on every device and for every ``batch_size``, to rounding.
        batch_size : int
            Windows computed at a time.

        Returns
        -------
        torch.Tensor
            ``(num_windows, window_samples)`` in [-1, 1], on the model's device.
        """
        if num_windows < 1 or batch_size < 1:
            raise ValueError(
                f"expected at least 1 for num_windows and batch_size, but got {num_windows} and {batch_size}"
            )
        random = None if seed is None else torch.Generator().manual_seed(derive_seed(seed, "generate"))
        latent = self.mods.generator.sample_latent(num_windows, random)
        with self.inference_ctx:
            return torch.cat([self.mods.generator(part).float() for part in latent.split(batch_size)])

    @torch.no_grad()
    def forward(self, latent: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Windows of given latents.

        Arguments
        ---------
        latent : torch.Tensor or numpy.ndarray
            ``(batch, latent_dim)``, or ``(latent_dim,)`` for a single window.

        Returns
        -------
        torch.Tensor
            ``(batch, window_samples)`` or ``(window_samples,)``, on the model's device.
        """
        latent = torch.as_tensor(latent).to(self.device, torch.float32)
        with self.inference_ctx:
            windows = self.mods.generator(latent.unsqueeze(0) if latent.dim() == 1 else latent)
        return windows[0] if latent.dim() == 1 else windows

    def to_file(self, path: str | os.PathLike, num_windows: int = 64, seed: int | None = None) -> Path:
        """Writes windows, joined end to end, as a sound file.

        Arguments
        ---------
        path : str or Path
            The file; its ending chooses the format (``.wav``, ``.flac``).
        num_windows : int
            How many windows.
        seed : int, optional
            As for `generate()`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            For an ending that is no sound format.
        OSError
            If the file cannot be written; a file that was there before stays as it was.
        """
        path = Path(path)
        if path.suffix[1:].upper() not in soundfile.available_formats():
            raise ValueError(
                f"{path}: expected the ending of a sound format such as .wav, but got {path.suffix!r}"
            )
        windows = self.generate(num_windows, seed)
        write_audio(path, windows.flatten().cpu(), self.sample_rate)
        return path
