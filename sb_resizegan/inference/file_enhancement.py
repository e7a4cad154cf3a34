"""One sound file through an enhancer, in chunks, to a file and to memory."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.long_files import Spool, StreamedFile, choose_format
from sb_resizegan.dataio.resampling import resampled_blocks
from sb_resizegan.inference.chunks import process_in_chunks
from sb_resizegan.inference.finishing import Finishing, Mixing
from sb_resizegan.inference.linked_channels import LinkedChannels
from sb_resizegan.inference.seeded_latents import SeededLatents, enhance_stretch
from sb_resizegan.inference.several_draws import best_draw

__all__ = ["FileEnhancement", "sample_paths"]

logger = get_logger(__name__)

FADE_SECONDS = 0.1
# Of files with more, chunks and what they are computed with besides are shorter: the memory must not grow.
CHANNELS, CHANNELS_OF_CONTEXT = 8, 64

# Samples of the model's input and of its output, ``(time, channels)`` each, in order.
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


class FileEnhancement:
    """What `enhance_to_file()` does.

    Arguments
    ---------
    model : GenerativeEnhancement
        The enhancer.
    filename : str or Path
        The file to be enhanced.
    chunk_seconds, context_seconds : float
        Length of the chunks, and what each is computed with besides itself on both sides.
    progress : callable, optional
        Called with a number of seconds each time some are done.
    finishing : Finishing, optional
        What is done to the model's output; nothing but its band above by default.

    Raises
    ------
    ValueError
        For lengths out of range.

    Example
    -------
    >>> import soundfile
    >>> from sb_resizegan.inference.enhancement import GenerativeEnhancement
    >>> from sb_resizegan.models.waveform_generator import WaveformGenerator
    >>> model = GenerativeEnhancement({"generator": WaveformGenerator()}, {"sample_rate": 16000})
    >>> noisy, blocks = getfixture("tmp_path") / "noisy.wav", []
    >>> soundfile.write(noisy, 0.1 * np.random.randn(40000), 16000)
    >>> work = FileEnhancement(model, noisy, chunk_seconds=1, context_seconds=0.5)
    >>> work.run([0], seed=0, path=None, blocks=blocks)
    >>> sum(map(len, blocks))
    40000
    """

    def __init__(
        self,
        model: Any,
        filename: str | os.PathLike,
        chunk_seconds: float,
        context_seconds: float,
        progress: Callable[[float], None] | None = None,
        finishing: Finishing | None = None,
    ) -> None:
        if not (0 < chunk_seconds < math.inf and 0 <= context_seconds < math.inf):
            raise ValueError(
                "expected chunk_seconds above 0 and context_seconds of at least 0, "
                f"but got {chunk_seconds} and {context_seconds}"
            )
        self._model = model
        self._filename = filename
        self._rate = model.sample_rate
        self._chunk, self._context = round(chunk_seconds * self._rate), round(context_seconds * self._rate)
        self._progress = progress
        self._finishing = finishing or Finishing()
        self._source: StreamedFile | None = None
        self._count = 1

    def outputs(
        self, output_filename: str | os.PathLike | None, num_samples: int | None
    ) -> list[Path | None]:
        """The files to be made, one for each latent; None for each where there is to be none.

        Arguments
        ---------
        output_filename : str or Path or None
            As the user gave it.
        num_samples : int or None
            Latents.

        Returns
        -------
        list of Path or None

        Raises
        ------
        ValueError
            For an output that is the input.
        """
        self._count = num_samples or 1
        if output_filename is None:
            return [None] * self._count
        paths = sample_paths(output_filename, num_samples)
        for path in paths:
            if path.exists() and os.path.exists(self._filename) and os.path.samefile(path, self._filename):
                raise ValueError(f"{path}: expected an output other than the input")
        for path in paths:
            choose_format(self.source.header, path)
        return list(paths)

    @property
    def source(self) -> StreamedFile:
        """The file, read once when it is first asked for."""
        if self._source is None:
            self._source = StreamedFile(self._filename, self._rate)
        return self._source

    def draws(self, count: int, seed: int, reduce: str | None) -> list[Sequence[int]]:
        """The latents of each file to be made, by their numbers.

        Arguments
        ---------
        count : int
            Latents in all.
        seed : int
            Of all latents.
        reduce : str, optional
            ``mean``: all of them for one file; ``best``: the one whose result is nearest to those of the
            others; None: a file for each.

        Returns
        -------
        list of sequence of int
        """
        if reduce == "mean":
            return [range(count)]
        if reduce == "best" and count > 1:
            each = [self._pairs([SeededLatents(self._model.mods.generator, seed, n)]) for n in range(count)]
            return [[best_draw([enhanced for _, enhanced in pairs] for pairs in zip(*each, strict=True))]]
        return [[number] for number in range(count)]

    def run(
        self, draws: Sequence[int], seed: int, path: Path | None, blocks: list[np.ndarray] | None = None
    ) -> None:
        """Enhances the file; with several latents, to the mean of their results.

        Arguments
        ---------
        draws : sequence of int
            Numbers of the latents.
        seed : int
            Of all latents.
        path : Path or None
            The file to be made, if one is.
        blocks : list, optional
            What the enhanced samples are added to, ``(time, channels)`` at the model's rate.
        """
        latents = [SeededLatents(self._model.mods.generator, seed, draw) for draw in draws]
        pairs = self._kept(self._linked(self._pairs(latents)), blocks)
        if path is None:
            for noisy, _ in pairs:
                self._done(len(noisy) / self.source.resampled_frames * self.source.frames)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        source = self.source
        with Spool(path.parent, source.header.channels) as spool:
            for block in self._finished(pairs):
                block = block[: source.frames - spool.frames]  # two conversions may each round up
                spool.append(block)
                self._done(len(block))
            form = choose_format(source.header, path)
            gain = spool.save(path, source.rate, *form, source.header.tags)
        if gain < 1:
            logger.warning(
                "%s: reduced by %.1f dB, which its peaks exceeded full scale by", path, -20 * math.log10(gain)
            )

    def _done(self, frames: float) -> None:
        if self._progress:
            self._progress(frames / self.source.rate / self._count)

    def _kept(self, pairs: Pairs, blocks: list[np.ndarray] | None) -> Pairs:
        """Passes the model's input and output on, and keeps what becomes of them at the model's rate."""
        share = np.float32(self._finishing.share)
        for noisy, enhanced in pairs:
            if blocks is not None:
                blocks.append(share * noisy + (1 - share) * enhanced if share else enhanced)
            yield noisy, enhanced

    def _linked(self, pairs: Pairs) -> Pairs:
        channels = self.source.header.channels
        if not self._finishing.link_channels or channels == 1:
            yield from pairs
            return
        link = LinkedChannels(self._rate, channels)
        for noisy, enhanced in pairs:
            yield link.push(noisy, enhanced)
        yield link.flush()

    def _finished(self, pairs: Pairs) -> Iterator[np.ndarray]:
        """What is written, at the file's rate."""
        source = self.source
        band = self._finishing.band(self._rate, source.rate, source.header.channels)
        mixing = Mixing(source.header.channels, self._finishing.share, band)

        def signals() -> Iterator[np.ndarray]:
            for noisy, enhanced in pairs:
                if band is None:
                    yield enhanced
                    continue
                band.follow(noisy, enhanced)
                yield np.concatenate([enhanced, noisy], axis=1)
            if band is not None:
                band.end()

        own = source.own_blocks() if mixing.needs_input else iter(())
        for block in resampled_blocks(signals(), self._rate, source.rate):
            while mixing.needs_input and mixing.heard < min(source.frames, mixing.given + len(block)):
                mixing.hear(next(own))
            yield mixing.push(block)
        for rest in own:
            mixing.hear(rest)
        if mixing.needs_input:
            yield mixing.push(np.zeros((0, source.header.channels * mixing.signals), dtype=np.float32))

    def _pairs(self, latents: Sequence[SeededLatents]) -> Pairs:
        """The model's input and its output, the mean over latents, ``(time, channels)`` each."""
        source, generator = self.source, self._model.mods.generator
        hop, channels = generator.latent_hop, source.header.channels

        def enhance(part: np.ndarray, first: int) -> np.ndarray:
            enhanced = np.zeros_like(part)
            for channel, level in enumerate(source.levels):
                # One by one: what the model takes for a chunk is many times the chunk.
                if level > 0:
                    row = torch.from_numpy(part[:, channel].copy()).to(self._model.device).unsqueeze(0)
                    own = torch.tensor([level], dtype=torch.float32, device=self._model.device)
                    with self._model.inference_ctx:
                        for latent in latents:
                            output = enhance_stretch(
                                generator, row, latent, first // hop, None if generator.causal else own
                            )
                            enhanced[:, channel] += output[0].cpu().numpy() / len(latents)
            if not np.isfinite(enhanced).all():
                raise ValueError(f"{source.path}: the model gave NaN or Inf")
            return np.concatenate([part, enhanced], axis=1)

        fade = round(FADE_SECONDS * self._rate)
        for chunk in process_in_chunks(
            source.blocks(),
            source.resampled_frames,
            enhance,
            max(_shared(self._chunk, channels, CHANNELS), hop, fade),
            _shared(self._context, channels, CHANNELS_OF_CONTEXT),
            fade,
            hop,
        ):
            yield chunk[:, :channels], chunk[:, channels:]


def _shared(samples: int, channels: int, most: int) -> int:
    """What is left of a length for each channel where there are more than some."""
    return samples * most // max(most, channels)


def sample_paths(path: str | os.PathLike, num_samples: int | None) -> list[Path]:
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
