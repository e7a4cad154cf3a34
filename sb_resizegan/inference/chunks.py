"""One pass over a signal of any length, chunk by chunk, in bounded memory."""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np


class SlidingWindow:
    """Random access, forwards only, to a signal that comes in blocks.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time, channels)``.

    Example
    -------
    >>> window = SlidingWindow(np.full((4, 1), n) for n in range(3))
    >>> window.read(2, 6)[:, 0].tolist(), window.read(5, 9)[:, 0].tolist()
    ([0, 0, 1, 1], [1, 1, 1, 2])
    """

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks = iter(blocks)
        self._held: np.ndarray | None = None
        self._start = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` to ``stop``; what lies before ``start`` is forgotten.

        Raises
        ------
        ValueError
            If the signal ends before ``stop``.
        """
        parts = [] if self._held is None else [self._held]
        end = self._start + sum(map(len, parts))
        while end < stop:
            block = next(self._blocks, None)
            if block is None:
                raise ValueError(f"the signal ends after {end} samples, but {stop} were expected")
            parts.append(block)
            end += len(block)
        held = np.concatenate(parts)[start - self._start :]
        self._held, self._start = held, start
        return held[: stop - start]


def process_in_chunks(
    blocks: Iterable[np.ndarray],
    total: int,
    function: Callable[[np.ndarray, int], np.ndarray],
    chunk: int,
    context: int,
    fade: int,
    hop: int,
) -> Iterator[np.ndarray]:
    """Applies a function to a signal, chunk by chunk, as if to the whole of it.

    Each chunk is computed with ``context`` more samples on both sides, so that what a function makes of it
    depends on the cut as little as its memory is short. Chunks overlap by ``fade`` samples and are
    cross-faded there with weights that add up to 1. They begin at multiples of ``hop``, so that frames lie
    where they would lie in one pass, and are of about equal length.

    Arguments
    ---------
    blocks : iterable of numpy.ndarray
        ``(time, channels)``, the signal in order.
    total : int
        Its samples.
    function : callable
        From samples ``(time, channels)`` and the position of the first to as many samples, of any channels.
    chunk : int
        Most samples of a chunk, at least ``hop`` and ``fade``. A signal no longer is computed in one pass.
    context, fade, hop : int
        In samples.

    Yields
    ------
    numpy.ndarray
        ``(time, channels)``; ``total`` samples altogether.

    Example
    -------
    >>> signal = np.arange(1000.0)[:, None]
    >>> parts = process_in_chunks([signal], 1000, lambda part, first: 2 * part, 300, 50, 20, 10)
    >>> bool(np.allclose(np.concatenate(list(parts)), 2 * signal))
    True
    """
    window = SlidingWindow(blocks)
    size = math.ceil(total / math.ceil(total / chunk) / hop) * hop
    context = math.ceil(context / hop) * hop
    ramp = ((np.arange(fade) + 0.5) / max(fade, 1)).astype(np.float32)[:, None]
    tail = None
    for start in range(0, total, size):
        stop = min(start + size, total)
        first, last = max(0, start - context), min(total, stop + fade + context)
        output = function(window.read(first, last), first)
        body = output[start - first : stop - first].copy()
        if tail is not None:
            length = min(fade, len(body))
            weight = ramp[:length]
            body[:length] = weight * body[:length] + (1 - weight) * tail[:length]
        tail = output[stop - first :][:fade]
        yield body
