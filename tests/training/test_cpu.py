"""A long computation does not fetch the same memory again and again."""

import platform
import subprocess
import sys

import pytest

MEBIBYTE = 2**20
PROGRAM = """
import resource, torch
from sb_resizegan.training.cpu import keep_cpu_fast
{call}
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
tensor = torch.ones(2**24)
held = resident()
del tensor
print(held - resident(), (torch.tensor([1e-39]) * 1.0).item())
"""


def released(call):
    """Bytes that the system gets back when a tensor of 64 MiB goes, and what becomes of a denormal number."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], capture_output=True, text=True, check=True
    )
    memory, number = process.stdout.split()
    return int(memory), float(number)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is dealt with")
def test_freed_memory_is_kept_and_denormal_numbers_are_not():
    memory, number = released("keep_cpu_fast()")
    assert memory < MEBIBYTE
    assert number == 0
    # Without the call it is otherwise, or the call would not be needed.
    memory, number = released("")
    assert memory > 60 * MEBIBYTE
    assert number == pytest.approx(1e-39, rel=1e-3)
