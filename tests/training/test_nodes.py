"""Two machines, as far as one can have them on one: two launchers that speak over the loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import torch

from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.speech_windows import SpeechWindows
from tests.small_run import SmallRun

ROOT = Path(__file__).parents[2]


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=1.0)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_nodes(*arguments):
    """A launcher for each of two nodes, with a process each."""
    port = free_port()
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1"),
                *(f"--node_rank={node}", "--master_addr=127.0.0.1", f"--master_port={port}"),
                *map(str, ("tests/ddp_worker.py", *arguments)),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in range(2)
    ]


def test_a_node_is_lost_and_both_restarted_do_what_one_process_does(small_corpus, tmp_path):
    prepare_speech(small_corpus, tmp_path / "manifests")
    manifest = tmp_path / "manifests" / "train.json"
    words = (manifest, small_corpus, tmp_path, "strided", tmp_path / "save")

    left, lost = start_nodes(*words, "lost")
    assert lost.wait(timeout=600) == -signal.SIGKILL
    lost_at = time.monotonic()
    said = left.communicate(timeout=300)[1]
    assert left.returncode not in (0, -signal.SIGKILL), said
    assert time.monotonic() - lost_at < 60, said
    assert not list(tmp_path.glob("*.pt")) and len(list((tmp_path / "save").glob("CKPT*"))) == 1

    nodes = start_nodes(*words)
    errors = [node.communicate()[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], errors
    # The speech lies in one file, which both map.
    assert len(list((tmp_path / "manifests").glob("windows-train-*.f32"))) == 1
    windows = SpeechWindows(manifest, data_root=small_corpus)
    settings = {"optimizer": sgd, "learning_rate": 0.02}
    start = SmallRun(windows, **settings).weights()
    joint = SmallRun(windows, batch_size=16, **settings).fit().weights()
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert torch.equal(*ranks)
    assert (ranks[0] - joint).norm() < 1e-4 * (joint - start).norm()
