"""Loaded models as the functions that a test scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError

__all__ = ["as_sampler", "as_system", "load_system"]

SAMPLE_RATE = 16000


def load_system(source: str | Path, device: str | torch.device, trust: bool = False) -> GenerativeEnhancement:
    """Loads an enhancer for 16 kHz.

    Arguments
    ---------
    source : str or Path
        Folder of an exported model, or the name of one.
    device : str or torch.device
        Where it goes.
    trust : bool
        Construct whatever its yaml names.

    Returns
    -------
    GenerativeEnhancement

    Raises
    ------
    ModelSourceError
        If there is no such model, or it is for another sampling rate.
    """
    model = GenerativeEnhancement.from_hparams(
        source=str(source), run_opts={"device": str(device)}, trust=trust
    )
    if model.sample_rate != SAMPLE_RATE:
        raise ModelSourceError(
            f"{source}: expected a model for {SAMPLE_RATE} Hz, which PESQ needs, but it is for "
            f"{model.sample_rate} Hz"
        )
    return model


def as_system(model: Any, seed: int = 0) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function that enhances a batch ``(batch, time)``, with the same latents each time."""
    return lambda noisy: model.enhance_batch(noisy, seed=seed)


def as_sampler(model: Any, seed: int = 0) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function that enhances copies ``(copies, time)`` of one utterance, each with a latent of its own."""
    return lambda copies: model.enhance_batch(copies[:1], seed=seed, num_samples=len(copies))[:, 0]
