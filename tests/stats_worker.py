"""Run by ``torchrun``: the statistics of a validation that is shared out, saved by each process.

torchrun --nproc_per_node=2 tests/stats_worker.py OUTPUT_FOLDER
"""

import json
import os
import sys
from pathlib import Path

import torch
from speechbrain.utils.distributed import ddp_init_group

sys.path.insert(0, str(Path(__file__).parents[1]))

from sb_resizegan.brains.step_figures import StepFigures, mean_figures
from sb_resizegan.metrics.pesq import PesqStats
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from sb_resizegan.utils.processes import Share


def statistics(rank=0, world_size=1):
    """What a process finds of five batches of pairs and ten steps."""
    stats, batches = PesqStats(), []
    for number in Share(range(5), rank, world_size):
        generator = torch.Generator().manual_seed(number)
        clean = torch.randn(2, 8000, generator=generator)
        noisy = clean + 0.1 * (number + 1) * torch.randn(2, 8000, generator=generator)
        lengths = torch.tensor([1.0, 0.3 if number == 3 else 0.9])
        stats.append([f"{number}a", f"{number}b"], predict=noisy, target=clean, lengths=lengths)
        batches.append({"distance": (clean - noisy).square().mean(), "level": noisy.std()})
    figures = StepFigures(log_every=3)
    for step in Share(range(10), rank, world_size):
        figures.update({"loss": torch.tensor(float(step)), "penalty": 1 / torch.tensor(step - 4.0)})
        figures.end_step()
    stats.gather()
    return {
        "summary": stats.summarize(),
        "ids": stats.ids,
        "means": mean_figures(batches),
        "train": figures.end_epoch(),
    }


def validation(folder):
    """What the processes together find of five utterances of several lengths, and the files they write."""
    generator, utterances = torch.Generator().manual_seed(0), []
    for number, samples in enumerate((9000, 12000, 9000, 16000, 11000)):
        clean, noise = torch.randn(2, samples, generator=generator) * 0.1
        utterances.append((f"u{number}", (clean + 0.3 * noise).numpy(), clean.numpy(), float(number)))
    monitor = EnhancementMonitor(folder, utterances, shown=3, intelligibility=False)
    row = monitor.epoch(1, lambda noisy, samples: 0.5 * noisy, padded=True)
    return {"noisy": monitor.noisy, "row": row}


if __name__ == "__main__":
    torch.set_num_threads(1)
    ddp_init_group({"distributed_backend": "gloo", "device": "cpu"})
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    found = {**statistics(rank, world_size), **validation(Path(sys.argv[1]) / "epochs")}
    (Path(sys.argv[1]) / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    torch.distributed.destroy_process_group()
