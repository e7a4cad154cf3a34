#!/usr/bin/env python3
"""Train a generator of speech windows as a Wasserstein GAN.

    python recipes/train_gan.py hparams/resize.yaml                            # on the default corpus
    python recipes/train_gan.py hparams/transpose.yaml --data_folder MY_SPEECH # any folder of speech
    python recipes/train_gan.py hparams/resize.yaml --device cuda --precision bf16 --number_of_epochs 100
    torchrun --nproc_per_node=4 recipes/train_gan.py hparams/resize.yaml           # on four GPUs
    torchrun --nproc_per_node=2 recipes/train_gan.py hparams/resize.yaml --device cpu   # two processes

The same command again goes on where an interrupted run stopped. Every key of the yaml can be set on the
command line.
"""

import os
import sys
import time
from pathlib import Path

# OpenMP threads wait for each other by spinning. Where other programs share the cores, that makes a step
# many times as long; a short spin costs little where none does. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import torch
from speechbrain.utils.distributed import if_main_process, run_on_main

from sb_resizegan.brains import WGANBrain
from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError, prepare_default_corpus
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.windows import SpeechWindows
from sb_resizegan.report.windows_page import write_report
from sb_resizegan.training.checkpoints import CheckpointError
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.export import export_generator
from sb_resizegan.training.run import RunError, begin_run, check_counts, training_loggers, training_stream
from sb_resizegan.training.window_monitor import WindowMonitor, log_to_tensorboard
from sb_resizegan.utils.hparams import HparamsError
from sb_resizegan.utils.locks import FolderInUseError

# The yaml whose keys every other one has to have.
REFERENCE = Path(__file__).parents[1] / "hparams" / "resize.yaml"


def check_settings(hparams, run_opts):
    """Raises a :class:`RunError` for settings that would fail, or mean nothing, after minutes."""
    counts = ("number_of_epochs", "iterations_per_epoch", "critic_steps", "batch_size", "sample_windows")
    check_counts(hparams, dict.fromkeys(counts, 1))
    if hparams["measured_windows"] < max(2, hparams["sample_windows"]):
        raise RunError(
            f"measured_windows: expected at least sample_windows ({hparams['sample_windows']}) and 2, "
            f"but got {hparams['measured_windows']}"
        )
    nyquist = hparams["sample_rate"] / 2
    for key in ("lowpass_hz", "cutoff_hz"):
        if hparams[key] is not None and not 0 < hparams[key] < nyquist:
            raise RunError(
                f"{key}: expected null or a frequency in Hz between 0 and {nyquist:g}, "
                f"but got {hparams[key]!r}"
            )
    if hparams["data_folder"] is not None and not Path(hparams["data_folder"]).is_dir():
        raise RunError(f"data_folder: expected a folder of speech, but {hparams['data_folder']} is none")
    if run_opts["test_only"]:
        raise RunError(
            "--test_only: there is no test stage; recipes/measure_artifacts.py measures a generator"
        )


def prepare(hparams):
    """Fetches the default corpus if no folder was given, makes manifests, and returns the speech's folder."""
    folder = hparams["data_folder"]
    if folder is None:
        folder = prepare_default_corpus(hparams["language"])
    prepare_speech(
        folder,
        hparams["save_folder"],
        sample_rate=hparams["sample_rate"],
        valid_fraction=hparams["valid_fraction"],
        min_seconds=hparams["window_samples"] / hparams["sample_rate"],
        seed=hparams["seed"],
    )
    return str(folder)


def load_windows(hparams):
    """Windows to train on and windows of other files."""
    try:
        data_folder = run_on_main(prepare, args=(hparams,))
        return [
            SpeechWindows(
                Path(hparams["save_folder"]) / f"{name}.json",
                window_samples=hparams["window_samples"],
                sample_rate=hparams["sample_rate"],
                lowpass_hz=hparams["lowpass_hz"],
                data_root=data_folder,
                max_memory_gb=hparams["max_memory_gb"],
            )
            for name in ("train", "valid")
        ]
    except ValueError as error:  # no usable speech, or a setting of the data out of range
        raise RunError(error) from error


def train(hparams, run_opts):
    """Trains, exports, and returns the monitor, which knows where things are."""
    output_folder = Path(hparams["output_folder"])
    train_windows, valid_windows = load_windows(hparams)
    real = valid_windows.fixed(2 * hparams["measured_windows"], seed=hparams["seed"])
    monitor = WindowMonitor(
        output_folder,
        real,
        train_windows.fixed(4 * hparams["measured_windows"], seed=hparams["seed"]),
        hparams["factors"],
        hparams["sample_rate"],
        hparams["cutoff_hz"],
        hparams["sample_windows"],
    )

    def on_epoch(epoch, brain):
        figures = monitor.epoch(epoch, generate(brain, hparams["measured_windows"]))
        log_to_tensorboard(brain.hparams.train_loggers[1].writer, monitor, epoch)
        return figures

    stream = training_stream(train_windows, hparams, run_opts)
    brain = WGANBrain(
        hparams["modules"],
        {**hparams, "train_loggers": training_loggers(hparams)},
        len(stream),
        on_epoch=on_epoch,
        checkpoint_key=hparams["checkpoint_key"],
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    hparams["checkpointer"].remove_partial()
    brain.fit(
        hparams["epoch_counter"],
        stream,
        torch.utils.data.DataLoader(real, batch_size=hparams["measured_windows"]),
    )
    run_on_main(finish, args=(output_folder, hparams["checkpointer"]))
    return monitor


def finish(output_folder, checkpointer):
    """Exports the newest checkpoint and writes the report."""
    # SpeechBrain's debug mode keeps its checkpoints in a folder of its own.
    export_generator(output_folder, checkpoint=checkpointer.find_checkpoint().path)
    write_report([output_folder], output_folder / "report.html")


@torch.no_grad()
def generate(brain, count, batch_size=256):
    """Windows of the averaged generator, the same latents in every epoch."""
    random = torch.Generator().manual_seed(brain.hparams.seed)
    latent = brain.hparams.generator.sample_latent(count, random).to(brain.device)
    return torch.cat([brain.generator_average(part) for part in latent.split(batch_size)])


def main(arguments):
    """Runs the recipe; settings that cannot be run end it with one line."""
    keep_cpu_fast()
    start = time.monotonic()
    try:
        hparams, run_opts, lock = begin_run(arguments, REFERENCE, check_settings)
        monitor = train(hparams, run_opts)
    except (CheckpointError, CorpusUnavailableError, FolderInUseError, HparamsError, RunError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the newest checkpoint")
    if if_main_process():
        summarise(hparams, monitor, time.monotonic() - start)
    lock.release()


def summarise(hparams, monitor, seconds):
    """Says what was made and where."""
    folder, epoch = Path(hparams["output_folder"]), hparams["epoch_counter"].current
    print(
        f"\nTrained {epoch} epochs of {hparams['iterations_per_epoch']} generator steps; "
        f"this call took {seconds / 60:.1f} min."
    )
    print(f"  report       {folder / 'report.html'}")
    print(f"  figures      {folder / 'measures.csv'}, {folder / 'train_log.txt'}")
    print(f"  TensorBoard  tensorboard --logdir {folder / 'tensorboard'}")
    print(f"  sound        {monitor.sample_path(epoch)} (real speech: {folder / 'samples' / 'real.wav'})")
    print(f"  picture      {monitor.picture_path(epoch)}")
    print(f"  generator    {folder / 'export'}")
    load = f'SpeechWindowGenerator.from_hparams(source="{folder / "export"}")'
    print(f"  load it      {load}.generate(64, seed=0)")


if __name__ == "__main__":
    main(sys.argv[1:])
