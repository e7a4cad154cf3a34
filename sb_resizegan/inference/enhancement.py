"""Enhancement of noisy speech with a trained generator: batches of utterances, and files of any kind."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.long_files import Spool, StreamedFile, choose_format
from sb_resizegan.dataio.resampling import resampled_blocks
from sb_resizegan.inference.chunks import process_in_chunks
from sb_resizegan.inference.interfaces import CheckedPretrained
from sb_resizegan.inference.model_sources import ModelSourceError
from sb_resizegan.utils.random import derive_seed

logger = get_logger(__name__)

INTERFACE = ("latent_dim", "latent_hop", "latent_frames", "sample_latent", "causal")
FADE_SECONDS = 0.1
LATENT_FRAMES = 1024


class SeededLatents:
    """Latents of an utterance without end, any stretch of which can be had for itself.

    They depend on the seed and on the time since the utterance's beginning, and on nothing else: a file has
    the same in one pass and in chunks, alone and in a batch.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.
    seed : int
        Of all draws.
    draw : int
        Number of the draw.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> draw = lambda batch, time, random: torch.randn(batch, 4, time // 256, generator=random)
    >>> generator = SimpleNamespace(latent_dim=4, latent_hop=256, sample_latent=draw)
    >>> latents = SeededLatents(generator, seed=0, draw=0)
    >>> bool((latents.frames(0, 3000)[..., 2000:2100] == latents.frames(2000, 100)).all())
    True
    """

    def __init__(self, generator, seed, draw):
        self._generator = generator
        self._parts = (seed, "enhance", draw)

    def frames(self, first, count):
        """``count`` frames from frame ``first`` on, ``(1, latent_dim, count)``; None without any."""
        if not self._generator.latent_dim:
            return None
        pieces = range(first // LATENT_FRAMES, (first + count - 1) // LATENT_FRAMES + 1)
        time = LATENT_FRAMES * self._generator.latent_hop
        drawn = [
            self._generator.sample_latent(
                1, time, torch.Generator().manual_seed(derive_seed(*self._parts, piece))
            )
            for piece in pieces
        ]
        return torch.cat(drawn, dim=-1)[..., first - pieces[0] * LATENT_FRAMES :][..., :count]


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
    >>> soundfile.read(model.enhance_file(noisy, enhanced))[0].shape
    (44100, 2)
    """

    TASK = "enhancement"
    MODULES_NEEDED = ("generator",)
    HPARAMS_NEEDED = ("sample_rate",)

    def __init__(self, modules=None, hparams=None, **kwargs):
        super().__init__(modules=modules, hparams=hparams, **kwargs)
        missing = [name for name in INTERFACE if not hasattr(self.mods.generator, name)]
        if missing:
            raise ModelSourceError(
                f"{type(self.mods.generator).__name__} is no generator of enhanced speech: "
                f"it has no {missing}"
            )

    @property
    def sample_rate(self):
        """Sampling rate of the model in Hz."""
        return self.hparams.sample_rate

    @torch.no_grad()
    def enhance_batch(self, noisy, lengths=None, seed=0, num_samples=None):
        """Enhances utterances, each in one pass.

        Utterances of one length are computed together and those of different lengths apart, so that an
        utterance gives the same alone, in a batch and with padding, to rounding. For recordings of many
        minutes, :meth:`enhance_file` needs less memory.

        Arguments
        ---------
        noisy : torch.Tensor
            ``(batch, time)`` at the model's sampling rate.
        lengths : torch.Tensor, optional
            Relative lengths ``(batch,)`` in (0, 1]; without them, all utterances fill the batch.
        seed : int, optional
            Of the latents, which are the same for all utterances; None draws a new one.
        num_samples : int, optional
            Number of latents to draw for each utterance. The first gives what comes without it.

        Returns
        -------
        torch.Tensor
            ``(batch, time)``, or ``(num_samples, batch, time)`` where that is given; float32 on the model's
            device. Padding is zero.

        Raises
        ------
        ValueError
            For a wrong shape or type, lengths out of range, NaN or Inf, or ``num_samples`` below 1.
        """
        frames = self._check_batch(noisy, lengths)
        seed = _seed(seed)
        noisy = noisy.to(self.device, torch.float32)
        draws = []
        for draw in range(_check_count(num_samples)):
            latents = SeededLatents(self.mods.generator, seed, draw)
            enhanced = torch.zeros_like(noisy)
            for length in sorted(set(frames)):
                rows = [row for row, own in enumerate(frames) if own == length]
                part = noisy[rows, :length]
                enhanced[rows, :length] = self._run(part, latents)
            draws.append(enhanced)
        return draws[0] if num_samples is None else torch.stack(draws)

    def forward(self, noisy, lengths=None):
        """See :meth:`enhance_batch`."""
        return self.enhance_batch(noisy, lengths)

    @torch.no_grad()
    def enhance_file(
        self,
        input_path,
        output_path,
        seed=0,
        num_samples=None,
        chunk_seconds=60.0,
        context_seconds=20.0,
        progress=None,
    ):
        """Enhances a sound file of any length, sampling rate and number of channels, in bounded memory.

        The file is read twice: once for its level and to be sure that it is whole, once to be enhanced, chunk
        by chunk (:func:`~sb_resizegan.inference.chunks.process_in_chunks`). Each channel is enhanced for
        itself, with the same latent.

        The output has the input's rate, length and channels, and, under the same ending, its format
        (:func:`~sb_resizegan.dataio.long_files.choose_format`). Nothing is left above half the model's rate:
        the model cannot hear what lies there, and passing it on would pass on its noise. Where the result
        would exceed full scale in a format of integers, the whole file is reduced, and a warning says by how
        much.

        Arguments
        ---------
        input_path : str or Path
            Anything that libsndfile reads.
        output_path : str or Path
            The file to be made, with its folder. The ending chooses the format.
        seed : int, optional
            As for :meth:`enhance_batch`.
        num_samples : int, optional
            Number of latents to draw: files with ``_1``, ``_2``, … before the ending.
        chunk_seconds : float
            Length of the chunks. A file that is no longer is computed in one pass.
        context_seconds : float
            What a chunk is computed with besides itself, on both sides. Recurrent layers remember for long:
            the result differs from that of one pass by what they still know of a cut after so many seconds.
        progress : callable, optional
            Called with a number of seconds each time some are done; altogether the file's length.

        Returns
        -------
        Path or list of Path
            The file made, or the files where ``num_samples`` is given.

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
        count = _check_count(num_samples)
        chunk, context = self._check_seconds(chunk_seconds, context_seconds)
        outputs = sample_paths(output_path, num_samples)
        for path in outputs:
            if path.exists() and os.path.exists(input_path) and os.path.samefile(path, input_path):
                raise ValueError(f"{path}: expected an output other than the input")
        source = StreamedFile(input_path, self.sample_rate)
        formats = [choose_format(source.header, path) for path in outputs]
        seed = _seed(seed)
        for draw, (path, form) in enumerate(zip(outputs, formats, strict=True)):
            latents = SeededLatents(self.mods.generator, seed, draw)
            path.parent.mkdir(parents=True, exist_ok=True)
            with Spool(path.parent, source.header.channels) as spool:
                for block in resampled_blocks(
                    self._chunks(source, latents, chunk, context), self.sample_rate, source.rate
                ):
                    block = block[: source.frames - spool.frames]  # two conversions may each round up
                    spool.append(block)
                    if progress:
                        progress(len(block) / source.rate / count)
                gain = spool.save(path, source.rate, *form)
            if gain < 1:
                logger.warning(
                    "%s: reduced by %.1f dB, which its peaks exceeded full scale by",
                    path,
                    -20 * math.log10(gain),
                )
        return outputs[0] if num_samples is None else outputs

    def _chunks(self, source, latents, chunk, context):
        generator = self.mods.generator
        hop = generator.latent_hop

        def enhance(part, first):
            enhanced = np.zeros_like(part)
            for channel, level in enumerate(source.levels):
                # One by one: the memory must not grow with the channels.
                if level > 0:
                    row = torch.from_numpy(part[None, :, channel].copy()).to(self.device)
                    own = torch.tensor([level], dtype=torch.float32, device=self.device)
                    output = self._run(row, latents, first // hop, None if generator.causal else own)
                    enhanced[:, channel] = output[0].cpu().numpy()
            if not np.isfinite(enhanced).all():
                raise ValueError(f"{source.path}: the model gave NaN or Inf")
            return enhanced

        fade = round(FADE_SECONDS * self.sample_rate)
        yield from process_in_chunks(
            source.blocks(), source.resampled_frames, enhance, max(chunk, hop, fade), context, fade, hop
        )

    def _run(self, noisy, latents, first_frame=0, level=None):
        generator = self.mods.generator
        latent = latents.frames(first_frame, generator.latent_frames(noisy.shape[1]))
        if latent is not None:
            latent = latent.expand(len(noisy), -1, -1)
        with self.inference_ctx:
            enhanced = generator(noisy, latent, level).float()
        return torch.where(noisy.any(dim=1, keepdim=True), enhanced, 0.0)

    def _check_batch(self, noisy, lengths):
        """Samples of each utterance."""
        if noisy.dim() != 2 or 0 in noisy.shape or not noisy.is_floating_point():
            raise ValueError(
                f"noisy: expected floating-point (batch, time), but got {tuple(noisy.shape)} of {noisy.dtype}"
            )
        batch, time = noisy.shape
        relative = torch.ones(batch) if lengths is None else torch.as_tensor(lengths).cpu()
        if relative.shape != (batch,) or not ((relative > 0) & (relative <= 1)).all():
            raise ValueError(f"lengths: expected ({batch},) in (0, 1], but got {relative.tolist()}")
        frames = [max(1, round(length * time)) for length in relative.tolist()]
        for row, length in enumerate(frames):
            if not noisy[row, :length].isfinite().all():
                raise ValueError(f"noisy: expected finite samples, but row {row} holds NaN or Inf")
        return frames

    def _check_seconds(self, chunk_seconds, context_seconds):
        if not (0 < chunk_seconds < math.inf and 0 <= context_seconds < math.inf):
            raise ValueError(
                "expected chunk_seconds above 0 and context_seconds of at least 0, "
                f"but got {chunk_seconds} and {context_seconds}"
            )
        return round(chunk_seconds * self.sample_rate), round(context_seconds * self.sample_rate)


def sample_paths(path, num_samples):
    """Where the results for several latents go.

    Arguments
    ---------
    path : str or Path
        Where a single one would go.
    num_samples : int or None
        How many; None for a single one.

    Returns
    -------
    list of Path

    Example
    -------
    >>> [path.name for path in sample_paths("speech.wav", 2)]
    ['speech_1.wav', 'speech_2.wav']
    """
    path = Path(path)
    if num_samples is None:
        return [path]
    return [path.with_name(f"{path.stem}_{n}{path.suffix}") for n in range(1, num_samples + 1)]


def _check_count(num_samples):
    if num_samples is not None and num_samples < 1:
        raise ValueError(f"num_samples: expected at least 1, but got {num_samples}")
    return num_samples or 1


def _seed(seed):
    return int(torch.randint(2**63 - 1, ())) if seed is None else seed
