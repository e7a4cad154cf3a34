"""How every training recipe begins: it reads and checks the settings and takes the output folder."""

import tempfile
from dataclasses import replace
from pathlib import Path

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

from sb_resizegan.training.loader import WindowStream
from sb_resizegan.training.loggers import EpochFileLogger, EpochTensorboardLogger
from sb_resizegan.utils.hparams import check_keys, hparams_keys, load_hparams, parse_overrides
from sb_resizegan.utils.locks import FolderLock

__all__ = [
    "RunError",
    "begin_run",
    "check_counts",
    "check_device",
    "gradient_accumulation",
    "training_loggers",
    "training_stream",
    "world_size",
]


class RunError(ValueError):
    """Settings that cannot be run."""


def begin_run(arguments, reference, check):
    """Reads the command line and the yaml, checks them, and makes the output folder.

    Arguments
    ---------
    arguments : list of str
        The command line: a yaml, its keys, SpeechBrain's run options.
    reference : str or Path
        The yaml whose keys every other one has to have.
    check : callable
        Of the hyperparameters and the run options; raises a :class:`RunError` for what cannot be run.

    Returns
    -------
    hparams : dict
        The hyperparameters.
    run_opts : speechbrain.utils.run_opts.RunOptions
        The run options.
    lock : FolderLock
        Held on the output folder (main process only).

    Raises
    ------
    RunError, HparamsError, FolderInUseError
        Saying what is wrong.
    """
    yaml_path, run_opts, overrides = sb.parse_arguments(arguments)
    if not torch.accelerator.is_available() and "distributed_backend" not in run_opts.overridden_args:
        run_opts = replace(
            run_opts,
            distributed_backend="gloo",
            overridden_args=run_opts.overridden_args | {"distributed_backend"},
        )
    try:
        ddp_init_group(run_opts)
    except ValueError as error:
        raise RunError(f"torchrun: {error}") from error
    if run_opts["debug"] and not run_opts["debug_persistently"]:
        # A debug run must not replace the results of a real one.
        folder = ddp_broadcast(tempfile.mkdtemp(prefix="sb_resizegan_debug_") if if_main_process() else None)
        overrides = {**parse_overrides(overrides), "output_folder": folder}
    hparams, resolved = load_hparams(yaml_path, overrides)
    check_keys(hparams, hparams_keys(reference), yaml_path)
    check_device(run_opts)
    check(hparams, run_opts)
    lock = FolderLock(hparams["output_folder"])
    if if_main_process():
        lock.acquire()
    ddp_barrier()
    sb.create_experiment_directory(hparams["output_folder"], save_env_desc=True)
    if if_main_process():
        (Path(hparams["output_folder"]) / "hyperparams.yaml").write_text(
            f"# {yaml_path} with what it extends and the command line's overrides\n{resolved}",
            encoding="utf-8",
        )
    return hparams, run_opts, lock


def check_device(run_opts):
    """Raises a :class:`RunError` for a device that isn't there or does not take the precision."""
    device = run_opts["device"]
    if device is not None:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise RunError(f"--device {device}: not available here ({str(error).splitlines()[0]})") from error
    if "fp16" in (run_opts["precision"], run_opts["eval_precision"]) and (device or infer_device()) == "cpu":
        raise RunError("--precision fp16: expected a GPU; a CPU takes bf16")


def check_counts(hparams, lowest):
    """Raises a :class:`RunError` unless keys hold integers that are large enough, and ``seed`` is one.

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
    return [
        EpochFileLogger(folder / "train_log.txt", precision=4),
        EpochTensorboardLogger(folder / "tensorboard"),
    ]


def training_stream(source, hparams, run_opts):
    """Batches of an epoch for this process; the checkpointer keeps its place in them.

    Arguments
    ---------
    source : object
        What a :class:`~sb_resizegan.training.loader.WindowStream` draws from.
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
    )
    hparams["checkpointer"].add_recoverable("train_stream", stream)
    return stream


def world_size():
    """Processes that train together."""
    return torch.distributed.get_world_size() if is_distributed_initialized() else 1
