"""Modules as a Brain holds them: inside wrappers, compiled, frozen for a step; their gradients."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parallel import DataParallel, DistributedDataParallel


def without_ddp(module: Any) -> Any:
    """The module that a distributed wrapper holds, or the module itself; a compiled module stays compiled."""
    return module.module if isinstance(module, DistributedDataParallel | DataParallel) else module


def unwrap(module: Any) -> Any:
    """The bare module, without distributed wrapper and without compilation."""
    module = without_ddp(module)
    return getattr(module, "_orig_mod", module)


@contextlib.contextmanager
def frozen(module: torch.nn.Module) -> Iterator[None]:
    """Within, the module's parameters take no gradients."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def compiled_modules(keys: list[str] | None) -> list[str]:
    """The modules that ``--compile`` compiles: those that were asked for, by default the generator.

    Raises
    ------
    ValueError
        If the critic is among them.
    """
    keys = ["generator"] if keys is None else keys
    if "critic" in keys:
        raise ValueError(
            "--compile_module_keys: the critic cannot be compiled, for torch.compile has no "
            "double backward for the gradient penalty; compile the generator alone (--compile)"
        )
    return keys
