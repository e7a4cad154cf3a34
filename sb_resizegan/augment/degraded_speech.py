"""Speech from which something was taken away, made on the fly; the same for the same seed and number."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sb_resizegan.augment.codec_passes import pass_g722, pass_mp3, pass_opus
from sb_resizegan.augment.damage import clip_hard, clip_soft, limit_band, quantise_mu_law
from sb_resizegan.augment.degradations import ORDER, Degradations
from sb_resizegan.augment.late_reverberation import reverberate
from sb_resizegan.augment.lost_information import lost_between, lost_stretches, union_of
from sb_resizegan.augment.mixing import FAINTEST, PEAK, NoisyMixtures
from sb_resizegan.augment.mixture_options import Changes
from sb_resizegan.augment.packet_loss import lose_packets
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.restoration_batch import RestorationBatch
from sb_resizegan.utils.random import FIXED, TRAINING, Draws, rows_of

__all__ = ["DegradedSpeech"]

MOST_AT_ONCE = 3
LSB = 2.0**-15

# Those that need nothing but the signal.
DAMAGES = {
    "bandwidth_hz": limit_band,
    "soft_clipping_db": clip_soft,
    "hard_clipping_db": clip_hard,
    "mu_law_bits": quantise_mu_law,
    "g722_kbits": pass_g722,
    "mp3_kbits": pass_mp3,
    "opus_kbits": pass_opus,
}


class DegradedSpeech(NoisyMixtures):
    """Segments of speech, degraded, and masks of what they have lost; for training and validation.

    Speech and noise are drawn as `NoisyMixtures` draws them, with its options; what becomes of them is drawn
    by `Degradations`. Each segment is made of its own stream of random numbers.

    One segment:

    1. speech as of `NoisyMixtures`, without a room, at a level of ``levels.level_db``;
    2. nothing, with a probability of ``intact``; else one degradation, or two or three with a probability of
       ``several``, each equally likely, in the order of a recording's way: room, noise, band, clipping,
       codec, packets;
    3. rounding to 16 bits.

    The mask says of each bin whether it is lost: what a band limit and lost packets have taken, and wherever
    the difference between the two signals is as strong as the target (`lost_between()`).

    Arguments
    ---------
    clean : Recordings
        Speech.
    noise : Recordings, optional
        Recorded noise, for ``added_noise_db``.
    rirs : Recordings, optional
        Room impulse responses, for ``late_reverberation_db``; without them the tails are synthetic.
    degradations : Degradations
        What happens.
    **options
        ``segment_samples``, ``levels``, ``noises`` and ``changes`` of `NoisyMixtures`.

    Raises
    ------
    ValueError
        If an option is out of range.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(16000)), 16000)
    >>> speech = Recordings(folder, cache_folder=folder / "cache")
    >>> losses = Degradations(packet_loss=(0.1, 0.1))
    >>> source = DegradedSpeech(speech, degradations=losses, segment_samples=8000)
    >>> batch = source.batch(0, batch_size=4, seed=1)
    >>> batch.noisy.shape, batch.lost.shape
    (torch.Size([4, 8000]), torch.Size([4, 257, 33]))
    """

    def __init__(
        self,
        clean: Recordings,
        noise: Recordings | None = None,
        rirs: Recordings | None = None,
        degradations: Degradations | None = None,
        **options: Any,
    ) -> None:
        if degradations is None:
            degradations = Degradations()  # says what is missing
        # The room is a degradation here, and a target without its upper band would be one to learn.
        changes = replace(options.pop("changes", None) or Changes(), reverberation=0.0, narrow_band=0.0)
        super().__init__(clean, noise, rirs, changes=changes, **options)
        self.degradations = degradations
        if degradations.bandwidth_hz and degradations.bandwidth_hz[1] >= self.sample_rate / 2:
            raise ValueError(
                f"bandwidth_hz: expected a range below {self.sample_rate / 2:g} Hz, half the sampling rate, "
                f"but got {degradations.bandwidth_hz}"
            )
        if degradations.g722_kbits and self.sample_rate != 16000:
            raise ValueError(f"g722_kbits: expected speech at 16000 Hz, but got {self.sample_rate}")

    def batch(  # type: ignore[override]
        self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> RestorationBatch:
        """Batch number ``n`` of the training stream; see `BatchSource` for the arguments."""
        rows = rows_of(rank, world_size, batch_size)
        return self.stacked(Draws(seed, n, row, TRAINING) for row in rows)

    def fixed(self, count: int, seed: int) -> RestorationBatch:  # type: ignore[override]
        """Segments that are the same at each call; see `NoisyMixtures.fixed()`."""
        if count < 1:
            raise ValueError(f"count: expected at least 1, but got {count}")
        return self.stacked(Draws(seed, 0, row, FIXED) for row in range(count))

    def stacked(self, rows: Iterable[Draws]) -> RestorationBatch:
        """A batch of one segment for each stream of random numbers."""
        segments = [self._segment(draws) for draws in rows]
        noisy, clean, lost = (torch.from_numpy(np.stack(column)) for column in zip(*segments, strict=True))
        return RestorationBatch(noisy, clean, torch.ones(len(noisy)), lost)

    def _segment(self, draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        target, speech, _, recording = self._speech(draws)
        gain = 10 ** (draws.between(*self.levels.level_db) / 20) / np.sqrt(
            max(self._speech_power(target), FAINTEST)
        )
        gain = np.float32(min(gain, PEAK / max(np.abs(speech).max(), FAINTEST)))
        target = speech = (gain * speech).astype(np.float32)
        masks = []
        for name in self._chosen(draws):
            target, speech, mask = self._degraded(draws, name, target, speech, recording)
            masks.append(mask)
        peak = max(np.abs(speech).max(), np.abs(target).max())
        if peak > PEAK:
            speech, target = (np.float32(PEAK / peak) * x for x in (speech, target))
        if masks:
            speech = (np.round(speech / LSB) * LSB).astype(np.float32)
        lost = union_of(lost_between(target, speech), *(mask for mask in masks if mask is not None))
        return speech, target, lost

    def _chosen(self, draws: Draws) -> list[str]:
        """Words of what happens to a segment, in order."""
        active = list(self.degradations.active)
        if draws.chance(self.degradations.intact):
            return []
        is_several, more = draws.chance(self.degradations.several), 2 + draws.below(MOST_AT_ONCE - 1)
        chosen = {
            active.pop(draws.below(len(active))) for _ in range(min(more if is_several else 1, len(active)))
        }
        return [name for name in ORDER if name in chosen]

    def _degraded(
        self, draws: Draws, name: str, target: np.ndarray, speech: np.ndarray, recording: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Target, speech and the mask of what only the degradation itself knows, or None."""
        strength = getattr(self.degradations, name)
        if name == "late_reverberation_db":
            response = self.rirs.read(draws.below(len(self.rirs))) if self.rirs is not None else None
            target, speech, _ = reverberate(draws, speech, self.sample_rate, strength, response)
            return target, speech, None
        if name == "added_noise_db":
            noise, _ = self._noise(draws, recording)
            ratio = self._speech_power(target) / 10 ** (draws.between(*strength) / 10)
            return target, (speech + noise * np.float32(np.sqrt(ratio))).astype(np.float32), None
        if name == "packet_loss":
            options = self.degradations.burst_ms, self.degradations.concealment
            speech, is_lost = lose_packets(draws, speech, self.sample_rate, strength, *options)
            return target, speech, lost_stretches(is_lost)
        # Codecs and coarse samples end at full scale.
        speech, mask = DAMAGES[name](draws, np.clip(speech, -1, 1), self.sample_rate, strength)
        return target, speech, mask if name == "bandwidth_hz" else None
