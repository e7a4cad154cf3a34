"""A stream between two sound devices, or a file played as if by one, in real time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sb_resizegan.inference.streaming import StreamingEnhancement

__all__ = ["LiveEnhancement", "LiveFigures", "simulate"]


@dataclass
class LiveFigures:
    """What has happened so far.

    Arguments
    ---------
    blocks : int
        Blocks of sound that were enhanced.
    late : int
        Blocks that took longer than they last.
    xruns : int
        Times the sound card had to go on without a block, or lost one.
    busiest : float
        The longest time of a block over its length.
    input_peak, output_peak : float
        Of the last block, as shares of full scale.
    """

    blocks: int = 0
    late: int = 0
    xruns: int = 0
    busiest: float = 0.0
    input_peak: float = 0.0
    output_peak: float = 0.0


@dataclass
class LiveEnhancement:
    """Blocks of one length through a stream: as many samples come out of each as go in.

    The output is behind the input by `StreamingEnhancement.latency_samples`, exactly, and silent until then.

    Arguments
    ---------
    stream : StreamingEnhancement
        What enhances.
    clock : callable
        Gives a time in seconds.

    Example
    -------
    >>> from sb_resizegan.inference.stream_steps import TorchStep
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> step = TorchStep(SpectralGenerator(8, 8, 8, blocks=1, causal=True), 16000)
    >>> live = LiveEnhancement(StreamingEnhancement(step))
    >>> live.block(np.ones((480, 1), dtype=np.float32)).shape, live.figures.blocks
    ((480, 1), 1)
    """

    stream: StreamingEnhancement
    clock: Callable[[], float] = time.perf_counter
    figures: LiveFigures = field(default_factory=LiveFigures)

    def __post_init__(self) -> None:
        silence = (self.stream.latency_samples, self.stream.channels)
        self._waiting = np.zeros(silence, dtype=np.float32)

    def block(self, samples: np.ndarray) -> np.ndarray:
        """Enhances a block.

        Arguments
        ---------
        samples : numpy.ndarray
            ``(time, channels)``, floating-point.

        Returns
        -------
        numpy.ndarray
            ``(time, channels)``, float32, within full scale.
        """
        began = self.clock()
        output = self.stream.push(np.ascontiguousarray(samples.T))
        output = np.atleast_2d(np.asarray(output)).T
        self._waiting = np.concatenate([self._waiting, output])
        ready, self._waiting = self._waiting[: len(samples)], self._waiting[len(samples) :]
        figures, length = self.figures, len(samples) / self.stream.sample_rate
        figures.blocks += 1
        if length:
            busy = (self.clock() - began) / length
            figures.late += busy > 1
            figures.busiest = max(figures.busiest, busy)
        figures.input_peak = float(np.abs(np.nan_to_num(samples)).max(initial=0))
        figures.output_peak = float(np.abs(ready).max(initial=0))
        return ready.clip(-1, 1)

    def callback(self, indata: np.ndarray, outdata: np.ndarray, frames: int, when: Any, status: Any) -> None:
        """What ``sounddevice.Stream`` calls for each block; counts what the card reports."""
        self.figures.xruns += bool(status)
        outdata[:] = self.block(indata)


def simulate(
    live: LiveEnhancement,
    samples: np.ndarray,
    block: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[np.ndarray]:
    """Plays samples through a stream as a sound card would: a block whenever its time has come.

    A block is late if its output is not there when the next block comes; ``figures.late`` counts these, those
    that wait for a late one before them too.

    Arguments
    ---------
    live : LiveEnhancement
        What enhances.
    samples : numpy.ndarray
        ``(time, channels)``.
    block : int
        Samples a block.
    sleep : callable
        Waits so many seconds.

    Yields
    ------
    numpy.ndarray
        ``(time, channels)``, one block after the other; the last is filled up with silence.

    Example
    -------
    >>> from sb_resizegan.inference.stream_steps import TorchStep
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> step = TorchStep(SpectralGenerator(8, 8, 8, blocks=1, causal=True), 16000)
    >>> live = LiveEnhancement(StreamingEnhancement(step))
    >>> [len(part) for part in simulate(live, np.zeros((600, 1), dtype=np.float32), 256)]
    [256, 256, 256]
    """
    rate, began, late = live.stream.sample_rate, live.clock(), 0
    for number, start in enumerate(range(0, len(samples), block)):
        part = samples[start : start + block]
        part = np.pad(part, ((0, block - len(part)), (0, 0)))
        # The block is complete, and comes, when its last sample has been heard.
        wait = began + (number + 1) * block / rate - live.clock()
        if wait > 0:
            sleep(wait)
        output = live.block(part)
        late += live.clock() > began + (number + 2) * block / rate
        live.figures.late = late
        yield output
