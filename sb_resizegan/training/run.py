"""The steps that all trainings share, from the command line to the output folder."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import speechbrain as sb
import torch
from speechbrain.utils.distributed import (
    ddp_barrier,
    ddp_broadcast,
    ddp_init_group,
    get_rank,
    if_main_process,
    infer_device,
    is_distributed_initialized,
)
from speechbrain.utils.run_opts import RunOptions

from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError
from sb_resizegan.inference import ModelSourceError
from sb_resizegan.training.checkpoints import CheckpointError
from sb_resizegan.training.loader import WindowStream
from sb_resizegan.training.loggers import EpochFileLogger, EpochTensorboardLogger, TrainLoggers
from sb_resizegan.utils.hparams import HparamsError, check_keys, hparams_keys, load_hparams, parse_overrides
from sb_resizegan.utils.locks import FolderInUseError, FolderLock
from sb_resizegan.utils.shipped import find_yaml

__all__ = [
    "RunError",
    "check_counts",
    "check_device",
    "experiment_folder",
    "gradient_accumulation",
    "init_processes",
    "load_settings",
    "one_line_errors",
    "parse_arguments",
    "training_loggers",
    "training_stream",
    "world_size",
]


class RunError(ValueError):
    """Settings that cannot be run."""


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Within, what a user can mend ends the process with one line; other errors stay tracebacks."""
    # On a full disk every line of the log would bring a traceback; the training itself says what is wrong.
    logging.raiseExceptions = False
    try:
        yield
    except (
        CheckpointError,
        CorpusUnavailableError,
        FolderInUseError,
        HparamsError,
        ModelSourceError,
        RunError,
    ) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        # A full disk, a folder that may not be written, a file where a folder should be.
        name = error.filename2 or error.filename  # of two, as in a copy, the second is written
        place = "" if name is None else f"{os.fspath(name)}: "
        sys.exit(f"error: {place}{' '.join(error.strerror.split())}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the newest checkpoint")


def parse_arguments(arguments: Sequence[str]) -> tuple[Path, RunOptions, str]:
    """Reads the command line as ``speechbrain.parse_arguments`` does.

    Arguments
    ---------
    arguments : sequence of str
        A yaml, its keys, SpeechBrain's run options.

    Returns
    -------
    yaml_path : Path
        The yaml: a path that exists, or the shipped file of that name.
    run_opts : speechbrain.utils.run_opts.RunOptions
        The run options. Processes without an accelerator speak through gloo.
    overrides : str
        Keys of the yaml that are to be changed.

    Raises
    ------
    RunError
        If there is no such yaml.
    """
    name, run_opts, overrides = sb.parse_arguments(list(arguments))
    if not torch.accelerator.is_available() and "distributed_backend" not in run_opts.overridden_args:
        run_opts = replace(
            run_opts,
            distributed_backend="gloo",
            overridden_args=run_opts.overridden_args | {"distributed_backend"},
        )
    try:
        return find_yaml(name), run_opts, overrides
    except FileNotFoundError as error:
        raise RunError(error) from error


def init_processes(run_opts: RunOptions) -> None:
    """Joins the processes that torchrun has started; without torchrun it does nothing.

    Raises
    ------
    RunError
        If they cannot be joined.
    """
    try:
        ddp_init_group(run_opts)
    except ValueError as error:
        raise RunError(f"torchrun: {error}") from error


def load_settings(
    yaml_path: Path, run_opts: RunOptions, overrides: str, reference: str
) -> tuple[dict[str, Any], str]:
    """Loads the yaml, with the keys that the command line changes, and checks what can be checked at once.

    Arguments
    ---------
    yaml_path : Path
        The yaml.
    run_opts : speechbrain.utils.run_opts.RunOptions
        The run options. With ``--debug``, results go to a temporary folder and replace no real ones.
    overrides : str
        From `parse_arguments()`.
    reference : str
        Name of the shipped yaml whose keys this one has to have.

    Returns
    -------
    hparams : dict
        The hyperparameters, constructed.
    resolved : str
        Their text.

    Raises
    ------
    RunError, HparamsError
        Saying what is wrong.
    """
    if run_opts["debug"] and not run_opts["debug_persistently"]:
        folder = ddp_broadcast(tempfile.mkdtemp(prefix="sb_resizegan_debug_") if if_main_process() else None)
        overrides = {**parse_overrides(overrides), "output_folder": folder}
    hparams, resolved = load_hparams(yaml_path, overrides)
    check_keys(hparams, hparams_keys(find_yaml(reference)), yaml_path)
    check_device(run_opts)
    return hparams, resolved


@contextlib.contextmanager
def experiment_folder(hparams: dict[str, Any], resolved: str, yaml_path: Path) -> Iterator[Path]:
    """Within, the output folder is there, holds the settings, and belongs to this training alone.

    Arguments
    ---------
    hparams : dict
        The hyperparameters.
    resolved : str
        Their text, which is written to ``hyperparams.yaml``.
    yaml_path : Path
        Where they come from.

    Raises
    ------
    FolderInUseError
        If another training is at work in it.
    """
    folder = Path(hparams["output_folder"])
    with FolderLock(folder) if if_main_process() else contextlib.nullcontext():
        ddp_barrier()
        sb.create_experiment_directory(folder, save_env_desc=True)
        if if_main_process():
            (folder / "hyperparams.yaml").write_text(
                f"# {yaml_path} with what it extends and the command line's overrides\n{resolved}",
                encoding="utf-8",
            )
        try:
            yield folder
        except OSError as error:
            # A write that fails does not know to which file.
            if error.errno is None or error.filename is not None:
                raise
            raise OSError(error.errno, error.strerror, str(folder)) from error


def check_device(run_opts):
    """Raises a `RunError` for a device that isn't there or does not take the precision."""
    device = run_opts["device"]
    if device is not None:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise RunError(f"--device {device}: not available here ({str(error).splitlines()[0]})") from error
    if "fp16" in (run_opts["precision"], run_opts["eval_precision"]) and (device or infer_device()) == "cpu":
        raise RunError("--precision fp16: expected a GPU; a CPU takes bf16")


def check_counts(hparams, lowest):
    """Raises a `RunError` unless keys hold integers that are large enough, and ``seed`` is one.

    Arguments
    ---------
    hparams : dict
        The hyperparameters.
    lowest : dict of str to int
        The smallest value of each key.
    """
    for key, least in lowest.items():
        if type(hparams[key]) is not int or hparams[key] < least:
            raise RunError(f"{key}: expected an integer of at least {least}, but got {hparams[key]!r}")
    if type(hparams["seed"]) is not int or not 0 <= hparams["seed"] < 2**32:
        raise RunError(f"seed: expected a whole number from 0 to 2**32 - 1, but got {hparams['seed']!r}")


def gradient_accumulation(hparams, run_opts):
    """Batches in an optimizer step, from the command line or the yaml."""
    key = "grad_accumulation_factor"
    return run_opts[key] if key in run_opts.overridden_args else hparams.get(key, 1)


def training_loggers(hparams):
    """What a run writes its figures to, at the end of every epoch: ``train_log.txt`` and TensorBoard."""
    folder = Path(hparams["output_folder"])
    return TrainLoggers(
        EpochFileLogger(folder / "train_log.txt", precision=4),
        EpochTensorboardLogger(folder / "tensorboard"),
    )


def training_stream(source, hparams, run_opts):
    """Batches of an epoch for this process; the checkpointer keeps its place in them.

    Arguments
    ---------
    source : object
        What a `WindowStream` draws from.
    hparams : dict
        The hyperparameters.
    run_opts : speechbrain.utils.run_opts.RunOptions
        The run options.

    Returns
    -------
    WindowStream
        As long as the epoch.
    """
    steps = hparams["iterations_per_epoch"] * (hparams["critic_steps"] + 1)
    stream = WindowStream(
        source,
        hparams["batch_size"],
        steps * gradient_accumulation(hparams, run_opts),
        seed=hparams["seed"],
        rank=get_rank() or 0,
        world_size=world_size(),
        num_workers=hparams["num_workers"],
        pin_memory=torch.device(run_opts["device"] or infer_device()).type != "cpu",
    )
    hparams["checkpointer"].add_recoverable("train_stream", stream)
    return stream


def world_size():
    """Processes that train together."""
    return torch.distributed.get_world_size() if is_distributed_initialized() else 1
