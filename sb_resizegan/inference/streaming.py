"""Enhancement of a stream, in as many samples at a time as come."""

import os
from typing import Any

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.streaming_resampler import StreamingResampler
from sb_resizegan.inference.enhancement import GenerativeEnhancement
from sb_resizegan.inference.finishing import Finishing, Mixing
from sb_resizegan.inference.linked_channels import LinkedChannels
from sb_resizegan.inference.stream_steps import OnnxStep, StepLatents, StreamStep, TorchStep
from sb_resizegan.utils.checks import check_integer

__all__ = ["StreamingEnhancement"]

logger = get_logger(__name__)

# Beyond so many times full scale, a sample is no sound but a driver's error.
LARGEST = 1000.0
SAMPLE_RATES = (1000, 768000)


class StreamingEnhancement:
    """Enhances a stream with a causal model.

    What comes out is what ``GenerativeEnhancement.enhance_batch`` makes of the whole with the same seed, to
    1e-5 of full scale, however the stream is cut. Nothing grows with its length.

    Arguments
    ---------
    step : StreamStep
        What computes a hop; `from_hparams()` and `from_onnx()` make one.
    sample_rate : int, optional
        Rate of the stream in Hz; that of the model by default. Others are resampled with a constant delay.
    channels : int
        Each is enhanced for itself, with the same latent.
    seed : int
        Of the latents.
    strength : float
        0 (the input, delayed) to 1 (the model's output).
    limit_db : float, optional
        Noise is never lowered by more than so many dB.
    upper_band : str
        What becomes of the band above half the model's rate: ``follow`` gives it the gain of the band below,
        ``none`` takes it away.
    link_channels : bool
        Give all channels one gain; costs a hop of latency.

    Raises
    ------
    ValueError
        For an argument out of range.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> step = TorchStep(SpectralGenerator(8, 8, 8, blocks=1, causal=True), 16000)
    >>> stream = StreamingEnhancement(step)
    >>> [len(stream.push(np.zeros(400, dtype=np.float32))) for _ in range(3)], len(stream.flush())
    ([0, 512, 256], 432)
    >>> stream.latency_seconds
    0.032
    """

    def __init__(
        self,
        step: StreamStep,
        sample_rate: int | None = None,
        channels: int = 1,
        seed: int = 0,
        strength: float = 1.0,
        limit_db: float | None = None,
        upper_band: str = "follow",
        link_channels: bool = False,
    ) -> None:
        self._step = step
        self.sample_rate = check_integer("sample_rate", sample_rate or step.sample_rate)
        low, high = SAMPLE_RATES
        if not low <= self.sample_rate <= high:
            raise ValueError(f"sample_rate: expected {low} to {high} Hz, but got {sample_rate}")
        self.channels = check_integer("channels", channels)
        self._finishing = Finishing(strength, limit_db, upper_band, link_channels and self.channels > 1)
        self._latents = StepLatents(step.latent_dim, step.hop, seed)
        self.not_finite = 0
        self.reset()

    @classmethod
    def from_hparams(
        cls, source: str | os.PathLike, trust: bool = False, device: str = "cpu", **options: Any
    ) -> "StreamingEnhancement":
        """A stream through a trained model.

        Arguments
        ---------
        source, trust
            As of `from_hparams()`.
        device : str
            A hop is little work: a CPU is faster than most GPUs.
        **options
            ``sample_rate``, ``channels``, ``seed``, ``strength``, ``limit_db``, ``upper_band``,
            ``link_channels``.

        Returns
        -------
        StreamingEnhancement

        Raises
        ------
        ModelSourceError
            If there is no such model, or it is not causal.
        """
        model = GenerativeEnhancement.from_hparams(source, trust=trust, run_opts={"device": device})
        return cls.of_model(model, **options)

    @classmethod
    def of_model(cls, model: GenerativeEnhancement, **options: Any) -> "StreamingEnhancement":
        """A stream through a model that is loaded; see `from_hparams()`."""
        return cls(TorchStep(model.mods.generator, model.sample_rate), **options)

    @classmethod
    def from_onnx(cls, path: str | os.PathLike, threads: int = 1, **options: Any) -> "StreamingEnhancement":
        """A stream through an ONNX file made by ``sb-resizegan export MODEL --onnx FILE``.

        Arguments
        ---------
        path : str or Path
            The file.
        threads : int
            Of onnxruntime.
        **options
            As of `from_hparams()`.

        Returns
        -------
        StreamingEnhancement

        Raises
        ------
        ModelSourceError
            If there is no such file, it is damaged, or it holds another kind of model.
        """
        return cls(OnnxStep(path, threads), **options)

    def reset(self) -> None:
        """Forgets the stream; the next sample is the first of another."""
        rate, own, channels = self.sample_rate, self._step.sample_rate, self.channels
        self._states = self._step.initial(channels)
        self._down = StreamingResampler(rate, own, channels)
        self._link = LinkedChannels(own, channels) if self._finishing.link_channels else None
        self._band = self._finishing.band(own, rate, channels)
        self._mixing = Mixing(channels, self._finishing.share, self._band)
        self._up = StreamingResampler(own, rate, channels * self._mixing.signals)
        self._waiting = np.zeros((0, channels), dtype=np.float32)  # for a whole hop
        self._hop_before = np.zeros((0, channels), dtype=np.float32)
        self._hops = self._heard = 0
        self._flushed = False

    @property
    def latency_samples(self) -> int:
        """The most by which the output is behind the input, in samples of the stream's rate."""
        hops = np.arange(3, 3 + max(64, self._up.down, self._down.down), dtype=np.int64)
        hop = self._step.hop
        # Just before a hop is complete, most waits for it.
        heard = np.array([self._down.needed(int(count) * hop) for count in hops])
        behind = (hops - (2 if self._link is None else 3)) * hop
        given = np.array([self._up.ready(int(count)) for count in behind])
        return int((heard - given).max())

    @property
    def latency_seconds(self) -> float:
        """The most by which the output is behind the input, whatever the number of samples a call."""
        return self.latency_samples / self.sample_rate

    def push(self, samples: np.ndarray | torch.Tensor) -> np.ndarray | torch.Tensor:
        """Takes samples and gives what they complete.

        Samples that are not finite, or beyond 1000 times full scale, are heard as silence; the first time a
        warning says so, and ``not_finite`` counts them.

        Arguments
        ---------
        samples : numpy.ndarray or torch.Tensor
            ``(time,)`` for one channel, or ``(channels, time)``; floating-point, any number of them.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            As the input; float32, of as many samples as are ready. What was pushed and flushed altogether has
            the length of the input.

        Raises
        ------
        ValueError
            For a wrong shape or type.
        RuntimeError
            After `flush()`, without `reset()`.
        """
        if self._flushed:
            raise RuntimeError("push: the stream has ended with flush(); call reset() to begin another")
        block = self._checked(samples)
        self._heard += len(block)
        self._mixing.hear(block)
        noisy, enhanced = self._enhanced(self._down.push(block))
        if self._link is not None:
            noisy, enhanced = self._link.push(noisy, enhanced)
        output = self._channels_first(self._raised(noisy, enhanced), samples.ndim)
        return torch.from_numpy(output).to(samples.device) if isinstance(samples, torch.Tensor) else output

    def flush(self) -> np.ndarray:
        """Ends the stream.

        Returns
        -------
        numpy.ndarray
            The rest of the output, ``(time,)`` or, with several channels, ``(channels, time)``.
        """
        if self._flushed:
            return self._channels_first(self._waiting[:0])
        self._flushed = True
        noisy, enhanced = self._enhanced(self._down.flush())
        if self._hops or len(self._waiting):
            rest = self._last_hops()
            noisy, enhanced = np.concatenate([noisy, rest[0]]), np.concatenate([enhanced, rest[1]])
        if self._link is not None:
            parts = self._link.push(noisy, enhanced), self._link.flush()
            noisy, enhanced = (np.concatenate(signals) for signals in zip(*parts, strict=True))
        output = [self._raised(noisy, enhanced)]
        if self._band is not None:
            self._band.end()
        output.append(self._mixing.push(self._up.flush()))
        finished = np.concatenate(output)
        # Two conversions may each round up.
        return self._channels_first(finished[: len(finished) + min(0, self._heard - self._mixing.given)])

    def _checked(self, samples: np.ndarray | torch.Tensor) -> np.ndarray:
        array = samples.detach().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"push: expected floating-point samples, but got {array.dtype}")
        if array.ndim == 1 and self.channels == 1:
            array = array[None]
        if array.ndim != 2 or len(array) != self.channels:
            raise ValueError(
                f"push: expected ({self.channels}, time)"
                + (" or (time,)" if self.channels == 1 else "")
                + f", but got {array.shape}"
            )
        wrong = ~(np.abs(array) <= LARGEST)
        if wrong.any():
            if not self.not_finite:
                logger.warning(
                    "the stream holds samples that are no sound (NaN, Inf or huge); heard as silence"
                )
            self.not_finite += int(wrong.sum())
            array = np.where(wrong, 0, array)
        return array.T.astype(np.float32)

    def _channels_first(self, block: np.ndarray, dimensions: int = 1) -> np.ndarray:
        """``(time, channels)`` to ``(channels, time)``; ``(time,)`` for one channel, unless two are asked."""
        return np.ascontiguousarray(block.T if self.channels > 1 or dimensions == 2 else block[:, 0])

    def _enhanced(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The model's input and output, as far as there are whole hops, ``(time, channels)`` each."""
        hop = self._step.hop
        self._waiting = np.concatenate([self._waiting, block])
        noisy, enhanced = [self._waiting[:0]], [self._waiting[:0]]
        while len(self._waiting) >= hop:
            samples, self._waiting = self._waiting[:hop], self._waiting[hop:]
            output = self._stepped(samples, self._hops)
            if self._hops:  # the first lies before the beginning
                noisy.append(self._hop_before)
                enhanced.append(output)
            self._hop_before = samples.copy()
            self._hops += 1
        return np.concatenate(noisy), np.concatenate(enhanced)

    def _stepped(self, samples: np.ndarray, number: int) -> np.ndarray:
        latent = self._latents.of_hop(number)
        rows = None if latent is None else np.tile(latent, (self.channels, 1))
        output, self._states = self._step(np.ascontiguousarray(samples.T), rows, self._states)
        return output.T

    def _last_hops(self) -> tuple[np.ndarray, np.ndarray]:
        """The last hop, filled up with zeros, and the one before; as in one pass, whose last latent stays."""
        hop, rest = self._step.hop, len(self._waiting)
        noisy, enhanced = self._enhanced(np.zeros((-rest % hop, self.channels), dtype=np.float32))
        output = self._stepped(np.zeros((hop, self.channels), dtype=np.float32), self._hops - 1)
        noisy = np.concatenate([noisy, self._hop_before])
        enhanced = np.concatenate([enhanced, output])
        cut = -rest % hop
        return noisy[: len(noisy) - cut], enhanced[: len(enhanced) - cut]

    def _raised(self, noisy: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
        """From the model's rate to the stream's."""
        if self._band is None:
            return self._mixing.push(self._up.push(enhanced))
        self._band.follow(noisy, enhanced)
        return self._mixing.push(self._up.push(np.concatenate([enhanced, noisy], axis=1)))
