"""What an evaluation measures, and where."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.metrics.measures import MEASURES
from sb_resizegan.metrics.speech_scores import SCORES

__all__ = ["EvaluationOptions", "ScoringOptions", "columns_of", "installed_scores"]

logger = get_logger(__name__)


@dataclass(frozen=True)
class ScoringOptions:
    """What is measured, and where.

    Arguments
    ---------
    scores : sequence of str, optional
        Keys of `SCORES`, besides this package's PESQ; by default
        those that are installed, need nothing but what is there, and are not too slow.
    device : str or torch.device
        Where the batches of PESQ are scored.
    batch_size : int
        Most utterances in such a batch.
    jobs : int, optional
        Processes for all the rest; 0 does it here. By default one for each core but one.

    Raises
    ------
    ValueError
        If there is no such score.

    Example
    -------
    >>> ScoringOptions(scores=["dnsmoss"])
    Traceback (most recent call last):
    ...
    ValueError: scores: expected some of si_sdr, ..., speaker, but got 'dnsmoss'
    """

    scores: tuple | None = None
    device: str | torch.device = "cpu"
    batch_size: int = 16
    jobs: int | None = None

    def __post_init__(self) -> None:
        for name in self.scores or ():
            if name not in SCORES:
                raise ValueError(f"scores: expected some of {', '.join(SCORES)}, but got {name!r}")

    def names(self, has_noisy: bool = False) -> tuple:
        """Keys of the scores to be computed.

        Arguments
        ---------
        has_noisy : bool
            Whether the noisy speech is there.

        Raises
        ------
        ValueError
            If a score that is asked for needs it.
        """
        if self.scores is None:
            return tuple(name for name in installed_scores() if has_noisy or not SCORES[name].needs_noisy)
        for name in self.scores:
            if SCORES[name].needs_noisy and not has_noisy:
                raise ValueError(f"{name}: expected the noisy speech beside the clean and the enhanced")
        return tuple(self.scores)


@dataclass(frozen=True)
class EvaluationOptions:
    """What is measured of systems that enhance, and where.

    Arguments
    ---------
    scoring : ScoringOptions
        Scores of the enhanced speech; systems take their input on its device.
    sample_rate : int
        16000 Hz.
    num_samples : int
        Latents for each utterance where the variation of a system is measured.
    latent_utterances : int
        Utterances in that, at most, spread over the signal-to-noise ratios.
    """

    scoring: ScoringOptions = field(default_factory=ScoringOptions)
    sample_rate: int = 16000
    num_samples: int = 8
    latent_utterances: int = 20


def installed_scores() -> tuple:
    """Scores by default that can be had here; those that cannot are named in a warning, once.

    Returns
    -------
    tuple of str
        Keys of `SCORES`.
    """
    found = []
    for name, score in SCORES.items():
        if score.by_name_only:
            continue
        missing = score.missing()
        if missing:
            logger.warning_once("No %s: %s", name, missing)
        else:
            found.append(name)
    return tuple(found)


def columns_of(names: Iterable[str]) -> list:
    """Names of the measures that a pair is given.

    Arguments
    ---------
    names : sequence of str
        Keys of `SCORES`.

    Returns
    -------
    list of str
        In the order of a table.

    Example
    -------
    >>> columns_of(["si_sdr", "intelligibility"])
    ['pesq_wb', 'stoi', 'estoi', 'si_sdr_db']
    """
    wanted = {"pesq_wb", *(column for name in names for column in SCORES[name].columns)}
    return [name for name in MEASURES if name in wanted]
