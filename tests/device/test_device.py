"""All that computes, on a device that is not there (`tests.device.virtual`).

Each file ``on_….py`` runs in a process of its own: PyTorch cannot unlearn a device, and other tests shall not
meet it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device import virtual

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in Path(__file__).parent.glob("on_*.py"))


@pytest.mark.skipif(not virtual.AVAILABLE, reason=virtual.REASON)
@pytest.mark.parametrize("name", FILES)
def test_on_the_device(name):
    options = ["-q", "-n", "0", "-p", "no:cacheprovider"]  # no workers within workers
    command = [sys.executable, "-m", "pytest", *options, f"tests/device/{name}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-20000:] + process.stderr[-2000:]
