"""The training stream: numbered batches of windows as a data loader that can go on anywhere."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.checkpoints import mark_as_loader, mark_as_saver, register_checkpoint_hooks
from torch.utils.data import DataLoader, Dataset, Sampler

from sb_resizegan.dataio.batch_source import BatchSource
from sb_resizegan.dataio.noisy_batch import NoisyBatch

__all__ = ["WindowStream"]


@register_checkpoint_hooks
class WindowStream(DataLoader):
    """Hands out the batches 0, 1, 2, … of a source of numbered batches, an epoch's worth per iteration.

    A ``torch.utils.data.DataLoader``, so that ``Brain.fit`` takes it as it is, and a SpeechBrain recoverable:

        checkpointer.add_recoverable("train_stream", stream)
        brain.fit(epoch_counter, stream, …)

    Its whole state is how many batches it has handed out, ``position``, and how many of them in the current
    epoch. Since batch ``n`` depends on the seed and ``n`` alone, a recovered stream hands out what the
    uninterrupted one would have, with any number of workers. A checkpoint from within an epoch lets the next
    iteration yield the rest of that epoch only, nothing if it was complete; ``len`` stays that of a whole
    epoch, because SpeechBrain's progress bar begins at the recovered step. Batches that workers prepared
    ahead don't count. Neither iterating nor the workers touch torch's global random state.

    Arguments
    ---------
    windows : BatchSource
        The source: `SpeechWindows`, `PairedSegments`, `NoisyMixtures`, … Its method ``begin_epoch``, if it
        has one (`GrowingSource`), is called at the begin of each iteration.
    batch_size : int
        Windows (mixtures, …) per batch for this process.
    batches_per_epoch : int
        Batches per iteration over the stream.
    seed : int
        At least 0 and below 2 ** 64.
    rank, world_size : int
        Rows ``rank * batch_size`` and on of the joint batch of ``world_size * batch_size``. The positions of
        all processes are the same, so the checkpoint that the first one writes serves all.
    num_workers : int
        Processes that prepare batches, started with the first epoch and kept, but with a source that changes
        between epochs. With 0, the main process does it; that takes well under a millisecond for windows of
        speech in memory and is the faster way there. Mixing takes tens of milliseconds: a worker does it
        beside the training.
    pin_memory : bool
        As in ``DataLoader``; and noisy batches are handed out joined, for one copy to the GPU.

    Raises
    ------
    ValueError
        If an argument is out of range, before any batch is asked for.

    Example
    -------
    >>> import numpy as np, soundfile
    >>> from sb_resizegan.dataio.prepare.speech import prepare_speech
    >>> from sb_resizegan.dataio.speech_windows import SpeechWindows
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(16000)), 16000)
    >>> _ = prepare_speech(folder, folder / "manifests")
    >>> windows = SpeechWindows(folder / "manifests" / "train.json", lowpass_hz=None, data_root=folder)
    >>> stream = WindowStream(windows, batch_size=4, batches_per_epoch=3, seed=1)
    >>> [batch.shape for batch in stream]
    [torch.Size([4, 2048]), torch.Size([4, 2048]), torch.Size([4, 2048])]
    >>> stream.position
    3
    """

    def __init__(
        self,
        windows: BatchSource,
        batch_size: int,
        batches_per_epoch: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if not (isinstance(batches_per_epoch, int) and batches_per_epoch >= 1):
            raise ValueError(
                f"batches_per_epoch: expected a whole number of at least 1, but got {batches_per_epoch!r}"
            )
        batches = _Batches(windows, batch_size, seed, rank, world_size, joined=pin_memory)
        # A wrong size, seed or rank shows here and not in the first epoch.
        batches[0]
        self.batches_per_epoch = batches_per_epoch
        self._windows = windows
        self._position = 0
        self._done_in_epoch = 0
        self._goes_on = False
        self._numbers = _Numbers()
        super().__init__(
            batches,
            batch_size=None,
            sampler=self._numbers,
            num_workers=num_workers,
            persistent_workers=num_workers > 0 and not hasattr(windows, "begin_epoch"),
            pin_memory=pin_memory,
            # Without a generator of its own, a loader draws from the global one at each epoch.
            generator=torch.Generator().manual_seed(0),
        )

    @property
    def position(self) -> int:
        """Number of the next batch: how many were handed out since the start of training."""
        return self._position

    def set_start(self, position: int, done_in_epoch: int = 0) -> None:
        """Lets the next iteration begin at a batch.

        Arguments
        ---------
        position : int
            Number of the next batch.
        done_in_epoch : int
            How many of the batches before it belong to the epoch that goes on; that many fewer follow.

        Raises
        ------
        ValueError
            If ``position`` is negative, or ``done_in_epoch`` isn't between 0 and ``position``.
        """
        if not 0 <= done_in_epoch <= position:
            raise ValueError(
                "done_in_epoch, position: expected 0 <= done_in_epoch <= position, "
                f"but got {done_in_epoch} and {position}"
            )
        self._position = position
        self._done_in_epoch = done_in_epoch
        self._goes_on = True

    def __len__(self) -> int:
        return self.batches_per_epoch

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        if not self._goes_on:
            self._done_in_epoch = 0
        self._goes_on = False
        begin_epoch = getattr(self._windows, "begin_epoch", None)
        if begin_epoch is not None:
            begin_epoch()
        left = max(self.batches_per_epoch - self._done_in_epoch, 0)
        self._numbers.range = range(self._position, self._position + left)
        return self._hand_out(super().__iter__())

    def _hand_out(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            # Before the yield: a checkpoint made while a batch is in use is about the next one.
            self._position += 1
            self._done_in_epoch += 1
            yield batch

    @mark_as_saver
    def _save(self, path: Path) -> None:
        with open(path, "w", encoding="utf-8") as stream:
            json.dump({"position": self._position, "done_in_epoch": self._done_in_epoch}, stream)

    @mark_as_loader
    def _load(self, path: Path, end_of_epoch: bool) -> None:
        with open(path, encoding="utf-8") as stream:
            saved = json.load(stream)
        self.set_start(saved["position"], 0 if end_of_epoch else saved["done_in_epoch"])


class _Batches(Dataset):
    """Batch ``n`` as item ``n``."""

    def __init__(
        self,
        windows: BatchSource,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
        joined: bool = False,
    ) -> None:
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.joined = joined

    def __getitem__(self, n: int) -> Any:
        batch = self.windows.batch(n, self.batch_size, self.seed, self.rank, self.world_size)
        return batch.joined() if self.joined and isinstance(batch, NoisyBatch) else batch


class _Numbers(Sampler):
    """The numbers of the batches that the current iteration is to hand out."""

    def __init__(self) -> None:
        self.range = range(0)

    def __iter__(self) -> Iterator[int]:
        return iter(self.range)
