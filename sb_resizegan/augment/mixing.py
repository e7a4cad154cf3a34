"""Noisy speech mixed on the fly, the same mixtures for the same seed and number."""

from collections.abc import Iterable

import numpy as np
import torch
from scipy.fft import irfft, next_fast_len, rfft

from sb_resizegan.augment.channels import band_limited, clipped, coded
from sb_resizegan.augment.interruptions import level_step, silent_stretch, switched_gain
from sb_resizegan.augment.mixture_options import Changes, Channels, Levels, Noises
from sb_resizegan.augment.noise import babble_noise, coloured_noise, random_colour, talker_noise
from sb_resizegan.augment.perturbation import (
    change_speed,
    equalise,
    gain_contour,
    low_pass_response,
    room_responses,
)
from sb_resizegan.augment.segments import noise_segment, speech_segment
from sb_resizegan.augment.tonal import tonal_noise
from sb_resizegan.dataio.activity import active_regions
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.checks import check_count, check_range
from sb_resizegan.utils.random import FIXED, TRAINING, Draws, rows_of

__all__ = ["NoisyMixtures"]

PEAK = 0.99
NEARLY_CLEAN_DB = (35.0, 60.0)
SECOND_NOISE_DB = (-12.0, 0.0)
# Below this, nothing says which of two voices is meant.
FAINTEST_BESIDE_TALKER_DB = 6.0
# Room for filters to ring out in.
PADDING = 512
FAINTEST = 1e-12


class NoisyMixtures:
    """Segments of speech with noise added, for training and validation of speech enhancement.

    Each mixture is made of its own stream of random numbers (``Draws``), so that what batch ``n`` holds
    depends on the recordings, the options, the seed and ``n`` alone: ``WindowStream`` can go on anywhere,
    loader workers change nothing, and ``world_size`` processes share out one joint batch. (SpeechBrain's
    augmentations do much the same, but draw from torch's global generator, a batch at a time.)

    One mixture:

    1. a segment of speech (``speech_segment``), now and then faster or slower, through a random equaliser,
       and with the upper band removed, as it always is where a recording's own rate was lower;
    2. reverberation, if there are impulse responses: the target keeps the direct path and 50 ms of
       reflections and is aligned with the direct path;
    3. noise: recorded, coloured, babble, tonal or another voice, now and then two of these, the second up to
       12 dB weaker; recorded noise may change its speed, all noise gets an equaliser and a changing gain of
       its own at times, or stops and starts, and where the speech lacks the upper band, so does the noise;
    4. a signal-to-noise ratio: power of the target over its active speech (``active_regions``) to that of the
       noise over the whole segment;
    5. now and then a part that is much fainter, and a band's limits, both sides alike;
    6. a level: RMS of the mixture; less where a sample would exceed 0.99. Both sides get the same gain;
    7. now and then clipping and a codec, which the target does not go through, and digital silence.

    Arguments
    ---------
    clean : Recordings
        Speech.
    noise : Recordings, optional
        Recorded noise; without it, all noise is babble and coloured noise, in the ratio of their
        probabilities.
    rirs : Recordings, optional
        Room impulse responses, read with ``impulse_responses=True``.
    segment_samples : int
        Length of the mixtures.
    levels : Levels, optional
        How loud speech and noise are.
    noises : Noises, optional
        Which noise is added.
    changes : Changes, optional
        What happens to the signals themselves.
    channels : Channels, optional
        What a recording or a line does to the mixture.

    Raises
    ------
    ValueError
        If an option is out of range, sampling rates differ, or there is no noise to be had.

    Example
    -------
    >>> import soundfile
    >>> from sb_resizegan.dataio.recordings import Recordings
    >>> folder = getfixture("tmp_path")
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * np.sin(np.arange(16000)), 16000)
    >>> mixtures = NoisyMixtures(Recordings(folder, cache_folder=folder / "cache"), segment_samples=8000)
    >>> batch = mixtures.batch(0, batch_size=4, seed=1)
    >>> batch.noisy.shape, batch.clean.shape, batch.lengths
    (torch.Size([4, 8000]), torch.Size([4, 8000]), tensor([1., 1., 1., 1.]))
    """

    def __init__(
        self,
        clean: Recordings,
        noise: Recordings | None = None,
        rirs: Recordings | None = None,
        segment_samples: int = 32000,
        levels: Levels | None = None,
        noises: Noises | None = None,
        changes: Changes | None = None,
        channels: Channels | None = None,
    ) -> None:
        check_count("segment_samples", segment_samples)
        self.levels, self.changes = levels or Levels(), changes or Changes()
        self.channels = channels or Channels()
        check_range("bandwidth_hz", self.changes.bandwidth_hz, 500, clean.sample_rate / 2)
        for key, recordings in (("noise", noise), ("rirs", rirs)):
            if recordings is not None and recordings.sample_rate != clean.sample_rate:
                raise ValueError(
                    f"{key}: expected the sampling rate of the clean speech, {clean.sample_rate} Hz, "
                    f"but got {recordings.sample_rate}"
                )
        noises = noises or Noises()
        self.noises = noises.without_recordings() if noise is None else noises
        self.clean = clean
        self.noise = noise
        self.rirs = rirs
        self.sample_rate: int = clean.sample_rate
        self.segment_samples = segment_samples
        self._speed_percent = tuple(round(100 * end) for end in self.changes.speed)

    @property
    def complete(self) -> bool:
        """Whether all recordings of the sources are there; see `Recordings`."""
        sources = (self.clean, self.noise, self.rirs)
        return all(recordings.complete for recordings in sources if recordings is not None)

    def batch(self, n: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> NoisyBatch:
        """Batch number ``n`` of the training stream; see `BatchSource` for the arguments.

        Returns
        -------
        NoisyBatch
            ``(batch_size, segment_samples)`` each, all of full length, magnitude at most 0.99.
        """
        rows = rows_of(rank, world_size, batch_size)
        return self._stack(Draws(seed, n, row, TRAINING) for row in rows)

    def fixed(self, count: int, seed: int) -> NoisyBatch:
        """Mixtures that are the same at each call, for validation.

        Arguments
        ---------
        count : int
            How many; with fewer asked for, the first of them come.
        seed : int
            At least 0 and below 2 ** 64. No training batch is drawn from the same random numbers.

        Returns
        -------
        NoisyBatch
            ``(count, segment_samples)`` each.
        """
        check_count("count", count)
        return self._stack(Draws(seed, 0, row, FIXED) for row in range(count))

    def _stack(self, rows: Iterable[Draws]) -> NoisyBatch:
        noisy, clean = zip(*(self._mixture(draws) for draws in rows), strict=True)
        noisy, clean = torch.from_numpy(np.stack(noisy)), torch.from_numpy(np.stack(clean))
        return NoisyBatch(noisy, clean, torch.ones(len(noisy)))

    def _mixture(self, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        target, speech, cutoff_hz, recording = self._speech(draws)
        noise, has_talker = self._noise(draws, recording)
        if draws.chance(self.noises.second_noise):
            second, has_second = self._noise(draws, recording)
            noise = noise + second * np.float32(10 ** (draws.between(*SECOND_NOISE_DB) / 20))
            has_talker |= has_second
        if cutoff_hz < self.sample_rate / 2:
            noise = self._filter(noise, self._low_pass(cutoff_hz))
        snr_range = NEARLY_CLEAN_DB if draws.chance(self.levels.nearly_clean) else self.levels.snr_db
        snr_db = draws.between(*snr_range)
        if has_talker:
            snr_db = max(snr_db, FAINTEST_BESIDE_TALKER_DB)
        ratio = self._speech_power(target) / max(_power(noise), FAINTEST)
        noisy = speech + noise * np.float32(np.sqrt(ratio) * 10 ** (-snr_db / 20))
        return self._channel(draws, noisy, target)

    def _channel(self, draws: Draws, noisy: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What becomes of the mixture and its target on their way."""
        if draws.chance(self.levels.level_step):
            step = level_step(draws, target, self.sample_rate)
            noisy, target = noisy * step, target * step
        if draws.chance(self.channels.band):
            noisy, target = band_limited(draws, [noisy, target], self.sample_rate)
        gain = 10 ** (draws.between(*self.levels.level_db) / 20) / np.sqrt(max(_power(noisy), FAINTEST))
        gain = np.float32(min(gain, PEAK / max(np.abs(noisy).max(), np.abs(target).max(), FAINTEST)))
        noisy, target = gain * noisy, gain * target
        if draws.chance(self.channels.clipping):
            noisy = clipped(draws, noisy)
        if draws.chance(self.channels.codec):
            # What the codec adds may exceed full scale.
            noisy = np.clip(coded(draws, noisy, self.sample_rate), -PEAK, PEAK)
        if draws.chance(self.channels.silence):
            stretch = silent_stretch(draws, self.segment_samples, self.sample_rate)
            noisy[stretch] = target[stretch] = 0
        return noisy, target

    def _speech(self, draws: Draws) -> tuple[np.ndarray, np.ndarray, float, int]:
        """Draws the target, what a room makes of it, its upper limit in Hz, and its recording."""
        percent = self._draw_speed(draws)
        samples = -(-self.segment_samples * percent // 100)
        speech, recording = speech_segment(self.clean, draws, samples)
        if percent != 100:
            speech = change_speed(speech, percent)[: self.segment_samples]
        cutoff_hz = min(float(self.clean.facts(recording).source_rate), self.sample_rate) / 2
        # A faster or slower recording lacks another part of the band.
        cutoff_hz = min(cutoff_hz * percent / 100, self.sample_rate / 2)
        if draws.chance(self.changes.narrow_band):
            cutoff_hz = min(cutoff_hz, draws.between(*self.changes.bandwidth_hz))
        if draws.chance(self.changes.equaliser):
            speech = equalise(speech, draws)
        if cutoff_hz < self.sample_rate / 2:
            speech = self._filter(speech, self._low_pass(cutoff_hz))
        target = speech
        if draws.chance(self.changes.reverberation) and self.rirs is not None:
            response = self.rirs.read(draws.below(len(self.rirs)))
            size = self._transform_size(len(response))
            early, whole = room_responses(response, self.sample_rate, size)
            target, speech = self._filter(speech, early), self._filter(speech, whole)
        return target, speech, cutoff_hz, recording

    def _noise(self, draws: Draws, target: int) -> tuple[np.ndarray, bool]:
        """Draws a noise of any kind, of RMS 1, and whether it is another voice."""
        kind, samples, has_talker = draws.number(), self.segment_samples, False
        ends = np.cumsum([self.noises.babble, self.noises.coloured, self.noises.tonal, self.noises.talker])
        if self.noise is None:
            ends[-1] = 1
        if kind < ends[0]:
            noise = babble_noise(self.clean, draws, samples, target)
        elif kind < ends[1]:
            noise = coloured_noise(draws, samples, self.sample_rate, random_colour(draws))
        elif kind < ends[2]:
            noise = tonal_noise(draws, samples, self.sample_rate)
        elif kind < ends[3]:
            noise, has_talker = talker_noise(self.clean, draws, samples, target), True
        else:
            assert self.noise is not None  # else the share of talkers ends at 1
            percent = self._draw_speed(draws)
            recording, anchor = self.noise.locate(draws.number())
            noise = noise_segment(self.noise, recording, anchor, draws, -(-samples * percent // 100))
            if percent != 100:
                noise = change_speed(noise, percent)[:samples]
        if draws.chance(self.changes.equaliser):
            noise = equalise(noise, draws)
        if draws.chance(self.noises.gain_change):
            noise = noise * gain_contour(draws, samples, self.sample_rate)
        if draws.chance(self.noises.switching):
            noise = noise * switched_gain(draws, samples, self.sample_rate)
        return noise / np.float32(np.sqrt(max(_power(noise), FAINTEST))), has_talker

    def _draw_speed(self, draws: Draws) -> int:
        slowest, fastest = self._speed_percent
        is_changed = draws.chance(self.changes.speed_change)
        percent = slowest + draws.below(fastest - slowest + 1)
        return percent if is_changed else 100

    def _transform_size(self, padding: int) -> int:
        # Even, so that half the sampling rate has a bin.
        return 2 * next_fast_len(-(-(self.segment_samples + padding) // 2), real=True)

    def _low_pass(self, cutoff_hz: float) -> np.ndarray:
        return low_pass_response(cutoff_hz, self.sample_rate, self._transform_size(PADDING) // 2 + 1)

    def _filter(self, waveform: np.ndarray, response: np.ndarray) -> np.ndarray:
        size = 2 * (len(response) - 1)
        return irfft(rfft(waveform, n=size) * response, n=size)[: self.segment_samples]

    def _speech_power(self, speech: np.ndarray) -> float:
        regions = active_regions(speech, self.sample_rate)
        if len(regions) == 0:
            return _power(speech)
        return _power(np.concatenate([speech[start:end] for start, end in regions]))


def _power(waveform: np.ndarray) -> float:
    return float(np.dot(waveform, waveform)) / len(waveform)
