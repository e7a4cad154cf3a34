"""One sound file through an enhancer, in chunks, to a file and to memory."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.long_files import Spool, StreamedFile, choose_format
from sb_resizegan.dataio.resampling import resampled_blocks
from sb_resizegan.inference.chunks import process_in_chunks
from sb_resizegan.inference.seeded_latents import SeededLatents, enhance_stretch

__all__ = ["FileEnhancement", "sample_paths"]

logger = get_logger(__name__)

FADE_SECONDS = 0.1


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
    >>> work.run(0, seed=0, path=None, blocks=blocks)
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
    ):
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

    def run(self, draw: int, seed: int, path: Path | None, blocks: list[np.ndarray] | None = None) -> None:
        """Enhances the file with one latent.

        Arguments
        ---------
        draw : int
            Number of the latent.
        seed : int
            Of all latents.
        path : Path or None
            The file to be made, if one is.
        blocks : list, optional
            What the enhanced samples are added to, ``(time, channels)`` at the model's rate.
        """
        latents = SeededLatents(self._model.mods.generator, seed, draw)
        chunks = self._kept(self._chunks(latents), blocks)
        if path is None:
            for chunk in chunks:
                self._done(len(chunk) / self.source.resampled_frames * self.source.frames)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        source = self.source
        with Spool(path.parent, source.header.channels) as spool:
            for block in resampled_blocks(chunks, self._rate, source.rate):
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

    @staticmethod
    def _kept(chunks: Iterator[np.ndarray], blocks: list[np.ndarray] | None) -> Iterator[np.ndarray]:
        for chunk in chunks:
            if blocks is not None:
                blocks.append(chunk)
            yield chunk

    def _chunks(self, latents: SeededLatents) -> Iterator[np.ndarray]:
        source, generator = self.source, self._model.mods.generator
        hop = generator.latent_hop

        def enhance(part: np.ndarray, first: int) -> np.ndarray:
            enhanced = np.zeros_like(part)
            for channel, level in enumerate(source.levels):
                # One by one: the memory must not grow with the channels.
                if level > 0:
                    row = torch.from_numpy(part[:, channel].copy()).to(self._model.device).unsqueeze(0)
                    own = torch.tensor([level], dtype=torch.float32, device=self._model.device)
                    with self._model.inference_ctx:
                        output = enhance_stretch(
                            generator, row, latents, first // hop, None if generator.causal else own
                        )
                    enhanced[:, channel] = output[0].cpu().numpy()
            if not np.isfinite(enhanced).all():
                raise ValueError(f"{source.path}: the model gave NaN or Inf")
            return enhanced

        fade = round(FADE_SECONDS * self._rate)
        yield from process_in_chunks(
            source.blocks(),
            source.resampled_frames,
            enhance,
            max(self._chunk, hop, fade),
            self._context,
            fade,
            hop,
        )


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
