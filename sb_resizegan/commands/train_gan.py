"""Train a generator of speech windows as a Wasserstein GAN, in the order of a SpeechBrain recipe."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from speechbrain.utils.distributed import if_main_process, run_on_main

from sb_resizegan.brains import WGANBrain
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.windows import SpeechWindows
from sb_resizegan.report.windows_page import write_report
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.export import export_generator
from sb_resizegan.training.run import (
    RunError,
    check_counts,
    experiment_folder,
    init_processes,
    load_settings,
    one_line_errors,
    parse_arguments,
    training_loggers,
    training_stream,
)
from sb_resizegan.training.window_monitor import WindowMonitor


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command; settings that cannot be run end it with one line.

    Arguments
    ---------
    arguments : sequence of str, optional
        A yaml, its keys, SpeechBrain's run options; those of the process by default.
    """
    keep_cpu_fast()
    start = time.monotonic()
    with one_line_errors():
        yaml_path, run_opts, overrides = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        init_processes(run_opts)
        hparams, resolved = load_settings(yaml_path, run_opts, overrides, "resize.yaml")
        check_settings(hparams, run_opts)
        with experiment_folder(hparams, resolved, yaml_path) as folder:
            train_windows, valid_windows = load_windows(hparams)
            real = valid_windows.fixed(2 * hparams["measured_windows"], seed=hparams["seed"])
            monitor = make_monitor(folder, hparams, real, train_windows)
            stream = training_stream(train_windows, hparams, run_opts)
            brain = WGANBrain(
                hparams["modules"],
                {**hparams, "train_loggers": training_loggers(hparams)},
                len(stream),
                on_epoch=lambda epoch, brain: measure_epoch(epoch, brain, monitor),
                checkpoint_key=hparams["checkpoint_key"],
                run_opts=run_opts,
                checkpointer=hparams["checkpointer"],
            )
            hparams["checkpointer"].remove_partial()
            brain.fit(
                hparams["epoch_counter"],
                stream,
                torch.utils.data.DataLoader(real, batch_size=min(256, hparams["measured_windows"])),
            )
            run_on_main(finish, args=(folder, hparams["checkpointer"]))
            if if_main_process():
                summarise(hparams, monitor, time.monotonic() - start)


def check_settings(hparams, run_opts):
    """Raises a `RunError` for settings that would fail, or mean nothing, after minutes."""
    counts = ("number_of_epochs", "iterations_per_epoch", "batch_size", "sample_windows", "log_every")
    # The energy distance needs no critic.
    fewest = 0 if hparams["energy_weight"] else 1
    check_counts(hparams, {**dict.fromkeys(counts, 1), "critic_steps": fewest})
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
        raise RunError("--test_only: there is no test stage; `sb-resizegan measure` measures a generator")


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


def make_monitor(folder, hparams, real, train_windows):
    """What measures the generator at the end of each epoch."""
    return WindowMonitor(
        folder,
        real,
        train_windows.fixed(4 * hparams["measured_windows"], seed=hparams["seed"]),
        hparams["factors"],
        hparams["sample_rate"],
        hparams["cutoff_hz"],
        hparams["sample_windows"],
    )


def measure_epoch(epoch, brain, monitor):
    """Measures, pictures and sounds of an epoch; returns the figures."""
    figures = monitor.epoch(epoch, generate(brain, brain.hparams.measured_windows))
    monitor.log(brain.hparams.train_loggers.tensorboard.writer, epoch)
    return figures


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
