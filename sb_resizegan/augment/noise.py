"""Noise that needs no recordings of noise: coloured noise, and babble of other voices."""

import numpy as np
from scipy.fft import irfft, next_fast_len

from sb_resizegan.augment.segments import SPEECH_RMS, noise_segment
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.random import Draws

__all__ = ["COLOURS", "babble_noise", "coloured_noise", "random_colour", "talker_noise"]

# Exponents: power density falls as 1 / frequency ** exponent.
COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}
STEEPEST, FLATTEST = 2.5, -1.0
LOWEST_HZ = 20.0
SMALLEST_TRANSFORM = 4096
VOICES = (3, 8)
VOICE_STEP_DB = 6.0
TRIES = 8


def coloured_noise(draws: Draws, samples: int, sample_rate: int, exponent: float) -> np.ndarray:
    """Stationary noise whose power density falls as a power of the frequency.

    Its spectrum is drawn at random and shaped; a bin's parts are uniform, their sum over all bins is Gaussian
    to a good approximation. There is nothing below 20 Hz.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    sample_rate : int
        In Hz.
    exponent : float
        0 for white, 1 for pink, 2 for brown noise; any other, negative ones too.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32, of RMS 1 as a whole.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> coloured_noise(Draws(seed=1, n=0), 800, 16000, exponent=1.0).shape
    (800,)
    """
    size = next_fast_len(max(samples, SMALLEST_TRANSFORM), real=True)
    bins = size // 2 + 1
    spectrum = (2 * draws.uniform(2 * bins) - 1).astype(np.float32).view(np.complex64)
    frequency = np.arange(bins) * (sample_rate / size)
    audible = frequency >= LOWEST_HZ
    shape = np.zeros(bins, dtype=np.float32)
    shape[audible] = (frequency[audible] / LOWEST_HZ) ** (-exponent / 2)
    noise = irfft(spectrum * shape, n=size)[:samples]
    return noise / np.sqrt(np.mean(noise**2))


def random_colour(draws: Draws) -> float:
    """Draws an exponent: white, pink, brown or any from −1 to 2.5, each with the same probability.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.

    Returns
    -------
    float

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> -1 <= random_colour(Draws(seed=1, n=0)) <= 2.5
    True
    """
    exponents = [*COLOURS.values(), draws.between(FLATTEST, STEEPEST)]
    return exponents[draws.below(len(exponents))]


def babble_noise(speech: Recordings, draws: Draws, samples: int, target: int | None = None) -> np.ndarray:
    """Three to eight other utterances at once, their levels up to 6 dB apart.

    Arguments
    ---------
    speech : Recordings
        Utterances.
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    target : int, optional
        Recording that must not be among them, if there is another one.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.
    """
    fewest, most = VOICES
    babble = np.zeros(samples, dtype=np.float32)
    for _ in range(fewest + draws.below(most - fewest + 1)):
        recording, anchor = speech.locate(draws.number())
        if recording == target and len(speech) > 1:
            recording = (recording + 1) % len(speech)
            anchor = int(draws.number() * speech.facts(recording).samples)
        gain = SPEECH_RMS / speech.facts(recording).level * 10 ** (draws.between(-VOICE_STEP_DB, 0) / 20)
        babble += np.float32(gain) * noise_segment(speech, recording, anchor, draws, samples)
    return babble


def talker_noise(speech: Recordings, draws: Draws, samples: int, target: int) -> np.ndarray:
    """One other voice: what it says runs in a loop where it is shorter.

    Arguments
    ---------
    speech : Recordings
        Utterances; those of one folder, or of one voice where they are sorted by voices, are taken for the
        same voice.
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length.
    target : int
        Recording whose voice is not wanted, if there is another one.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32.
    """
    for _ in range(TRIES):
        recording, anchor = speech.locate(draws.number())
        if not speech.is_same_voice(recording, target):
            break
    return noise_segment(speech, recording, anchor, draws, samples)
