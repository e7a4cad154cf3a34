"""What a pair of clean and scored speech is given, and what a score may know besides the two."""

from typing import NamedTuple

import numpy as np

__all__ = ["Context", "PairScore"]


class PairScore(NamedTuple):
    """What a pair was given."""

    figures: dict
    """By the name of a measure; one that the pair has none of is missing."""

    notes: list
    """Why one is missing, or what else a reader of the figures should know."""


class Context(NamedTuple):
    """What is known of a pair besides its two signals."""

    noisy: np.ndarray | None = None
    """The noisy speech that was enhanced, of the same length."""

    transcript: str | None = None
    """What was said."""
