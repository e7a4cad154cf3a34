"""Latents of an utterance without end, and the pass of a generator over a stretch of one."""

from typing import Any

import torch

from sb_resizegan.utils.random import derive_seed

__all__ = ["SeededLatents", "enhance_stretch"]

LATENT_FRAMES = 1024


class SeededLatents:
    """Latents of an utterance without end, any stretch of which can be had for itself.

    They depend on the seed and on the time since the utterance's beginning, and on nothing else: a file has
    the same in one pass and in chunks, alone and in a batch.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.
    seed : int
        Of all draws.
    draw : int
        Number of the draw.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> draw = lambda batch, time, random: torch.randn(batch, 4, time // 256, generator=random)
    >>> generator = SimpleNamespace(latent_dim=4, latent_hop=256, sample_latent=draw)
    >>> latents = SeededLatents(generator, seed=0, draw=0)
    >>> bool((latents.frames(0, 3000)[..., 2000:2100] == latents.frames(2000, 100)).all())
    True
    """

    def __init__(self, generator: Any, seed: int, draw: int) -> None:
        self._generator = generator
        self._parts = (seed, "enhance", draw)

    def frames(self, first: int, count: int) -> torch.Tensor | None:
        """``count`` frames from frame ``first`` on, ``(1, latent_dim, count)``; None without any."""
        if not self._generator.latent_dim:
            return None
        pieces = range(first // LATENT_FRAMES, (first + count - 1) // LATENT_FRAMES + 1)
        time = LATENT_FRAMES * self._generator.latent_hop
        drawn = [
            self._generator.sample_latent(
                1, time, torch.Generator().manual_seed(derive_seed(*self._parts, piece))
            )
            for piece in pieces
        ]
        return torch.cat(drawn, dim=-1)[..., first - pieces[0] * LATENT_FRAMES :][..., :count]


@torch.no_grad()
def enhance_stretch(
    generator: Any,
    noisy: torch.Tensor,
    latents: SeededLatents,
    first_frame: int = 0,
    level: torch.Tensor | None = None,
) -> torch.Tensor:
    """One pass over utterances, or over the same stretch of each; silence stays silence.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.
    noisy : torch.Tensor
        ``(batch, time)``, float32, on the generator's device.
    latents : SeededLatents
        The same for all of the batch.
    first_frame : int
        Latent frame in which the stretch begins.
    level : torch.Tensor, optional
        ``(batch,)``, root mean square of the whole utterances.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``, float32.

    Example
    -------
    >>> from sb_resizegan.models.waveform_generator import WaveformGenerator
    >>> generator = WaveformGenerator(latent_dim=0)
    >>> enhance_stretch(generator, torch.zeros(2, 4000), SeededLatents(generator, 0, 0)).any().item()
    False
    """
    latent = latents.frames(first_frame, generator.latent_frames(noisy.shape[1]))
    if latent is not None:
        latent = latent.expand(len(noisy), -1, -1)
    enhanced = generator(noisy, latent, level).float()
    return torch.where(noisy.any(dim=1, keepdim=True), enhanced, 0.0)
