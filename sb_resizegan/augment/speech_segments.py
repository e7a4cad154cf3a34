"""Segments of clean speech at random levels, the same ones for the same seed and number."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from sb_resizegan.augment.segments import SPEECH_RMS, speech_segment
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.checks import check_count, check_range
from sb_resizegan.utils.random import FIXED, TRAINING, Draws, rows_of

__all__ = ["SpeechSegments"]

PEAK = 0.99


class SpeechSegments:
    """Numbered batches of clean speech with its pauses, as a vocoder is trained on.

    Arguments
    ---------
    speech : Recordings
        Utterances.
    segment_samples : int
        Length of a segment.
    level_db : sequence of float
        Range of the RMS of active speech, in dB relative to full scale; less where a sample would exceed
        0.99.

    Raises
    ------
    ValueError
        For a number or a range that is none.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> soundfile.write(folder / "a.wav", 0.1 * np.sin(np.arange(32000)), 16000)
    >>> source = SpeechSegments(Recordings(folder, cache_folder=folder / "cache"), 16000)
    >>> source.batch(0, 4, seed=1).shape, source.fixed(2, seed=1).shape
    (torch.Size([4, 16000]), torch.Size([2, 16000]))
    """

    def __init__(
        self, speech: Recordings, segment_samples: int, level_db: Sequence[float] = (-40.0, -14.0)
    ) -> None:
        check_count("segment_samples", segment_samples)
        check_range("level_db", level_db, -120, 0)
        self.speech = speech
        self.segment_samples = segment_samples
        self.level_db = tuple(level_db)

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> torch.Tensor:
        """Batch number ``n`` of the training stream; see `BatchSource` for the arguments.

        Returns
        -------
        torch.Tensor
            ``(batch_size, segment_samples)``, float32, magnitude at most 0.99.
        """
        rows = rows_of(rank, world_size, batch_size)
        return self._stack(Draws(seed, n, row, TRAINING) for row in rows)

    def fixed(self, count: int, seed: int) -> torch.Tensor:
        """Segments that are the same at each call, for validation.

        Arguments
        ---------
        count : int
            How many; with fewer asked for, the first of them come.
        seed : int
            At least 0 and below 2 ** 64. No training batch is drawn from the same random numbers.

        Returns
        -------
        torch.Tensor
            ``(count, segment_samples)``, float32.
        """
        check_count("count", count)
        return self._stack(Draws(seed, 0, row, FIXED) for row in range(count))

    def _stack(self, rows: Iterable[Draws]) -> torch.Tensor:
        return torch.from_numpy(np.stack([self._segment(draws) for draws in rows]))

    def _segment(self, draws: Draws) -> np.ndarray:
        segment, _ = speech_segment(self.speech, draws, self.segment_samples)
        gain = 10 ** (draws.between(*self.level_db) / 20) / SPEECH_RMS
        return segment * np.float32(min(gain, PEAK / max(float(np.abs(segment).max()), 1e-9)))
