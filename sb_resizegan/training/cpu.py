"""How a long computation on a CPU keeps its speed."""

import ctypes
import platform

import torch

__all__ = ["keep_cpu_fast"]

# Parameters of mallopt in glibc's malloc.h. Its older versions refuse an MMAP_THRESHOLD above LARGEST.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
NEVER, LARGEST = -1, 32 * 2**20
GIBIBYTE = 2**30


def keep_cpu_fast() -> None:
    """Flushes denormal numbers to zero, and keeps freed memory for the next tensors of this process.

    An adversarial training makes denormal numbers, which are slow on a CPU. And glibc hands the memory of a
    large tensor back as soon as it is freed, so each step of a training faults the same pages in again
    (``benchmarks/enhance_step.py`` has what that costs). With another C library only the first is done.

    Example
    -------
    >>> keep_cpu_fast()
    """
    torch.set_flush_denormal(True)
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(TRIM_THRESHOLD, NEVER)
        if not library.mallopt(MMAP_THRESHOLD, GIBIBYTE):
            library.mallopt(MMAP_THRESHOLD, LARGEST)
