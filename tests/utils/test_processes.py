"""Statistics of several processes are those of one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sb_resizegan.utils.processes import Share, interleaved
from tests.stats_worker import statistics, validation


@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_shares_are_all_items_in_order_again(count):
    shares = [Share(range(count), rank, 3) for rank in range(3)]
    assert [len(share) for share in shares] == [len(list(share)) for share in shares]
    assert interleaved([list(share) for share in shares]) == list(range(count))


def test_two_processes_find_what_one_does(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*torchrun, "tests/stats_worker.py", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert process.returncode == 0, process.stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = json.loads(json.dumps({**statistics(), **validation(tmp_path / "alone")}))
    torch.set_num_threads(threads)
    assert expected["summary"].pop("failures") == {"TOO_SHORT": ["3b"]} and expected["ids"][:2] == [
        "0a",
        "0b",
    ]
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert found["ids"] == expected["ids"]
        assert found["summary"].pop("failures") == {"TOO_SHORT": ["3b"]}
        assert found["summary"] == pytest.approx(expected["summary"])
        assert found["means"] == pytest.approx(expected["means"], rel=1e-6)
        for name in ("noisy", "row"):
            assert found[name] == pytest.approx(expected[name], rel=1e-6, nan_ok=True)
        assert found["train"] == pytest.approx(expected["train"], rel=1e-6)
    files = [
        sorted(p.relative_to(folder) for p in folder.rglob("*"))
        for folder in map(tmp_path.joinpath, ("epochs", "alone"))
    ]
    assert files[0] == files[1] and len(files[0]) > 9
