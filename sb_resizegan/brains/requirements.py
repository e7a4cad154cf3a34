"""What an adversarial training has to be given."""

from collections.abc import Mapping
from typing import Any

import torch

HPARAMS = (
    "seed",
    "loss",
    "critic_steps",
    "critic_optimizer",
    "generator_optimizer",
    "learning_rate_schedule",
    "average_decay",
)


def check_requirements(modules: Mapping[str, torch.nn.Module], hparams: Mapping[str, Any]) -> None:
    """Raises a ``ValueError`` for a module or a hyperparameter that is missing, or negative critic steps.

    Arguments
    ---------
    modules : dict
        Networks by name.
    hparams : dict
        Hyperparameters.

    Example
    -------
    >>> check_requirements({"generator": None}, dict.fromkeys(HPARAMS, 1))
    Traceback (most recent call last):
    ...
    ValueError: modules: expected ['generator', 'critic'], but got ['generator']
    """
    missing = [key for key in HPARAMS if key not in hparams]
    if missing:
        raise ValueError(f"hparams: expected {list(HPARAMS)}, but {missing} are missing")
    critic_steps = hparams["critic_steps"]
    if critic_steps < 0:
        raise ValueError(f"critic_steps: expected at least 0, but got {critic_steps}")
    needed = ["generator", "critic"] if critic_steps else ["generator"]
    if any(name not in modules for name in needed):
        raise ValueError(f"modules: expected {needed}, but got {sorted(modules)}")
