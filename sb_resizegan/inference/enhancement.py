"""Enhancement of noisy speech with a trained generator: batches of utterances, and files of any kind."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from sb_resizegan.inference.batch_checks import check_batch, chosen_seed
from sb_resizegan.inference.file_enhancement import FileEnhancement, sample_paths
from sb_resizegan.inference.finishing import Finishing, noisy_share
from sb_resizegan.inference.interfaces import CheckedPretrained
from sb_resizegan.inference.model_sources import ModelSourceError
from sb_resizegan.inference.seeded_latents import SeededLatents, enhance_stretch
from sb_resizegan.inference.several_draws import Confidence, check_draws, confidence_of, reduced

__all__ = ["GenerativeEnhancement"]

INTERFACE = ("latent_dim", "latent_hop", "latent_frames", "sample_latent", "causal")
CHUNK_SECONDS, CONTEXT_SECONDS = 60.0, 20.0


class GenerativeEnhancement(CheckedPretrained):
    """Enhances noisy speech with a trained generator.

    The generator's part of the bargain: ``generator(noisy, latent, level)`` enhances ``(batch, time)`` with
    latents ``(batch, latent_dim, latent_frames(time))``. ``level`` ``(batch,)`` is the root mean square of
    the whole utterances that ``noisy`` is a part of; None, as always for a causal one, leaves it to the
    generator. Nothing else in it depends on the whole of an utterance, and a delay by ``latent_hop`` samples
    delays its output and changes nothing else.

    Silence stays silence: an utterance, or a channel of a file, that is zero throughout gives zeros.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> generator = SpectralGenerator(channels=8, time_units=16, band_units=8, blocks=1)
    >>> model = GenerativeEnhancement({"generator": generator}, {"sample_rate": 16000})
    >>> model.enhance_batch(torch.randn(2, 16000)).shape
    torch.Size([2, 16000])
    >>> import soundfile
    >>> noisy, enhanced = getfixture("tmp_path") / "noisy.wav", getfixture("tmp_path") / "enhanced.wav"
    >>> soundfile.write(noisy, 0.1 * np.random.randn(44100, 2), 44100)
    >>> model.enhance_file(noisy, enhanced).shape, soundfile.read(enhanced)[0].shape
    (torch.Size([2, 16000]), (44100, 2))
    """

    TASK = "enhancement"
    MODULES_NEEDED = ("generator",)
    HPARAMS_NEEDED = ("sample_rate",)

    def __init__(
        self, modules: Mapping | None = None, hparams: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(modules=modules, hparams=hparams, **kwargs)
        missing = [name for name in INTERFACE if not hasattr(self.mods.generator, name)]
        if missing:
            raise ModelSourceError(
                f"{type(self.mods.generator).__name__} is no generator of enhanced speech: "
                f"it has no {missing}"
            )

    @property
    def sample_rate(self) -> int:
        """Sampling rate of the model in Hz."""
        return self.hparams.sample_rate

    @torch.no_grad()
    def enhance_batch(
        self,
        noisy: torch.Tensor | np.ndarray,
        lengths: torch.Tensor | np.ndarray | None = None,
        seed: int | None = 0,
        num_samples: int | None = None,
        strength: float = 1.0,
        limit_db: float | None = None,
        reduce: str | None = None,
        confidence: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, Confidence]:
        """Enhances utterances, each in one pass.

        Utterances of one length are computed together and those of different lengths apart, so that an
        utterance gives the same alone, in a batch and with padding, to rounding. For recordings of many
        minutes, `enhance_to_file()` needs less memory.

        Arguments
        ---------
        noisy : torch.Tensor or numpy.ndarray
            ``(batch, time)`` at the model's sampling rate, or ``(time,)`` for a single utterance.
        lengths : torch.Tensor, optional
            Relative lengths ``(batch,)`` in (0, 1]; without them, all utterances fill the batch.
        seed : int, optional
            Of the latents, which are the same for all utterances; None draws a new one.
        num_samples : int, optional
            Number of latents to draw for each utterance. The first gives what comes without it.
        strength : float
            0 (the input) to 1 (the model's output): what comes is the sum of both with weights
            ``1 - strength`` and ``strength``. The model delays nothing, so the two lie upon each other.
        limit_db : float, optional
            Noise is never lowered by more than so many dB: the input's weight is at least that.
        reduce : str, optional
            ``mean`` or ``best``: one result of ``num_samples`` latents (`reduced()`).
        confidence : bool
            Whether to say how far the results for several latents differ, 8 unless ``num_samples`` is given.

        Returns
        -------
        torch.Tensor
            Of the shape of ``noisy``, or ``(num_samples, …)`` where that is given and not reduced; float32 on
            the model's device. Padding is zero. With ``confidence``, a tuple of it and a `Confidence`.

        Raises
        ------
        ValueError
            For a wrong shape or type, NaN or Inf, or a number out of range.
        """
        noisy = torch.as_tensor(noisy)
        single = noisy.dim() == 1
        if single:
            noisy = noisy.unsqueeze(0)
        count = check_draws(self.mods.generator, num_samples, reduce, confidence)
        frames = check_batch(noisy, lengths)
        seed = chosen_seed(seed)
        noisy = noisy.to(self.device, torch.float32)
        share = noisy_share(strength, limit_db)
        draws = []
        for draw in range(count):
            latents = SeededLatents(self.mods.generator, seed, draw)
            enhanced = torch.zeros_like(noisy)
            for length in sorted(set(frames)):
                rows = [row for row, own in enumerate(frames) if own == length]
                with self.inference_ctx:
                    output = enhance_stretch(self.mods.generator, noisy[rows, :length], latents)
                enhanced[rows, :length] = share * noisy[rows, :length] + (1 - share) * output
            draws.append(enhanced)
        several = torch.stack(draws)
        result = several if num_samples is not None else draws[0]
        if reduce is not None:
            result = reduced(several, reduce)
        result = result.squeeze(-2) if single else result
        if not confidence:
            return result
        return result, confidence_of(several.squeeze(1) if single else several, self.sample_rate)

    def forward(
        self, noisy: torch.Tensor | np.ndarray, lengths: torch.Tensor | np.ndarray | None = None
    ) -> torch.Tensor:
        """See `enhance_batch()`."""
        return cast(torch.Tensor, self.enhance_batch(noisy, lengths))

    @torch.no_grad()
    def enhance_file(
        self,
        filename: str | os.PathLike,
        output_filename: str | os.PathLike | None = None,
        seed: int | None = 0,
        num_samples: int | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        context_seconds: float = CONTEXT_SECONDS,
        progress: Callable[[float], None] | None = None,
        strength: float = 1.0,
        limit_db: float | None = None,
        upper_band: str = "follow",
        link_channels: bool = False,
        reduce: str | None = None,
    ) -> torch.Tensor:
        """Enhances a sound file and returns the waveform, as SpeechBrain's interfaces do.

        The waveform lies in memory, 230 MB for each hour of a channel at 16 kHz. `enhance_to_file()` does
        without, and says what the file written is like.

        Arguments
        ---------
        filename : str or Path
            Anything that libsndfile reads, of any sampling rate.
        output_filename : str or Path, optional
            The file to be made; none by default.
        seed, num_samples, chunk_seconds, context_seconds, progress, …
            As for `enhance_to_file()`.

        Returns
        -------
        torch.Tensor
            At the model's sampling rate: ``(time,)`` for a file with one channel, ``(channels, time)`` for
            one with several, and ``(num_samples, …)`` where that is given; float32 on the CPU.

        Raises
        ------
        UnusableAudioError, ValueError, OSError
            As `enhance_to_file()` raises them.
        """
        count = check_draws(self.mods.generator, num_samples, reduce)
        finishing = Finishing(strength, limit_db, upper_band, link_channels)
        work = FileEnhancement(self, filename, chunk_seconds, context_seconds, progress, finishing)
        seed, files = chosen_seed(seed), num_samples if reduce is None else None
        paths = work.outputs(output_filename, files)
        waveforms = []
        for draws, path in zip(work.draws(count, seed, reduce), paths, strict=True):
            blocks: list[np.ndarray] = []
            work.run(draws, seed, path, blocks)
            waveform = torch.from_numpy(np.concatenate(blocks).T.copy())
            waveforms.append(waveform[0] if len(waveform) == 1 else waveform)
        return waveforms[0] if files is None else torch.stack(waveforms)

    @torch.no_grad()
    def enhance_to_file(
        self,
        filename: str | os.PathLike,
        output_filename: str | os.PathLike,
        seed: int | None = 0,
        num_samples: int | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        context_seconds: float = CONTEXT_SECONDS,
        progress: Callable[[float], None] | None = None,
        strength: float = 1.0,
        limit_db: float | None = None,
        upper_band: str = "follow",
        link_channels: bool = False,
        reduce: str | None = None,
    ) -> Path | list[Path]:
        """Enhances a sound file of any length, sampling rate and number of channels, in bounded memory.

        The file is read twice: once for its level and to be sure that it is whole, once to be enhanced, chunk
        by chunk (`process_in_chunks()`). Each channel is enhanced for itself, with the same latent.

        The output has the input's rate, length and channels, and, under the same ending, its format
        (`choose_format()`). What lies above half the model's rate, which the model cannot hear, gets the
        gain that it gave the band below. Where the result would exceed full scale in a format of integers,
        the whole file is reduced, and a warning says by how much.

        Arguments
        ---------
        filename : str or Path
            Anything that libsndfile reads.
        output_filename : str or Path
            The file to be made, with its folder. The ending chooses the format.
        seed : int, optional
            As for `enhance_batch()`.
        num_samples : int, optional
            Number of latents to draw: files with ``_1``, ``_2``, … before the ending, unless reduced.
        chunk_seconds : float
            Length of the chunks. A file that is no longer is computed in one pass.
        context_seconds : float
            What a chunk is computed with besides itself, on both sides. Recurrent layers remember for long:
            the result differs from that of one pass by what they still know of a cut after so many seconds.
        progress : callable, optional
            Called with a number of seconds each time some are done; altogether the file's length.
        strength, limit_db : float
            As for `enhance_batch()`; the input comes from the file, at its own rate.
        upper_band : str
            ``follow`` or ``none``, for a file whose rate is above the model's; see
            `Finishing`.
        link_channels : bool
            Give all channels one gain, so that sources stay where they are heard.
        reduce : str, optional
            As for `enhance_batch()`: one file. ``best`` takes the same latent for all channels, and as many
            passes more as there are latents.

        Returns
        -------
        Path or list of Path
            The file made, or the files where ``num_samples`` is given and not reduced.

        Raises
        ------
        UnusableAudioError
            If the input cannot be opened or decoded to its end, is empty, or holds NaN or Inf; nothing is
            written then.
        ValueError
            For an output that is the input, an ending that is no sound format, or arguments out of range.
        OSError
            If the output cannot be written in full; what was there before stays as it was.
        """
        count = check_draws(self.mods.generator, num_samples, reduce)
        finishing = Finishing(strength, limit_db, upper_band, link_channels)
        work = FileEnhancement(self, filename, chunk_seconds, context_seconds, progress, finishing)
        seed, files = chosen_seed(seed), num_samples if reduce is None else None
        work.outputs(output_filename, files)
        paths = sample_paths(output_filename, files)
        for draws, path in zip(work.draws(count, seed, reduce), paths, strict=True):
            work.run(draws, seed, path)
        return paths[0] if files is None else paths
