"""Scores of copy synthesis: recordings beside what is made of their mel spectra."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.pair_evaluation import EvaluationResult
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.metrics.copy_synthesis import (
    log_spectral_distance,
    mel_cepstral_distortion,
    pitch_errors,
)
from sb_resizegan.metrics.two_sample import AreaUnderCurve, classifier_two_sample

__all__ = ["COPY_MEASURES", "copier", "evaluate_copies", "score_copies", "told_apart"]

COPY_MEASURES = ("mcd_db", "lsd_db", "f0_cents", "voicing_f1", "periodicity_error")
WINDOW_SAMPLES, MOST_WINDOWS = 2048, 1024


def copier(decode: Callable, mel: Callable) -> Callable:
    """From a function of mel spectra to one of recordings, of the same length.

    Arguments
    ---------
    decode : callable
        From ``(batch, n_mels, frames)`` to ``(batch, frames * hop_length)``.
    mel : callable
        From ``(batch, time)`` to ``(batch, n_mels, 1 + time // hop_length)``.

    Returns
    -------
    callable
        From ``(batch, time)`` to the same shape.
    """

    def copy(recordings: torch.Tensor) -> torch.Tensor:
        return decode(mel(recordings))[:, : recordings.shape[1]]

    return copy


def score_copies(
    recordings: Sequence[np.ndarray],
    copies: Sequence[np.ndarray],
    options: ScoringOptions | None = None,
    sample_rate: int = 16000,
) -> list[dict]:
    """Scores copies of recordings.

    Arguments
    ---------
    recordings, copies : sequence of numpy.ndarray
        ``(time,)`` each, pairs of one length.
    options : ScoringOptions, optional
        What is measured besides, and where.
    sample_rate : int
        16000 Hz.

    Returns
    -------
    list of dict
        For each pair its figures by measure, NaN where there is none, and ``notes``.

    Raises
    ------
    ValueError
        As `score_utterances()`.

    Example
    -------
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16000) / 16000).astype(np.float32)
    >>> score, = score_copies([tone], [tone], ScoringOptions(("si_sdr",)))
    >>> f"{score['mcd_db']:.1f} dB, {score['f0_cents']:.0f} cents, {score['voicing_f1']:.2f}"
    '0.0 dB, 0 cents, 1.00'
    """
    scores = score_utterances(recordings, copies, options or ScoringOptions(), sample_rate)
    for score, *pair in zip(scores, recordings, copies, strict=True):
        first, second = (torch.as_tensor(np.asarray(x, np.float32)).unsqueeze(0) for x in pair)
        if not second.isfinite().all():
            found = dict.fromkeys(COPY_MEASURES, torch.tensor([float("nan")]))
        else:
            found = {
                "mcd_db": mel_cepstral_distortion(first, second, sample_rate),
                "lsd_db": log_spectral_distance(first, second),
                **pitch_errors(first, second, sample_rate),
            }
        score.update({name: float(found[name]) for name in COPY_MEASURES})
    return scores


def evaluate_copies(
    utterances: Sequence[Utterance],
    systems: dict[str, Callable],
    options: ScoringOptions | None = None,
    sample_rate: int = 16000,
) -> EvaluationResult:
    """Scores systems that copy recordings by way of their mel spectra, or of other features.

    Arguments
    ---------
    utterances : sequence of Utterance
        The recordings, as ``clean``.
    systems : dict of str to callable
        By name, functions from recordings ``(1, time)`` to copies of the same shape.
    options : ScoringOptions, optional
        What is measured besides `COPY_MEASURES`, and where.
    sample_rate : int
        16000 Hz.

    Returns
    -------
    EvaluationResult
        With the systems in their order.
    """
    options = options or ScoringOptions()
    recordings = [utterance.clean for utterance in utterances]
    outputs = {name: enhance_utterances(copy, recordings, options.device) for name, copy in systems.items()}
    found = {name: score_copies(recordings, copies, options, sample_rate) for name, copies in outputs.items()}
    return EvaluationResult(
        list(utterances), outputs, SystemScores.of(utterances, found), sample_rate=sample_rate
    )


def told_apart(result: EvaluationResult) -> dict[str, AreaUnderCurve]:
    """How well a small classifier, trained afresh, tells each system's copies from the recordings.

    Copies and recordings are of the same utterances, in windows of 2048 samples, at most 1024 of them, taken
    evenly; see `classifier_two_sample()`. What cannot be told apart has 0.5.

    Arguments
    ---------
    result : EvaluationResult
        From `evaluate_copies()`.

    Returns
    -------
    dict of str to AreaUnderCurve
        By system; none of those with copies that are not finite.

    Raises
    ------
    ValueError
        With too few windows for the folds.
    """
    real = _windows([utterance.clean for utterance in result.utterances])
    found = {}
    for name, copies in result.outputs.items():
        windows = _windows(copies)
        if windows.isfinite().all():
            found[name] = classifier_two_sample(windows, real)
    return found


def _windows(signals: Sequence[np.ndarray]) -> torch.Tensor:
    parts = [torch.as_tensor(x).unfold(0, WINDOW_SAMPLES, WINDOW_SAMPLES) for x in signals]
    windows = torch.cat(parts)
    return windows[torch.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).round().long()]
