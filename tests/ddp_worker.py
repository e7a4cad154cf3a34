"""Run by ``torchrun`` from the tests of brains: one process of a training, which saves its weights.

torchrun --nproc_per_node=2 tests/ddp_worker.py MANIFEST DATA_ROOT OUTPUT_FOLDER DOWNSAMPLING [SAVE [lost]]

SAVE is a folder for checkpoints. With ``lost``, the second process takes its whole node with it when the
second epoch begins.
"""

import os
import signal
import sys
from pathlib import Path

import speechbrain as sb
import torch
from speechbrain.utils.distributed import ddp_init_group

sys.path.insert(0, str(Path(__file__).parents[1]))

from sb_resizegan.brains import WGANBrain
from sb_resizegan.dataio.speech_windows import SpeechWindows
from tests.small_run import SmallRun


class Lost(WGANBrain):
    """A node that is gone from one moment to the next: the process and the launcher that watches it."""

    def on_stage_start(self, stage, epoch=None):
        if stage == sb.Stage.TRAIN and epoch == 2 and os.environ["RANK"] == "1":
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_stage_start(stage, epoch)


if __name__ == "__main__":
    manifest, data_root, folder, downsampling, *more = sys.argv[1:]
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    options = {"distributed_backend": "gloo", "device": "cpu"}
    ddp_init_group(options)
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    windows = SpeechWindows(manifest, data_root=data_root)
    run = SmallRun(
        windows,
        save_folder=more[0] if more else None,
        brain_class=Lost if "lost" in more else WGANBrain,
        options=options,
        rank=rank,
        world_size=world_size,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        learning_rate=0.02,
        downsampling=downsampling,
    )
    torch.save(run.fit().weights(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()
