"""A source of batches whose corpora are still being prepared."""

from collections.abc import Callable
from typing import Any, Protocol

from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.batch_source import BatchSource

__all__ = ["GrowingSource", "PartialSource"]

logger = get_logger(__name__)


class PartialSource(BatchSource, Protocol):
    """A source that knows whether all of it is there."""

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        ...


class GrowingSource:
    """Hands out batches of what is there, and looks at the begin of each epoch whether there is more.

    So what batch ``n`` holds depends on how far the preparation was when its epoch began: a training that
    begins with a share is not the same bit for bit as another one, or as itself after an interruption.

    Arguments
    ---------
    source : PartialSource
        What is there now, with ``complete``, whether that is all.
    make : callable
        Makes the source anew.
    """

    def __init__(self, source: PartialSource, make: Callable[[], PartialSource]) -> None:
        self.source, self._make = source, make

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.source.complete

    def begin_epoch(self) -> None:
        """Takes in what has been prepared since."""
        if not self.complete:
            self.source = self._make()
            if self.complete:
                logger.info("All recordings are prepared")

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> Any:
        """Batch number ``n`` of the training stream; see `BatchSource`."""
        return self.source.batch(n, batch_size, seed, rank, world_size)

    def __getstate__(self) -> dict[str, Any]:
        # A worker lives for an epoch and needs what is there in it.
        return {"source": self.source, "_make": None}
