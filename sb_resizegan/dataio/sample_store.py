"""Processed audio at hand: in memory, or in a file that all processes map."""

import glob
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.distributed import is_distributed_initialized
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.long_signal import Signal, blocks_of
from sb_resizegan.utils.files import replacing, write_json
from sb_resizegan.utils.locks import file_lock

__all__ = ["SampleStore"]

logger = get_logger(__name__)


class SampleStore:
    """Pieces of audio one after the other.

    Arguments
    ---------
    make_pieces : callable
        Yields the pieces, float32 arrays ``(time,)`` or ``LongSignal``; called unless the file is there.
    size_gb : float
        What the pieces take, at most, in GB (1e9 bytes).
    max_memory_gb : float
        Larger ones go to a file (smaller ones take twice their size for a moment while they are joined), and
        so does everything where several processes train together.
    folder : Path
        Where the file goes, if there is one.
    name : str
        Of the file. One of the same name and another stamp is replaced.
    stamp : str
        From ``stamp_files``, of all that the pieces depend on.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left of it.

    Example
    -------
    >>> def pieces():
    ...     yield from (np.zeros(3, dtype=np.float32), np.ones(2, dtype=np.float32))
    >>> folder = getfixture("tmp_path")
    >>> store = SampleStore(pieces, 0.1, 0.0, folder, "speech", "0123456789abcdef")
    >>> store.samples.shape, store.lengths.tolist()
    ((5,), [3, 2])
    """

    def __init__(
        self, make_pieces: Callable, size_gb: float, max_memory_gb: float, folder: Path, name: str, stamp: str
    ) -> None:
        # Of several processes each would hold its own; a file they share.
        alone = not is_distributed_initialized() or torch.distributed.get_world_size() == 1
        if size_gb <= max_memory_gb and alone:
            pieces = [piece[:] for piece in make_pieces()]
            self._path: Path | None = None
            self.samples = np.concatenate(pieces)
            lengths = [len(piece) for piece in pieces]
        else:
            self._path = folder / f"{name}-{stamp[:16]}.f32"
            folder.mkdir(parents=True, exist_ok=True)
            with file_lock(folder / f".{name}.lock"):
                found = self._read_lengths(self._path)
                if found is None:
                    for prefix in ("", "."):
                        for old in folder.glob(f"{prefix}{glob.escape(name)}-{'[0-9a-f]' * 16}.*"):
                            old.unlink()
                    logger.info("Writing up to %.1f GB of processed audio to %s", size_gb, self._path)
                    found = self._write(self._path, make_pieces)
            lengths = found
            self.samples = self._map(self._path)
        self.lengths = np.asarray(lengths, dtype=np.int64)

    @staticmethod
    def _read_lengths(path: Path) -> list[int] | None:
        """The pieces' lengths, or None unless the file is there and whole."""
        index_path = path.with_suffix(".json")
        if not (path.is_file() and index_path.is_file()):
            return None
        lengths = json.loads(index_path.read_text(encoding="utf-8"))
        return lengths if path.stat().st_size == 4 * sum(lengths) else None

    @staticmethod
    def _write(path: Path, make_pieces: Callable[[], Iterable[Signal]]) -> list[int]:
        lengths = []
        try:
            with replacing(path) as temporary, open(temporary, "wb") as stream:
                for piece in make_pieces():
                    for block in blocks_of(piece):
                        stream.write(np.ascontiguousarray(block, dtype=np.float32).data.cast("B"))
                    lengths.append(len(piece))
            # The index comes last: with it, the samples are whole.
            write_json(path.with_suffix(".json"), lengths)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error}: the processed audio cannot be kept in the cache folder "
                "(another one can be given, or more memory allowed)",
                str(path.parent),
            ) from error
        return lengths

    @staticmethod
    def _map(path: Path) -> np.ndarray:
        return np.memmap(path, dtype=np.float32, mode="r")

    def __getstate__(self) -> dict[str, Any]:
        # A mapped file goes to a spawned worker by name, not by content.
        return {**self.__dict__, "samples": self.samples if self._path is None else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._path is not None:
            self.samples = self._map(self._path)
