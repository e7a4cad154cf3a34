"""What restorers make of speech degraded in one way, at one strength: scores, spread, calibration."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from sb_resizegan.augment.degraded_speech import DegradedSpeech
from sb_resizegan.augment.lost_information import HOP
from sb_resizegan.augment.packet_loss import repeated
from sb_resizegan.dataio.restoration_batch import RestorationBatch
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.metrics.lost_regions import (
    HALF,
    HARDLY,
    interval_coverage,
    log_spectrum_db,
    lost_distance_db,
    mean_of,
    nominal_coverage,
    rank_correlation,
    spread_db,
    spread_map_db,
)
from sb_resizegan.metrics.two_sample import classifier_two_sample

__all__ = ["STRENGTHS", "RestorationOptions", "RestorationRow", "degraded_at", "score_restoration"]

# What is measured unless somebody asks for something else: mild, middle, strong, in each word's unit.
STRENGTHS: dict[str, tuple[float, ...]] = {
    "packet_loss": (0.05, 0.1, 0.2),
    "bandwidth_hz": (6000, 4000, 2500),
    "hard_clipping_db": (6, 12, 20),
    "soft_clipping_db": (6, 12, 20),
    "opus_kbits": (16, 10, 6),
    "mp3_kbits": (32, 16, 8),
    "g722_kbits": (64, 56, 48),
    "mu_law_bits": (8, 6, 4),
    "late_reverberation_db": (10, 3, -3),
    "added_noise_db": (10, 0, -5),
}
INPUT, REPETITION = "input", "repetition"
# Windows for the classifier: of these samples, and as many at least in either set.
WINDOW, FEWEST_WINDOWS = 4096, 50


@dataclass(frozen=True)
class RestorationOptions:
    """What is measured of restorers.

    Arguments
    ---------
    count : int
        Utterances for each degradation and strength.
    num_samples : int
        Draws for each of them, at least 2.
    seed : int
        Of the degradations.
    scoring : ScoringOptions
        Scores of the first draw, which also say where systems run.
    with_classifier : bool
        Whether a classifier tells restored from clean speech (C2ST).
    """

    count: int = 20
    num_samples: int = 8
    seed: int = 0
    scoring: ScoringOptions = field(default_factory=ScoringOptions)
    with_classifier: bool = True

    def __post_init__(self) -> None:
        if self.count < 1 or self.num_samples < 2:
            raise ValueError(
                "expected a count of at least 1 and num_samples of at least 2, "
                f"but got {self.count} and {self.num_samples}"
            )


class RestorationRow(NamedTuple):
    """Figures of a system under one degradation."""

    degradation: str
    strength: float
    system: str
    figures: dict[str, float]
    """Means over utterances by measure, NaN where there is none."""


def degraded_at(
    source: DegradedSpeech, name: str, strength: float, count: int, seed: int
) -> RestorationBatch:
    """Speech with one degradation alone, at one strength; lost packets are silent.

    Arguments
    ---------
    source : DegradedSpeech
        Whose recordings are taken.
    name : str
        A word of `sb_resizegan.augment.degradations.RANGES`.
    strength : float
        In its unit.
    count, seed : int
        As for `DegradedSpeech.fixed()`.

    Returns
    -------
    RestorationBatch
        The same speech for every degradation.
    """
    only = copy.copy(source)
    only.degradations = replace(source.degradations.only(name, strength), concealment=0.0)
    return only.fixed(count, seed)


def score_restoration(
    source: DegradedSpeech,
    systems: Mapping[str, Callable[[torch.Tensor], torch.Tensor]],
    conditions: Mapping[str, Sequence[float]],
    options: RestorationOptions | None = None,
) -> Iterable[RestorationRow]:
    """Scores the degraded speech as it is, repetition for lost packets, and restorers.

    Arguments
    ---------
    source : DegradedSpeech
        Speech to be degraded.
    systems : dict of str to callable
        By name, from ``(copies, time)``, one utterance several times, to as many draws of its restoration. Of
        a deterministic system they are all the same, and nothing is said of spread and calibration.
    conditions : dict of str to sequence of float
        Strengths by degradation.
    options : RestorationOptions, optional
        What is measured.

    Yields
    ------
    RestorationRow
        For each degradation and strength in turn: ``input``, ``repetition`` if packets are lost, the systems.

    Raises
    ------
    ValueError
        For a system called as one of these two, or that gives another shape.
    """
    options = options or RestorationOptions()
    taken = {INPUT, REPETITION} & set(systems)
    if taken:
        raise ValueError(f"systems: expected names other than {INPUT} and {REPETITION}, but got {taken}")
    for name, strengths in conditions.items():
        for strength in strengths:
            batch = degraded_at(source, name, strength, options.count, options.seed)
            outputs = {INPUT: [row[None] for row in batch.noisy]}
            if name == "packet_loss":
                outputs[REPETITION] = [row[None] for row in _repeated(batch, source.sample_rate)]
            for system, restore in systems.items():
                outputs[system] = [_draws(restore, row, options) for row in batch.noisy]
            for system, draws in outputs.items():
                yield RestorationRow(name, strength, system, _figures(batch, draws, options))


def _repeated(batch: RestorationBatch, sample_rate: int) -> Iterator[torch.Tensor]:
    """What the simplest concealment makes of packets that are silent."""
    for noisy, lost in zip(batch.noisy.numpy(), batch.lost.numpy(), strict=True):
        near = np.repeat(lost[0] > 0, HOP)[HOP // 2 :][: len(noisy)]
        yield torch.from_numpy(repeated(noisy, (noisy == 0) & near, sample_rate))


def _draws(
    restore: Callable[[torch.Tensor], torch.Tensor], noisy: torch.Tensor, options: RestorationOptions
) -> torch.Tensor:
    copies = noisy.to(options.scoring.device).expand(options.num_samples, -1)
    draws = restore(copies)
    if draws.shape != copies.shape:
        raise ValueError(
            f"expected draws of shape {tuple(copies.shape)} of a system, but got {tuple(draws.shape)}"
        )
    draws = draws.float().cpu()
    return draws[:1] if bool((draws == draws[:1]).all()) else draws


def _figures(
    batch: RestorationBatch, outputs: list[torch.Tensor], options: RestorationOptions
) -> dict[str, float]:
    clean, lost = batch.clean, batch.lost
    firsts = [draws[0].numpy() for draws in outputs]
    scores = score_utterances(list(clean.numpy()), firsts, options.scoring, noisy=list(batch.noisy.numpy()))
    figures = {
        column: mean_of([score[column] for score in scores]) for column in scores[0] if column != "notes"
    }
    rows = list(zip(clean, outputs, lost, strict=True))
    figures["lost_distance_db"] = mean_of([lost_distance_db(c, d[0], m) for c, d, m in rows])
    figures["kept_distance_db"] = mean_of([lost_distance_db(c, d[0], m <= HARDLY) for c, d, m in rows])
    if all(len(draws) > 1 for draws in outputs):
        spreads = [spread_db(draws, mask) for _, draws, mask in rows]
        figures["spread_lost_db"] = mean_of([inside for inside, _ in spreads])
        figures["spread_kept_db"] = mean_of([outside for _, outside in spreads])
        pairs = [_spread_and_error(*row) for row in rows]
        spread, error = (torch.cat(side) for side in zip(*pairs, strict=True))
        figures["spread_error_correlation"] = rank_correlation(spread, error)
        figures["covered"] = mean_of([interval_coverage(*row) for row in rows])
        figures["covered_nominal"] = nominal_coverage(len(outputs[0]))
    if options.with_classifier:
        sides = [_windows(signals) for signals in (clean, torch.stack([draws[0] for draws in outputs]))]
        if min(map(len, sides)) >= FEWEST_WINDOWS:
            figures["c2st_auc"] = classifier_two_sample(sides[1], sides[0]).value
    return figures


def _spread_and_error(
    clean: torch.Tensor, draws: torch.Tensor, lost: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the bins that were lost: how far draws differ, and how far their mean level is off."""
    inside = lost > HALF
    error = (log_spectrum_db(draws, clean).mean(0) - log_spectrum_db(clean)).abs()
    return spread_map_db(draws)[inside], error[inside]


def _windows(signals: torch.Tensor) -> torch.Tensor:
    """Windows of signals ``(count, time)`` in which there is something."""
    windows = signals.unfold(1, WINDOW, WINDOW).flatten(0, 1)
    level = windows.square().mean(1)
    return windows[level > 1e-3 * level.max()]
