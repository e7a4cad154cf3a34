"""What cannot be run, found before any data are touched; and which checkpoint is the best."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.distributed import infer_device

from sb_resizegan.metrics.measures import direction
from sb_resizegan.training.figures import figures_of

__all__ = [
    "RunError",
    "best_checkpoint",
    "check_device",
    "check_figure",
    "check_workers",
    "higher_is_better",
    "usual_workers",
]

# The figure of the shipped yamls of windows; to see which others there are takes seconds.
ALWAYS_MEASURED = ("windows", "frechet_log_mel")
MOST_WORKERS = 8


class RunError(ValueError):
    """Settings that cannot be run."""


def check_device(run_opts: Any) -> None:
    """Raises a `RunError` for a device that isn't there or does not take the precision."""
    device = run_opts["device"]
    if device is not None:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise RunError(f"--device {device}: not available here ({str(error).splitlines()[0]})") from error
    if "fp16" in (run_opts["precision"], run_opts["eval_precision"]) and (device or infer_device()) == "cpu":
        raise RunError("--precision fp16: expected a GPU; a CPU takes bf16")


def usual_workers(device: torch.device) -> int:
    """How many processes mix for one that trains, where the yaml leaves it open.

    Arguments
    ---------
    device : torch.device
        Of the training. A CPU has its cores busy with that.

    Returns
    -------
    int
        0 for a CPU; else the cores of this machine shared out to its processes, less one each, and 8 at most.

    Example
    -------
    >>> usual_workers(torch.device("cpu"))
    0
    """
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return max(0, min(MOST_WORKERS, cores - 1))


def check_workers(count: int | None) -> None:
    """Raises a `RunError` for more processes that prepare batches than could help.

    Example
    -------
    >>> check_workers(900)
    Traceback (most recent call last):
    sb_resizegan.training.run_checks.RunError: num_workers: expected at most ...
    """
    cores = len(os.sched_getaffinity(0))
    if count is not None and count > 2 * cores:
        raise RunError(
            f"num_workers: expected at most {2 * cores}, two for each of the {cores} cores that this process "
            f"may use, but got {count}: each is a process that loads the package"
        )


def check_figure(values: Mapping[str, Any], task: str) -> None:
    """Raises a `RunError` unless ``checkpoint_key`` is a figure of the training that has a better end.

    Arguments
    ---------
    values : dict
        The plain settings.
    task : str
        ``windows``, ``enhancement`` or ``vocoder``.
    """
    key = values["checkpoint_key"]
    if key is None or (task, key) == ALWAYS_MEASURED:
        return
    known = [name for name in figures_of(values, task) if direction(name)]
    if key not in known:
        raise RunError(
            f"checkpoint_key: expected null or a figure of this training of which higher or lower is better "
            f"({', '.join(known)}), but got {key!r}"
        )


def higher_is_better(key: str | None) -> bool:
    """Whether the best checkpoint by a figure is the one in which it is highest.

    Example
    -------
    >>> higher_is_better("pesq_wb"), higher_is_better("objective"), higher_is_better(None)
    (True, False, False)
    """
    return key is not None and direction(key) == "higher"


def best_checkpoint(checkpointer: Checkpointer, key: str | None) -> Path:
    """The checkpoint in which a figure is best, by the direction of its measure; the newest without a key.

    Arguments
    ---------
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
        It has one at least.
    key : str, optional
        Of the checkpoints' meta data.

    Returns
    -------
    Path
        Its folder.
    """
    search = {} if key is None else {"max_key" if higher_is_better(key) else "min_key": key}
    return Path(checkpointer.find_checkpoint(**search).path)
