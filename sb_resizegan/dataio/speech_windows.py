"""Training windows: short pieces of active speech, the same ones for the same seed and number."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.activity import active_regions, level_gain
from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, read_signal, signal_blocks
from sb_resizegan.dataio.long_signal import LONG_SECONDS, LongSignal, blocks_of, is_long
from sb_resizegan.dataio.manifests import read_manifest, stamp_files
from sb_resizegan.dataio.resampling import check_lowpass, low_pass, low_passed_blocks
from sb_resizegan.dataio.sample_store import SampleStore
from sb_resizegan.utils.checks import check_count
from sb_resizegan.utils.random import FIXED, TRAINING, Draws, rows_of

__all__ = ["SpeechWindows"]

logger = get_logger(__name__)

PEAK = 0.95
# Changes whenever the same files and options would give other samples.
FORMAT = 1


class SpeechWindows:
    """Windows of active speech from the recordings of a manifest.

    Every recording is mixed down, resampled, low-passed as a whole (windows have no filter edges), searched
    for active speech (``active_regions``, on what is left of it after the low-pass) and scaled so that its
    active speech has the RMS ``level_db``, or less where a sample would exceed 0.95: a generator that ends in
    tanh can reach it. The stretches of active speech are kept, in memory or, where that would take more than
    ``max_memory_gb``, in a file that all processes map.

    Windows lie wholly in one stretch each; every possible first sample is equally likely. Which ones batch
    ``n`` holds depends on the manifest, the seed and ``n`` alone, by a counter-based generator (Philox): a
    resumed run needs no more than the next ``n``, loader workers change nothing, and ``world_size``
    processes share out one joint batch.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_speech``.
    window_samples : int
        Samples of a window.
    sample_rate : int
        In Hz, of the windows.
    lowpass_hz : float or None
        Cut-off of the zero-phase low-pass in Hz; None keeps the full band.
    data_root : str or Path, optional
        Stands for ``{data_root}`` in the manifest's paths.
    level_db : float
        Level of active speech, RMS in dB relative to full scale.
    max_memory_gb : float
        Limit in GB (1e9 bytes) for holding the speech in memory (twice that for a moment while loading). An
        hour takes 0.23 GB at 16 kHz.
    cache_folder : str or Path, optional
        Where the file goes if there is one; the manifest's folder by default.

    Raises
    ------
    ValueError
        If an option is out of range, or if no recording is as long as a window.
    UnusableAudioError
        If a recording cannot be read or holds NaN or Inf; its name is in the message.

    Example
    -------
    >>> import soundfile
    >>> from sb_resizegan.dataio.prepare.speech import prepare_speech
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(16000)), 16000)
    >>> _ = prepare_speech(folder, folder / "manifests")
    >>> windows = SpeechWindows(folder / "manifests" / "train.json", lowpass_hz=None, data_root=folder)
    >>> windows.batch(0, batch_size=8, seed=1).shape
    torch.Size([8, 2048])
    """

    def __init__(
        self,
        manifest_json: str | Path,
        window_samples: int = 2048,
        sample_rate: int = 16000,
        lowpass_hz: float | None = 1500.0,
        data_root: str | Path | None = None,
        level_db: float = -20.0,
        max_memory_gb: float = 2.0,
        cache_folder: str | Path | None = None,
    ) -> None:
        check_count("window_samples", window_samples)
        check_count("sample_rate", sample_rate)
        check_lowpass(lowpass_hz, sample_rate)
        if not level_db <= 0:
            raise ValueError(f"level_db: expected at most 0 dB of full scale, but got {level_db!r}")
        if not max_memory_gb >= 0:
            raise ValueError(f"max_memory_gb: expected a number of at least 0, but got {max_memory_gb!r}")
        self.window_samples = window_samples
        self.sample_rate = sample_rate
        self.lowpass_hz = lowpass_hz
        self.level_db = level_db
        self.manifest_json = Path(manifest_json)
        recordings = read_manifest(manifest_json, data_root)
        size_gb = 4e-9 * sample_rate * sum(recording["length"] for recording in recordings.values())
        options = [FORMAT, window_samples, sample_rate, lowpass_hz, level_db]
        folder = self.manifest_json.parent if cache_folder is None else Path(cache_folder)
        self._folder = folder
        self._store = SampleStore(
            lambda: self._active_pieces(recordings),
            size_gb,
            max_memory_gb,
            folder,
            f"windows-{self.manifest_json.stem}",
            stamp_files([recording["wav"] for recording in recordings.values()], options),
        )
        # All possible windows are numbered through; each stretch's numbers end before this.
        self._numbers_end = np.cumsum(self._store.lengths - window_samples + 1)
        logger.info(
            "%s: %.1f minutes of active speech of %d files, %d possible windows",
            self.manifest_json.name,
            len(self._store.samples) / sample_rate / 60,
            len(recordings),
            self.number_of_windows,
        )

    @property
    def number_of_windows(self) -> int:
        """How many different windows there are: one for every possible first sample."""
        return int(self._numbers_end[-1])

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> torch.Tensor:
        """Batch number ``n`` of the training stream; see `BatchSource` for the arguments.

        Returns
        -------
        torch.Tensor
            ``(batch_size, window_samples)``, float32, magnitude at most 0.95.
        """
        rows = rows_of(rank, world_size, batch_size)
        numbers = self._draw(n, batch_size * world_size, seed, TRAINING)
        return self._cut(numbers[rows.start : rows.stop])

    def fixed(self, count: int, seed: int) -> torch.Tensor:
        """Windows that are the same at each call, for validation or as a sample of real speech.

        Arguments
        ---------
        count : int
            How many; with fewer asked for, the first of them come.
        seed : int
            At least 0 and below 2 ** 64. No training batch is drawn from the same random numbers.

        Returns
        -------
        torch.Tensor
            ``(count, window_samples)``, float32.
        """
        check_count("count", count)
        return self._cut(self._draw(0, count, seed, FIXED))

    def _draw(self, n: int, count: int, seed: int, purpose: int) -> np.ndarray:
        uniform = Draws(seed, n, purpose=purpose).uniform(count)
        return (uniform * self.number_of_windows).astype(np.int64)

    def _cut(self, numbers: np.ndarray) -> torch.Tensor:
        stretches = np.searchsorted(self._numbers_end, numbers, side="right")
        # Each stretch before costs window_samples - 1 first samples.
        starts = numbers + stretches * (self.window_samples - 1)
        return torch.from_numpy(
            np.stack([self._store.samples[start : start + self.window_samples] for start in starts])
        )

    def _low_passed(self, path: Path) -> np.ndarray | LongSignal:
        """A whole recording at the windows' rate; a long one lies on the disk."""
        if not is_long(audio_header(path)):
            waveform = low_pass(read_signal(path, self.sample_rate), self.sample_rate, self.lowpass_hz)
        else:
            blocks = signal_blocks(path, self.sample_rate)
            blocks = low_passed_blocks(blocks, self.sample_rate, self.lowpass_hz)
            waveform = LongSignal(blocks, self._folder)
        if not all(np.isfinite(block).all() for block in blocks_of(waveform)):
            raise UnusableAudioError("not finite", path, "samples too large to be filtered")
        return waveform

    def _active_pieces(self, recordings: Mapping[str, Mapping[str, Any]]) -> Iterator[np.ndarray]:
        """Yields the stretches of active speech of all recordings in the manifest's order."""
        label = f"Loading {self.manifest_json.stem}"
        none_yet = True
        for recording in tqdm(recordings.values(), desc=label, delay=2, disable=not if_main_process()):
            waveform = self._low_passed(recording["wav"])
            regions = active_regions(waveform, self.sample_rate, self.window_samples)
            if len(regions) == 0:
                logger.info("No window of speech in %s", ascii(recording["wav"]))
                continue
            gain = level_gain(waveform, regions, self.level_db, PEAK)
            # Of very long stretches, pieces that overlap by all but one sample of a window: each first sample
            # of a window lies in one of them, and in one alone.
            longest = LONG_SECONDS * self.sample_rate
            for start, end in regions:
                for first in range(start, max(start + 1, end - self.window_samples + 1), longest):
                    last = min(end, first + longest + self.window_samples - 1)
                    yield (gain * waveform[first:last]).astype(np.float32)
            none_yet = False
        if none_yet:
            raise ValueError(
                f"{self.manifest_json}: expected at least one window of {self.window_samples} "
                f"samples of speech at {self.sample_rate} Hz, but no recording has one"
            )
