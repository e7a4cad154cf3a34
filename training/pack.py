"""Puts the newest checkpoint of a run here, small enough for the repository.

    python training/pack.py results/windows-best training/windows-best

The moments of Adam, two thirds of a checkpoint, are kept in bfloat16: the optimizer turns them into float32
when it loads them. So the run that goes on is not the same to the bit as one that was never interrupted.
"""

import shutil
import sys
from pathlib import Path

import torch

from sb_resizegan.training.checkpoints import AtomicCheckpointer, write_sums


def halved(state: dict) -> dict:
    """State of an optimizer with its moments in bfloat16; counts of steps stay as they are."""
    moments = {
        number: {
            name: value.bfloat16() if torch.is_tensor(value) and value.dim() else value
            for name, value in values.items()
        }
        for number, values in state["state"].items()
    }
    return {**state, "state": moments}


def main(run_folder: Path, folder: Path) -> None:
    newest = AtomicCheckpointer(run_folder / "save").find_checkpoint()
    if newest is None:
        sys.exit(f"error: {run_folder / 'save'}: expected a checkpoint, but there is none")
    target = folder / "save" / newest.path.name
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(newest.path, partial)
    for path in partial.glob("*_optimizer.ckpt"):
        torch.save(halved(torch.load(path, weights_only=True)), path)
    write_sums(partial)
    for old in target.parent.glob("CKPT+*"):
        shutil.rmtree(old)
    partial.rename(target)
    for name in ("measures.csv", "train_log.txt"):
        if (run_folder / name).is_file():
            shutil.copy(run_folder / name, folder / name)
    largest = max(target.iterdir(), key=lambda path: path.stat().st_size)
    print(f"{target}: the largest file is {largest.name}, {largest.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
