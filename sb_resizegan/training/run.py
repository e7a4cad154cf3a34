"""The steps that all trainings share, from the command line to the output folder."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from speechbrain.utils.train_logger import TrainLogger

from sb_resizegan.dataio.batch_source import BatchSource
from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError
from sb_resizegan.inference import ModelSourceError
from sb_resizegan.training.checkpoints import CheckpointError
from sb_resizegan.training.loader import WindowStream
from sb_resizegan.training.loggers import EpochFileLogger, EpochTensorboardLogger, TrainLoggers
from sb_resizegan.training.run_checks import (
    RunError,
    check_device,
    check_figure,
    check_workers,
    usual_workers,
)
from sb_resizegan.training.settings_file import load_training
from sb_resizegan.utils.command_line import CommandLine, split_command_line
from sb_resizegan.utils.locks import FolderInUseError, FolderLock
from sb_resizegan.utils.shipped import find_yaml
from sb_resizegan.utils.yaml_files import HparamsError

__all__ = [
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


def parse_arguments(arguments: Sequence[str]) -> CommandLine:
    """Reads a training's command line.

    Arguments
    ---------
    arguments : sequence of str
        A yaml, its keys, SpeechBrain's run options.

    Returns
    -------
    CommandLine
        The yaml, a path that exists; the run options, with gloo for processes without an accelerator; values
        of the yaml's keys, not yet typed.

    Raises
    ------
    HparamsError
        If there is no such yaml, or for a word that is no option.
    """
    name, run_opts, overrides = split_command_line(arguments)
    if not torch.accelerator.is_available() and "distributed_backend" not in run_opts.overridden_args:
        run_opts = replace(
            run_opts,
            distributed_backend="gloo",
            overridden_args=run_opts.overridden_args | {"distributed_backend"},
        )
    try:
        return CommandLine(str(find_yaml(name)), run_opts, overrides)
    except FileNotFoundError as error:
        raise HparamsError(error) from error


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
    command: CommandLine, task: str, check: Callable[[dict[str, Any], RunOptions], None]
) -> tuple[dict[str, Any], str]:
    """Loads the yaml, with the keys that the command line changes, and checks what can be checked at once.

    Arguments
    ---------
    command : CommandLine
        From `parse_arguments()`. With ``--debug``, results go to a temporary folder and replace no real
        ones.
    task : str
        What the yaml has to be for: ``windows``, ``enhancement`` or ``vocoder``.
    check : callable
        Called with the plain values and the run options before anything is constructed; raises a
        `RunError` for what cannot be run.

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
    run_opts, overrides = command.run_opts, dict(command.overrides)
    if run_opts["debug"] and not run_opts["debug_persistently"]:
        folder = tempfile.mkdtemp(prefix="sb_resizegan_debug_") if if_main_process() else None
        overrides["output_folder"] = ddp_broadcast(folder)

    def check_all(values: dict[str, Any]) -> None:
        check_device(run_opts)
        check_workers(values["num_workers"])
        check_figure(values, task)
        check(values, run_opts)

    return load_training(command.yaml, task, overrides, check_all)


@contextlib.contextmanager
def experiment_folder(hparams: dict[str, Any], resolved: str, yaml_path: str | os.PathLike) -> Iterator[Path]:
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


def gradient_accumulation(hparams: Mapping[str, Any], run_opts: Any) -> int:
    """Batches in an optimizer step, from the command line or the yaml."""
    key = "grad_accumulation_factor"
    return run_opts[key] if key in run_opts.overridden_args else hparams.get(key, 1)


def training_loggers(hparams: Mapping[str, Any]) -> TrainLoggers:
    """What a run writes its figures to, at the end of every epoch: ``train_log.txt``, TensorBoard, and the
    ``loggers`` of the yaml, one or a list."""
    folder, others = Path(hparams["output_folder"]), hparams.get("loggers") or []
    others = others if isinstance(others, list) else [others]
    for log in others:
        if not isinstance(log, TrainLogger):
            raise RunError(
                f"loggers: expected objects of speechbrain.utils.train_logger.TrainLogger, but got {log!r}"
            )
    return TrainLoggers(
        EpochFileLogger(folder / "train_log.txt", precision=4),
        EpochTensorboardLogger(folder / "tensorboard"),
        others,
    )


def training_stream(source: BatchSource, hparams: Mapping[str, Any], run_opts: Any) -> WindowStream:
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
    device = torch.device(run_opts["device"] or infer_device())
    workers = hparams["num_workers"]
    stream = WindowStream(
        source,
        hparams["batch_size"],
        steps * gradient_accumulation(hparams, run_opts),
        seed=hparams["seed"],
        rank=get_rank() or 0,
        world_size=world_size(),
        num_workers=usual_workers(device) if workers is None else workers,
        pin_memory=device.type != "cpu",
    )
    hparams["checkpointer"].add_recoverable("train_stream", stream)
    return stream


def world_size() -> int:
    """Processes that train together."""
    return torch.distributed.get_world_size() if is_distributed_initialized() else 1
