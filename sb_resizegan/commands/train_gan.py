"""Train a generator of speech windows as a Wasserstein GAN, in the order of a SpeechBrain recipe."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from speechbrain.utils.distributed import if_main_process, run_on_main

from sb_resizegan.brains import WGANBrain
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.prepare.sources import PROMPTS
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.prepare.tars import is_tar, unpacked
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.report.windows_page import write_report
from sb_resizegan.training.checkpoint_export import export_generator
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.fitting import fit_brain
from sb_resizegan.training.run import (
    experiment_folder,
    init_processes,
    load_settings,
    one_line_errors,
    parse_arguments,
    training_stream,
)
from sb_resizegan.training.run_checks import RunError, best_checkpoint
from sb_resizegan.training.window_monitor import WindowMonitor

DEFAULT_CORPUS = f"{PROMPTS}en"


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
        command = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        run_opts = command.run_opts
        init_processes(run_opts)
        hparams, resolved = load_settings(command, "windows", check_settings)
        with experiment_folder(hparams, resolved, command.yaml) as folder:
            train_windows, valid_windows = load_windows(hparams)
            real = valid_windows.fixed(2 * hparams["measured_windows"], seed=hparams["seed"])
            monitor = make_monitor(folder, hparams, real, train_windows)
            stream = training_stream(train_windows, hparams, run_opts)
            valid = torch.utils.data.DataLoader(
                cast(torch.utils.data.Dataset, real), batch_size=min(256, hparams["measured_windows"])
            )
            fit_brain(
                WGANBrain,
                hparams,
                run_opts,
                stream,
                valid,
                on_epoch=lambda epoch, brain: measure_epoch(epoch, brain, monitor),
            )
            run_on_main(finish, args=(folder, hparams))
            if if_main_process():
                summarise(hparams, monitor, time.monotonic() - start)


def check_settings(values: Mapping[str, Any], run_opts: Any) -> None:
    """Raises a `RunError` for settings that would fail, or mean nothing, after minutes."""
    # The energy distance needs no critic.
    if values["critic_steps"] == 0 and not values["energy_weight"]:
        raise RunError("critic_steps: expected an integer of at least 1, but got 0 beside energy_weight 0")
    if values["measured_windows"] < values["sample_windows"]:
        raise RunError(
            f"measured_windows: expected at least sample_windows ({values['sample_windows']}), "
            f"but got {values['measured_windows']}"
        )
    nyquist = values["sample_rate"] / 2
    for key in ("lowpass_hz", "cutoff_hz"):
        if values[key] is not None and values[key] >= nyquist:
            raise RunError(
                f"{key}: expected null or a frequency in Hz between 0 and {nyquist:g}, "
                f"but got {values[key]!r}"
            )
    folder = values["data_folder"]
    elsewhere = folder is None or folder.startswith(PROMPTS) or is_tar(folder)
    if not elsewhere and not Path(folder).exists():
        raise RunError(
            f"data_folder: expected a folder or a list of speech, tars, or {PROMPTS}LANGUAGE, "
            f"but got {folder!r}"
        )
    if run_opts["test_only"]:
        raise RunError("--test_only: there is no test stage; `sb-resizegan measure` measures a generator")


def prepare(hparams: Mapping[str, Any]) -> str:
    """Makes manifests of the speech, of the default corpus if none is given; returns its folder."""
    folder = hparams["data_folder"] or DEFAULT_CORPUS
    if folder.startswith(PROMPTS):
        folder = prepare_default_corpus(folder.removeprefix(PROMPTS))
    if is_tar(folder):
        folder = unpacked(folder)
    prepare_speech(
        folder,
        hparams["save_folder"],
        sample_rate=hparams["sample_rate"],
        valid_fraction=hparams["valid_fraction"],
        min_seconds=hparams["window_samples"] / hparams["sample_rate"],
        seed=hparams["seed"],
    )
    return str(folder if Path(folder).is_dir() else Path(folder).parent)


def load_windows(hparams: Mapping[str, Any]) -> list[SpeechWindows]:
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
    except (
        ValueError,
        FileNotFoundError,
    ) as error:  # no usable speech, a list of some other kind, or a setting of the data out of range
        raise RunError(error) from error


def make_monitor(
    folder: Path, hparams: Mapping[str, Any], real: torch.Tensor, train_windows: SpeechWindows
) -> WindowMonitor | None:
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


def measure_epoch(epoch: int, brain: Any, monitor: Any) -> Mapping[str, float]:
    """Measures, pictures and sounds of an epoch; returns the figures."""
    figures = monitor.epoch(epoch, generate(brain, brain.hparams.measured_windows))
    monitor.log(brain.hparams.train_loggers.tensorboard.writer, epoch)
    return figures


def finish(output_folder: Path, hparams: Mapping[str, Any]) -> None:
    """Exports the best checkpoint and writes the report."""
    # SpeechBrain's debug mode keeps its checkpoints in a folder of its own.
    best = best_checkpoint(hparams["checkpointer"], hparams["checkpoint_key"])
    export_generator(output_folder, checkpoint=best)
    write_report([output_folder], output_folder / "report.html")


@torch.no_grad()
def generate(brain: Any, count: int, batch_size: int = 256) -> torch.Tensor:
    """Windows of the averaged generator, the same latents in every epoch."""
    random = torch.Generator().manual_seed(brain.hparams.seed)
    latent = brain.hparams.generator.sample_latent(count, random).to(brain.device)
    return torch.cat([brain.generator_average(part) for part in latent.split(batch_size)])


def summarise(hparams: Mapping[str, Any], monitor: Any, seconds: float) -> None:
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
