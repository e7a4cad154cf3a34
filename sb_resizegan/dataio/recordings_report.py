"""What there is to say of recordings: what they are called, how many there are, what was left out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechbrain.utils.logger import get_logger

if TYPE_CHECKING:
    from sb_resizegan.dataio.recordings import Recordings

__all__ = ["describe", "report"]

logger = get_logger(__name__)


def describe(sources: str | Path | Sequence[str | Path]) -> str:
    """What the user calls the sources, for messages."""
    sources = [sources] if isinstance(sources, str | os.PathLike) else sources
    return ", ".join(ascii(str(source))[1:-1] for source in sources)


def report(sources: str, recordings: "Recordings") -> None:
    """Logs how many recordings there are, and warns of what was left out and of what lacks the upper band."""
    logger.info("%s: %d recordings, %.1f minutes", sources, len(recordings), recordings.seconds / 60)
    for reason, names in recordings.skipped.items():
        logger.warning(
            "%s: left out as %s: %d files (first: %s)", sources, reason, len(names), ascii(names[0])
        )
    if recordings.below_sample_rate:
        logger.warning(
            "%s: %d recordings have a sampling rate below %d Hz and so lack the upper band",
            sources,
            recordings.below_sample_rate,
            recordings.sample_rate,
        )
