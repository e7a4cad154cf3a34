"""An evaluation: some systems enhance utterances, and what they make is scored beside the noisy speech."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.by_snr import choose_shown
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import EvaluationOptions
from sb_resizegan.evaluation.system_scores import SystemScores
from sb_resizegan.metrics.latents import latent_variation

__all__ = ["RESERVED", "EvaluationResult", "evaluate"]

RESERVED = ("noisy", "clean")


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Arguments
    ---------
    utterances : list of Utterance
        What was enhanced.
    outputs : dict of str to list of numpy.ndarray
        Signals ``(time,)`` in the order of the utterances, by the name of a system; ``noisy`` first.
    scores : SystemScores
        Their scores.
    variation : dict of str to dict
        Figures of `latent_variation()` by the name of a system.
    sample_rate : int
        In Hz.
    """

    utterances: list[Utterance]
    outputs: dict[str, list[np.ndarray]]
    scores: SystemScores
    variation: dict[str, dict] = field(default_factory=dict)
    sample_rate: int = 16000


def evaluate(
    utterances: Sequence[Utterance],
    systems: dict[str, Callable],
    options: EvaluationOptions | None = None,
    samplers: dict[str, Callable] | None = None,
    progress: Callable | None = None,
    outputs: dict[str, list[np.ndarray]] | None = None,
    transcripts: Sequence[str | None] | None = None,
) -> EvaluationResult:
    """Scores enhancers, and noisy speech as it is, on a set of utterances.

    It writes nothing; `write_evaluation()` does.

    Arguments
    ---------
    utterances : sequence of Utterance
        The set.
    systems : dict of str to callable
        By name, functions from noisy speech ``(batch, time)`` to enhanced speech of the same shape.
        Utterances come one by one.
    options : EvaluationOptions, optional
        What is measured, and where.
    samplers : dict of str to callable, optional
        By the name of a system, a function as `latent_variation()` takes it; measures how much the system's
        output varies.
    progress : callable, optional
        Called with a number of utterances each time some are enhanced.
    outputs : dict of str to list of numpy.ndarray, optional
        By name, what other systems made of the utterances elsewhere; their rows come before the systems'.
    transcripts : sequence of str or None, optional
        What was said in each utterance, for word error rates.

    Returns
    -------
    EvaluationResult
        With scores of ``noisy`` and of the systems, in their order.

    Raises
    ------
    ValueError
        If there are no utterances, two have one name, a system is called ``noisy`` or ``clean`` or as
        another one, or its output has a wrong shape.

    Example
    -------
    >>> from sb_resizegan.evaluation.scoring_options import ScoringOptions
    >>> clean, noise = np.random.default_rng(0).standard_normal((2, 16000)).astype(np.float32)
    >>> utterances = [Utterance("a", clean + noise, clean, 0.0)]
    >>> options = EvaluationOptions(ScoringOptions(scores=["si_sdr"]))
    >>> result = evaluate(utterances, {"half": lambda noisy: noisy / 2}, options)
    >>> [(row.system, sorted(row.means)) for row in result.scores.rows()]
    [('noisy', ['pesq_wb', 'si_sdr_db']), ('half', ['pesq_wb', 'si_sdr_db'])]
    """
    options = options or EvaluationOptions()
    utterances = list(utterances)
    given = dict(outputs or {})
    taken = [name for name in (*RESERVED, *given) if name in systems or (name in RESERVED and name in given)]
    if taken:
        raise ValueError(f"systems: expected names other than {[*RESERVED, *given]}, but got {taken[0]!r}")
    noisy = [utterance.noisy for utterance in utterances]
    outputs = {"noisy": noisy, **given}
    for name, enhance in systems.items():
        outputs[name] = enhance_utterances(enhance, noisy, options.scoring.device, progress)
    # One call for all systems: processes start but once.
    scores = score_utterances(
        [utterance.clean for _ in outputs for utterance in utterances],
        [signal for signals in outputs.values() for signal in signals],
        options.scoring,
        options.sample_rate,
        noisy=noisy * len(outputs),
        transcripts=None if transcripts is None else list(transcripts) * len(outputs),
    )
    count = len(utterances)
    parts = {name: scores[n * count : (n + 1) * count] for n, name in enumerate(outputs)}
    found = SystemScores.of(utterances, parts)
    variation = {name: _variation(sampler, utterances, options) for name, sampler in (samplers or {}).items()}
    return EvaluationResult(utterances, outputs, found, variation, options.sample_rate)


def _variation(sampler: Callable, utterances: Sequence[Utterance], options: Any) -> Any:
    """How much a system's output varies on some utterances, spread over the signal-to-noise ratios."""
    chosen = [utterances[index] for index in choose_shown(utterances, options.latent_utterances)]
    return latent_variation(
        sampler,
        [utterance.noisy for utterance in chosen],
        options.num_samples,
        clean=[utterance.clean for utterance in chosen],
        sample_rate=options.sample_rate,
        device=options.scoring.device,
    )
