"""Named arrays in one file, which all processes of a machine map into memory."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sb_resizegan.utils.files import replacing

__all__ = ["MappedArrays", "write_arrays"]

MAGIC = b"arrays 1"
ALIGNMENT = 64


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays into a file for `MappedArrays`; whoever looks sees it whole or not at all.

    Arguments
    ---------
    path : Path
        The file to be.
    arrays : mapping of str to numpy.ndarray
        Of numbers.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    place, table = 0, {}
    for name, values in arrays.items():
        table[name] = [values.dtype.str, list(values.shape), place]
        place += values.nbytes + -values.nbytes % ALIGNMENT
    heading = json.dumps(table).encode()
    heading += b" " * (-(len(heading) + 16) % ALIGNMENT)
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        stream.write(MAGIC + len(heading).to_bytes(8, "little") + heading)
        for values in arrays.values():
            stream.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
            stream.write(bytes(-values.nbytes % ALIGNMENT))


class MappedArrays(Mapping[str, np.ndarray]):
    """The arrays of a file, read-only. A worker gets them by the file's name.

    Arguments
    ---------
    path : Path
        From `write_arrays()`.

    Raises
    ------
    ValueError
        If it is another file.

    Example
    -------
    >>> path = getfixture("tmp_path") / "numbers.index"
    >>> write_arrays(path, {"a": np.arange(3), "b": np.zeros((2, 2), dtype=np.float32)})
    >>> arrays = MappedArrays(path)
    >>> arrays["a"], arrays["b"].shape
    (array([0, 1, 2]), (2, 2))
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._map()

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def _map(self) -> None:
        with open(self.path, "rb") as stream:
            if stream.read(8) != MAGIC:
                raise ValueError(f"{self.path}: expected a file of arrays, but it is none")
            length = int.from_bytes(stream.read(8), "little")
            table = json.loads(stream.read(length))
        size = self.path.stat().st_size - 16 - length
        mapped = np.memmap(self.path, dtype=np.uint8, mode="r", offset=16 + length) if size else np.zeros(0)
        content = np.asarray(mapped, dtype=np.uint8)
        self._arrays = {}
        for name, (kind, shape, place) in table.items():
            count = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
            if place + count > len(content):
                raise ValueError(f"{self.path}: expected {place + count} bytes, but got {len(content)}")
            self._arrays[name] = content[place : place + count].view(kind).reshape(shape)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()
