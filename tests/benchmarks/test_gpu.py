"""The benchmark for GPUs, which nobody may run for long, still runs: small, on a CPU."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_all_parts_run():
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--tiny"]
    command += ["--variants", "float32", "bfloat16"]  # to compile for a CPU takes a minute
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in process.stdout.splitlines()
        if line.startswith("|") and "---" not in line
    ]
    trained = [row for row in rows if row[0] in ("resize.yaml", "enhance.yaml")]
    assert len(trained) == 6 and all(float(row[2]) > 0 for row in trained)
    assert any("package" in row[0] and float(row[1]) > 0 for row in rows)
    differences = [float(row[1]) for row in rows if re.fullmatch(r"[-\d.e+]+", row[1]) and "of " in row[0]]
    assert differences and all(math.isfinite(value) for value in differences)
    # The CPU agrees with itself.
    assert ["PESQ", "0.0e+00"] in rows
