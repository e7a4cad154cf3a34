"""Utterances of different lengths in one batch, each enhanced as if it were alone."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sb_resizegan.models.dual_path import DualPathBlock
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.nnet.utterance_level import utterance_level, valid_samples

__all__ = ["enhance_padded", "takes_padding"]


def takes_padding(generator: nn.Module) -> bool:
    """Whether a generator can enhance utterances of different lengths together.

    In the spectrum, zeros behind an utterance change nothing but what comes to the recurrent layers from the
    future. That can be helped (`enhance_padded()`). What a convolution in time makes of the padding, or a
    level that is followed in both directions, cannot.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.

    Returns
    -------
    bool

    Example
    -------
    >>> from sb_resizegan.models.waveform_generator import WaveformGenerator
    >>> takes_padding(SpectralGenerator()), takes_padding(WaveformGenerator())
    (True, False)
    """
    causal = bool(getattr(generator, "causal", False))
    return isinstance(generator, SpectralGenerator) and (type(generator) is SpectralGenerator or causal)


@torch.no_grad()
def enhance_padded(
    generator: SpectralGenerator, noisy: torch.Tensor, samples: Sequence[int], latents: Sequence[Any]
) -> torch.Tensor:
    """Enhances utterances of different lengths together.

    Arguments
    ---------
    generator : SpectralGenerator
        One that `takes_padding()`.
    noisy : torch.Tensor
        ``(batch, time)``, the longest utterance first, zeros behind each.
    samples : sequence of int
        How long each is.
    latents : sequence of torch.Tensor or None
        Of each utterance as it has them alone, ``(1, latent_dim, latent_frames(samples))``; None without any.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``: each row up to its length as from the utterance alone, to rounding; zeros behind.

    Raises
    ------
    ValueError
        If the utterances are not in order.

    Example
    -------
    >>> generator = SpectralGenerator(channels=8, time_units=8, band_units=8, blocks=1, latent_dim=0)
    >>> noisy = torch.randn(2, 4000)
    >>> noisy[1, 2500:] = 0
    >>> both = enhance_padded(generator, noisy, [4000, 2500], [None, None])
    >>> bool((both[1, :2500] - generator(noisy[1:, :2500])[0]).abs().max() < 1e-5)
    True
    """
    if list(samples) != sorted(samples, reverse=True):
        raise ValueError(f"samples: expected the longest utterance first, but got {list(samples)}")
    lengths = torch.tensor(samples, dtype=torch.float64) / noisy.shape[1]
    valid = valid_samples(lengths, noisy)
    level = generator.level(noisy) if generator.causal else utterance_level(noisy, valid).squeeze(1)
    latent = None
    if generator.latent_dim:
        frames = generator.latent_frames(noisy.shape[1])
        # The last vector serves the last frame too, as it does alone.
        parts = [torch.cat([own, own[..., -1:].expand(-1, -1, frames)], dim=2) for own in latents]
        latent = torch.cat([part[..., :frames] for part in parts])
    with _ends_of_utterances(generator, samples):
        enhanced = generator(noisy, latent, level).float()
    places = torch.arange(noisy.shape[1], device=noisy.device)
    return torch.where(places < valid.unsqueeze(1), enhanced, 0.0)


@contextlib.contextmanager
def _ends_of_utterances(generator: SpectralGenerator, samples: Sequence[int]) -> Iterator[None]:
    """Within, the recurrent layers along time begin their way back where each utterance ends."""
    frames = [-(-length // generator.hop) + 1 for length in samples]
    hooks: list[Any] = []
    for block in cast("Iterable[DualPathBlock]", generator.blocks) if len(set(frames)) > 1 else ():
        recurrent = block.time_path.recurrent
        if recurrent.bidirectional:
            hooks += [
                recurrent.register_forward_pre_hook(_packing(frames)),
                recurrent.register_forward_hook(_unpacking(max(frames))),
            ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _packing(frames: Sequence[int]) -> Callable:
    def pack(_: nn.Module, inputs: tuple) -> tuple:
        # The rows are the bands of the first utterance, of the second, and so on.
        bands = inputs[0].shape[1] // len(frames)
        lengths = torch.tensor(frames).repeat_interleave(bands)
        return pack_padded_sequence(inputs[0], lengths), *inputs[1:]

    return pack


def _unpacking(frames: int) -> Callable:
    def unpack(_: nn.Module, inputs: tuple, outputs: tuple) -> tuple:
        return pad_packed_sequence(outputs[0], total_length=frames)[0], outputs[1]

    return unpack
