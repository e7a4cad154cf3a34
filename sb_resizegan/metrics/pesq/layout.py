"""Where a signal lies in its buffer, and the one way from the device to the host."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

SLOT = 64  # samples, the grid of voice activity
GUARD_SLOTS = 75
GUARD = GUARD_SLOTS * SLOT  # silence before and after a signal
TAIL = 5120  # more silence after it, 320 ms
FRAME = 512  # samples of a frame of the perceptual model
HOP = 256
SHORTEST = 4000  # samples that PESQ accepts, a quarter of a second


def to_host(*tensors: torch.Tensor) -> list[np.ndarray]:
    """Copies tensors to the host in one transfer, the only kind of synchronisation in this package.

    Arguments
    ---------
    *tensors : Tensor
        Of one device; anything that float64 holds exactly. A single one keeps its type.

    Returns
    -------
    list of numpy.ndarray
        The tensors, float64 if there were several.

    Example
    -------
    >>> to_host(torch.ones(2), torch.tensor([[1, 2]]))
    [array([1., 1.]), array([[1., 2.]])]
    """
    if len(tensors) == 1:
        return [tensors[0].detach().cpu().numpy()]
    flat = torch.cat([t.detach().reshape(-1).double() for t in tensors]).cpu().numpy()
    ends = np.cumsum([t.numel() for t in tensors])[:-1]
    return [part.reshape(t.shape) for part, t in zip(np.split(flat, ends), tensors, strict=True)]


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copies integers from the host.

    Arguments
    ---------
    array : numpy.ndarray
        Integers or booleans.
    device : torch.device

    Returns
    -------
    Tensor
        int64 or bool.

    Example
    -------
    >>> to_device(np.arange(2), torch.device("cpu"))
    tensor([0, 1])
    """
    array = np.asarray(array)
    tensor = torch.from_numpy(np.ascontiguousarray(array if array.dtype == bool else array.astype(np.int64)))
    # From pinned memory the host need not wait for the copy.
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Lengths:
    """Lengths of signals where they are wanted: on the host for sizes, on the device to compute with.

    Arguments
    ---------
    host : numpy.ndarray of int
        (batch,).
    device : Tensor
        The same as int64, (batch,).

    Example
    -------
    >>> lengths = Lengths.of(np.array([8000, 6000]), torch.device("cpu"))
    >>> (lengths + 1)[1:]
    Lengths(host=array([6001]), device=tensor([6001]))
    """

    host: np.ndarray
    device: torch.Tensor

    @classmethod
    def of(cls, host: np.ndarray, device: torch.device) -> "Lengths":
        """Lengths that are known on the host alone."""
        return cls(host, to_device(host, device))

    def __getitem__(self, rows: slice) -> "Lengths":
        return Lengths(self.host[rows], self.device[rows])

    def __add__(self, samples: int) -> "Lengths":
        return Lengths(self.host + samples, self.device + samples)

    def rows(self, rows: list[int]) -> "Lengths":
        """Some of them, by number."""
        return Lengths(self.host[rows], torch.stack([self.device[row] for row in rows]))


Integers = TypeVar("Integers", int, np.ndarray)


def quotient(a: Integers, b: int) -> Integers:
    """Integer quotient truncated towards zero, as C divides.

    Arguments
    ---------
    a : int or numpy.ndarray of int
    b : int
        Positive.

    Returns
    -------
    int or numpy.ndarray of int

    Example
    -------
    >>> quotient(-63, 64), quotient(-65, 64), quotient(130, 64)
    (0, -1, 2)
    """
    if isinstance(a, np.ndarray):
        return np.sign(a) * (np.abs(a) // b)
    return a // b if a >= 0 else -(-a // b)


@contextlib.contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Keeps matrix products in full precision: without TF32, bfloat16 and autocast.

    Arguments
    ---------
    device : torch.device

    Example
    -------
    >>> with torch.autocast("cpu"), full_precision(torch.device("cpu")):
    ...     print((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    torch.float32
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def row_chunks(signal: torch.Tensor) -> list[slice]:
    """Slices of the rows of a batch that fit into the cache together; on a GPU, one slice of all.

    Arguments
    ---------
    signal : Tensor
        (batch, time).

    Returns
    -------
    list of slice

    Example
    -------
    >>> row_chunks(torch.zeros(5, 400_000))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows, time = signal.shape
    step = max(1, (1 << 20) // time) if signal.device.type == "cpu" else rows
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]


def frame_rows(signal: torch.Tensor, size: int) -> torch.Tensor:
    """All windows of a batch of signals, one for each sample, as a view without copies.

    Row ``b * time + t`` holds ``signal[b, t : t + size]``; callers must not ask for windows beyond a
    signal's end.

    Arguments
    ---------
    signal : Tensor
        (batch, time), contiguous.
    size : int
        Samples of a window.

    Returns
    -------
    Tensor
        (batch * time - size + 1, size).

    Example
    -------
    >>> frame_rows(torch.arange(6.0).view(2, 3), 2)[3]
    tensor([3., 4.])
    """
    return signal.as_strided((signal.numel() - size + 1, size), (1, 1))


@dataclass(frozen=True)
class Geometry:
    """Lengths of the pairs of a batch, on the host.

    Arguments
    ---------
    reference : numpy.ndarray of int
        Samples of each reference, (batch,).
    degraded : numpy.ndarray of int
        Samples of each degraded signal, (batch,).

    Example
    -------
    >>> pair = Geometry(np.array([8000]), np.array([8100]))
    >>> pair.longest, pair.slots_reference, pair.padded_degraded
    (array([8100]), array([275]), array([17700]))
    """

    reference: np.ndarray
    degraded: np.ndarray

    @property
    def longest(self) -> np.ndarray:
        """Samples of the longer signal of each pair."""
        return np.maximum(self.reference, self.degraded)

    @property
    def padded_reference(self) -> np.ndarray:
        """Samples of each reference with its two guards."""
        return self.reference + 2 * GUARD

    @property
    def padded_degraded(self) -> np.ndarray:
        """Samples of each degraded signal with its two guards."""
        return self.degraded + 2 * GUARD

    @property
    def slots_reference(self) -> np.ndarray:
        """Whole slots of each padded reference."""
        return self.padded_reference // SLOT

    @property
    def slots_degraded(self) -> np.ndarray:
        """Whole slots of each padded degraded signal."""
        return self.padded_degraded // SLOT

    @property
    def frames(self) -> np.ndarray:
        """Most frames that the perceptual model of each pair can have."""
        return (self.longest + TAIL) // HOP
