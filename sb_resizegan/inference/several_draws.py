"""What is made of several draws for one recording: one result, and how sure it is."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from sb_resizegan.metrics.lost_regions import spread_map_db

__all__ = [
    "REDUCTIONS",
    "Confidence",
    "best_draw",
    "check_draws",
    "confidence_of",
    "draw_distances",
    "reduced",
]

REDUCTIONS = ("mean", "best")
USUAL_DRAWS = 8
N_FFT, HOP = 512, 256
COMPRESSION = 0.3


class Confidence(NamedTuple):
    """How far several draws for a recording differ: little where the model is sure, much where it invents."""

    spread_db: torch.Tensor
    """``(…, bins, frames)``: standard deviation over draws of each bin's magnitude, in dB. Bins are those of
    512 samples, frames 256 samples apart."""

    per_second: torch.Tensor
    """``(…, seconds)``: root mean square of the map over each second, in dB; the last may be shorter."""


def check_draws(
    generator: Any, num_samples: int | None, reduce: str | None = None, confidence: bool = False
) -> int:
    """How many draws are to be made.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.
    num_samples : int, optional
        As the user gave it.
    reduce : str, optional
        One of `REDUCTIONS`.
    confidence : bool
        Whether the draws are to be compared.

    Returns
    -------
    int
        ``num_samples``; without it 1, or 8 if ``confidence``.

    Raises
    ------
    ValueError
        For a number below 1, or 2 if ``confidence``; a word that is no reduction, or one without a number;
        ``confidence`` of a deterministic model.

    Example
    -------
    >>> from types import SimpleNamespace
    >>> check_draws(SimpleNamespace(latent_dim=4), None, confidence=True)
    8
    >>> check_draws(SimpleNamespace(latent_dim=0), 8, confidence=True)
    Traceback (most recent call last):
    ValueError: confidence: expected a model with latents, but this one is deterministic: ...
    """
    if num_samples is not None and num_samples < 1:
        raise ValueError(f"num_samples: expected at least 1, but got {num_samples}")
    if reduce is not None and reduce not in REDUCTIONS:
        raise ValueError(f"reduce: expected one of {', '.join(REDUCTIONS)}, but got {reduce!r}")
    if reduce is not None and num_samples is None:
        raise ValueError(f"num_samples: expected a number of draws beside reduce={reduce!r}, but got None")
    if confidence and not generator.latent_dim:
        raise ValueError(
            "confidence: expected a model with latents, but this one is deterministic: all draws are the same"
        )
    if confidence and num_samples == 1:
        raise ValueError("num_samples: expected at least 2 for confidence, but got 1")
    return num_samples or (USUAL_DRAWS if confidence else 1)


def reduced(draws: torch.Tensor, reduce: str) -> torch.Tensor:
    """One result of several draws.

    ``mean`` is their average, sample by sample: the estimate with the least expected square error, dull where
    draws differ in phase. ``best`` is, for each utterance, the draw that is nearest to all others by
    `draw_distances()`: as lively as any draw, and the least peculiar.

    Arguments
    ---------
    draws : torch.Tensor
        ``(draws, batch, time)``.
    reduce : str
        One of `REDUCTIONS`.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``.

    Example
    -------
    >>> draws = torch.tensor([1.0, 2.0, 9.0])[:, None, None] * torch.ones(3, 1, 800)
    >>> float(reduced(draws, "mean")[0, 0]), float(reduced(draws, "best")[0, 0])
    (4.0, 2.0)
    """
    if reduce == "mean":
        return draws.mean(0)
    rows = [draws[:, row] for row in range(draws.shape[1])]
    return torch.stack([row[int(draw_distances(row).sum(1).argmin())] for row in rows])


def draw_distances(draws: torch.Tensor) -> torch.Tensor:
    """Sums of squared differences of compressed magnitude spectra, of all pairs of draws.

    Arguments
    ---------
    draws : torch.Tensor
        ``(draws, time)``.

    Returns
    -------
    torch.Tensor
        ``(draws, draws)``, float64. Those of two stretches add up to those of both.

    Example
    -------
    >>> draw_distances(torch.ones(3, 800)).shape
    torch.Size([3, 3])
    """
    window = torch.hann_window(N_FFT, device=draws.device).sqrt()
    spectra = torch.stft(draws.float(), N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    features = spectra.abs().pow(COMPRESSION).flatten(1)
    # One row at a time: all differences at once would take as many times the memory.
    return torch.stack([(features - own).square().sum(1, dtype=torch.float64) for own in features])


def best_draw(pieces: Iterable[Sequence[np.ndarray]]) -> int:
    """The draw of a long recording that `reduced()` would call the best, piece by piece.

    Arguments
    ---------
    pieces : iterable of sequences of numpy.ndarray
        For each piece of the recording, ``(time, channels)`` of each draw.

    Returns
    -------
    int
        The same for all channels.

    Example
    -------
    >>> pieces = [[level * np.ones((800, 2)) for level in (1.0, 2.0, 9.0)]] * 2
    >>> best_draw(pieces)
    1
    """
    total = None
    for piece in pieces:
        channels = torch.from_numpy(np.stack(piece)).unbind(2)
        distances = torch.stack([draw_distances(channel) for channel in channels]).sum(0)
        total = distances if total is None else total + distances
    return 0 if total is None else int(total.sum(1).argmin())


def confidence_of(draws: torch.Tensor, sample_rate: int) -> Confidence:
    """How far draws differ.

    Arguments
    ---------
    draws : torch.Tensor
        ``(draws, …, time)``, at least two.
    sample_rate : int
        In Hz.

    Returns
    -------
    Confidence

    Example
    -------
    >>> confidence = confidence_of(torch.randn(4, 2, 24000), 16000)
    >>> confidence.spread_db.shape, confidence.per_second.shape
    (torch.Size([2, 257, 95]), torch.Size([2, 2]))
    """
    spread = spread_map_db(draws)
    seconds = -(-draws.shape[-1] // sample_rate)
    # A frame belongs to the second in which its middle lies; the last one may lie on the very end.
    second = (torch.arange(spread.shape[-1], device=spread.device) * HOP // sample_rate).clamp_max(
        seconds - 1
    )
    squares = spread.square().mean(-2)
    sums = squares.new_zeros(*squares.shape[:-1], seconds).index_add_(-1, second, squares)
    return Confidence(spread, (sums / torch.bincount(second, minlength=seconds)).sqrt())
