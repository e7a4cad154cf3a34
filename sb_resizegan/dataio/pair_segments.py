"""Training segments of paired utterances, the same ones for the same seed and number."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from sb_resizegan.dataio.long_signal import LONG_SECONDS, Signal
from sb_resizegan.dataio.manifests import stamp_files
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.sample_store import SampleStore
from sb_resizegan.dataio.utterances import read_pair, read_pair_manifest
from sb_resizegan.utils.checks import check_count
from sb_resizegan.utils.random import Draws, rows_of

__all__ = ["PairedSegments"]

logger = get_logger(__name__)

# Changes whenever the same files and options would give other samples.
FORMAT = 1


class PairedSegments:
    """Segments of the pairs of a manifest, clean and noisy side cut at the same place.

    An utterance is drawn with a probability in proportion to its length, and every first sample in it is
    equally likely. One that is shorter than a segment comes whole, with zeros behind it, and the batch's
    ``lengths`` say so. Nothing is scaled or filtered: a pause between words is a segment like any other.

    Which segments batch ``n`` holds depends on the manifest, the seed and ``n`` alone, by a counter-based
    generator (Philox): ``WindowStream`` can go on anywhere, loader workers change nothing, and ``world_size``
    processes share out one joint batch.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_pairs``; see ``read_pair_manifest``.
    segment_samples : int
        Length of the segments.
    sample_rate : int
        In Hz, of the segments; files at another rate are resampled.
    data_root : str or Path, optional
        Stands for ``{data_root}`` in the manifest's paths.
    max_memory_gb : float
        Limit in GB (1e9 bytes) for holding the pairs in memory (twice that for a moment while loading);
        beyond, they go to a file that all processes map, and so do pairs of which one is above 10 minutes. An
        hour of pairs takes 0.46 GB at 16 kHz.
    cache_folder : str or Path, optional
        Where the file goes if there is one; the manifest's folder by default.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If an option is out of range, or the manifest isn't one of pairs.
    UnusableAudioError
        If a file cannot be read, holds NaN or Inf, or differs in length from its partner.
    OSError
        If the file cannot be written.

    Example
    -------
    >>> import soundfile
    >>> from sb_resizegan.dataio.prepare.pairs import prepare_pairs
    >>> folder = getfixture("tmp_path")
    >>> for side in ("clean", "noisy"):
    ...     (folder / side).mkdir()
    ...     soundfile.write(folder / side / "a.wav", 0.1 * np.sin(np.arange(16000)), 16000)
    >>> _ = prepare_pairs(folder, folder / "manifests")
    >>> segments = PairedSegments(folder / "manifests" / "train.json", 20000, data_root=folder)
    >>> batch = segments.batch(0, batch_size=2, seed=1)
    >>> batch.noisy.shape, batch.lengths
    (torch.Size([2, 20000]), tensor([0.8000, 0.8000]))
    """

    def __init__(
        self,
        manifest_json: str | Path,
        segment_samples: int,
        sample_rate: int = 16000,
        data_root: str | Path | None = None,
        max_memory_gb: float = 2.0,
        cache_folder: str | Path | None = None,
    ) -> None:
        check_count("segment_samples", segment_samples)
        check_count("sample_rate", sample_rate)
        if not max_memory_gb >= 0:
            raise ValueError(f"max_memory_gb: expected a number of at least 0, but got {max_memory_gb!r}")
        self.segment_samples = segment_samples
        self.sample_rate = sample_rate
        self.manifest_json = Path(manifest_json)
        entries = list(read_pair_manifest(manifest_json, data_root).values())
        paths = [entry[side] for entry in entries for side in ("noisy", "clean")]
        folder = self.manifest_json.parent if cache_folder is None else Path(cache_folder)
        has_long = max(entry["length"] for entry in entries) > LONG_SECONDS
        self._store = SampleStore(
            lambda: self._pieces(entries, folder),
            8e-9 * sample_rate * sum(entry["length"] for entry in entries),
            0.0 if has_long else max_memory_gb,
            folder,
            f"pairs-{self.manifest_json.stem}",
            stamp_files(paths, [FORMAT, sample_rate]),
        )
        # The clean side of an utterance lies behind its noisy side.
        self._lengths = self._store.lengths[::2]
        self._ends = np.cumsum(self._lengths)
        logger.info(
            "%s: %d pairs, %.1f minutes",
            self.manifest_json.name,
            len(self._lengths),
            self._ends[-1] / sample_rate / 60,
        )

    def __len__(self) -> int:
        """How many pairs of utterances there are."""
        return len(self._lengths)

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> NoisyBatch:
        """Batch number ``n`` of the training stream; see `BatchSource` for the arguments.

        Returns
        -------
        NoisyBatch
            ``(batch_size, segment_samples)``, float32; lengths relative to ``segment_samples``.
        """
        rows = rows_of(rank, world_size, batch_size)
        # A place among all samples tells the utterance, how far it lies into that, the first sample.
        places = Draws(seed, n).uniform(batch_size * world_size)[rows.start : rows.stop]
        places = places * self._ends[-1]
        utterances = np.searchsorted(self._ends, places, side="right")
        lengths = self._lengths[utterances]
        begins = self._ends[utterances] - lengths
        counts = np.maximum(lengths - self.segment_samples, 0) + 1
        starts = np.minimum(((places - begins) / lengths * counts).astype(np.int64), counts - 1)
        samples = np.minimum(lengths, self.segment_samples)
        pairs = np.zeros((2, batch_size, self.segment_samples), dtype=np.float32)
        for row in range(batch_size):
            first = 2 * begins[row] + starts[row]
            for side in pairs[:, row]:
                side[: samples[row]] = self._store.samples[first : first + samples[row]]
                first += lengths[row]
        noisy, clean = torch.from_numpy(pairs)
        return NoisyBatch(noisy, clean, torch.from_numpy(samples / self.segment_samples).float())

    def _pieces(self, entries: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[Signal]:
        """Yields noisy and clean side of all utterances in the manifest's order."""
        label = f"Loading {self.manifest_json.stem}"
        for entry in tqdm(entries, desc=label, delay=2, disable=not if_main_process()):
            yield from read_pair(entry, self.sample_rate, folder)
