"""Degradations of speech for tests of PESQ, each a function of the speech and a random generator.

Each takes ``(speech, others, rng)``: float64 samples at 16 kHz, a list of other recordings, and a numpy
generator; and returns the pair ``(reference, degraded)``.
"""

import numpy as np
from scipy import signal as sps

RATE = 16000


def _power(x):
    return np.mean(x**2)


def _add(speech, noise, snr):
    noise = np.resize(noise, len(speech))
    return speech + noise * np.sqrt(_power(speech) / (_power(noise) + 1e-20) * 10 ** (-snr / 10))


def _stft(x):
    return sps.stft(x, RATE, nperseg=512, noverlap=384)[2]


def _istft(spectrum, length):
    return np.resize(sps.istft(spectrum, RATE, nperseg=512, noverlap=384)[1], length)


def white_noise(speech, others, rng):
    return speech, _add(speech, rng.standard_normal(len(speech)), rng.uniform(-5, 40))


def coloured_noise(speech, others, rng):
    noise = sps.lfilter([1.0], [1.0, -rng.uniform(0.5, 0.98)], rng.standard_normal(len(speech)))
    swell = 1.2 + np.sin(2 * np.pi * rng.uniform(0.2, 4) * np.arange(len(speech)) / RATE)
    return speech, _add(speech, noise * swell, rng.uniform(-5, 40))


def babble(speech, others, rng):
    voices = [np.resize(np.roll(voice, rng.integers(len(voice))), len(speech)) for voice in others[:5]]
    return speech, _add(speech, sum(voices), rng.uniform(-5, 40))


def low_pass(speech, others, rng):
    sections = sps.butter(8, rng.choice([1000, 2000, 3400, 5000, 7000]), fs=RATE, output="sos")
    return speech, sps.sosfilt(sections, speech)


def clipping(speech, others, rng):
    limit = np.abs(speech).max() * rng.uniform(0.02, 0.5)
    return speech, np.clip(speech, -limit, limit)


def packet_loss(speech, others, rng):
    frames = np.repeat(rng.random(len(speech) // 320 + 1) > rng.uniform(0.02, 0.3), 320)
    return speech, speech * frames[: len(speech)]


def spectral_subtraction(speech, others, rng):
    spectrum = _stft(white_noise(speech, others, rng)[1])
    floor = np.quantile(np.abs(spectrum), 0.2, axis=1, keepdims=True)
    magnitude = np.maximum(np.abs(spectrum) - 2 * floor, 0.05 * np.abs(spectrum))
    return speech, _istft(magnitude * np.exp(1j * np.angle(spectrum)), len(speech))


def ratio_mask(speech, others, rng):
    noisy = white_noise(speech, others, rng)[1]
    clean, noise = _stft(speech), _stft(noisy - speech)
    mask = np.abs(clean) / (np.abs(clean) + np.abs(noise) + 1e-12)
    return speech, _istft(mask * _stft(noisy), len(speech))


def inserted_sound(speech, others, rng):
    degraded = speech.copy()
    for _ in range(3):
        burst = others[0][: rng.integers(1600, 8000)] * rng.uniform(0.3, 1.5)
        start = rng.integers(0, max(1, len(speech) - len(burst)))
        degraded[start : start + len(burst)] += burst[: len(speech) - start]
    return speech, degraded


def gain(speech, others, rng):
    return speech, speech * 10 ** (rng.uniform(-30, 10) / 20)


def gain_ramp(speech, others, rng):
    return speech, speech * 10 ** (np.linspace(0, rng.uniform(-20, 10), len(speech)) / 20)


def reverberation(speech, others, rng):
    time = np.arange(int(0.4 * RATE)) / RATE
    response = rng.standard_normal(len(time)) * np.exp(-6.9 * time / rng.uniform(0.1, 0.6))
    response[0] = rng.uniform(1, 8)
    return speech, sps.fftconvolve(speech, response)[: len(speech)]


def griffin_lim(speech, others, rng):
    magnitude = np.abs(_stft(speech))
    phase = np.exp(2j * np.pi * rng.random(magnitude.shape))
    for _ in range(rng.integers(1, 12)):
        phase = np.exp(1j * np.angle(_stft(_istft(magnitude * phase, len(speech)))))
    return speech, _istft(magnitude * phase, len(speech))


def delay(speech, others, rng):
    shift = rng.integers(-3200, 3201)
    degraded = np.zeros_like(speech)
    if shift >= 0:
        degraded[shift:] = speech[: len(speech) - shift]
    else:
        degraded[:shift] = speech[-shift:]
    return speech, degraded


def delay_and_noise(speech, others, rng):
    return speech, white_noise(delay(speech, others, rng)[1], others, rng)[1]


def delay_jumps(speech, others, rng):
    """Up to five changes of the delay, each of up to 150 ms, by leaving out or inserting samples."""
    parts, before = [], 0
    for place in np.sort(rng.integers(2000, len(speech) - 2000, rng.integers(1, 6))):
        parts.append(speech[before:place])
        jump = rng.integers(-2400, 2401)
        if jump > 0:
            parts.append(1e-4 * rng.standard_normal(jump))
        before = max(before, place + max(0, -jump))
    parts.append(speech[before:])
    degraded = np.concatenate(parts)
    return speech, np.pad(degraded, (0, max(0, len(speech) - len(degraded))))[: len(speech)]


def delay_jumps_and_noise(speech, others, rng):
    reference, degraded = delay_jumps(speech, others, rng)
    return reference, white_noise(degraded, others, rng)[1]


def unequal_lengths(speech, others, rng):
    cut = rng.integers(1, len(speech) // 4)
    reference, degraded = white_noise(speech, others, rng)
    return (reference[:-cut], degraded) if rng.random() < 0.5 else (reference, degraded[:-cut])


def short(speech, others, rng):
    length = rng.integers(4000, 14000)
    loudest = int(np.argmax(sps.fftconvolve(speech**2, np.ones(length), mode="valid")))
    return white_noise(speech[loudest : loudest + length], others, rng)


def _concatenated(degradation, speech, others, rng):
    length = rng.integers(20 * RATE, 40 * RATE)
    joined = np.resize(np.concatenate([speech, *others]), length)
    return degradation(joined, others, rng)


def long_delay_jumps(speech, others, rng):
    return _concatenated(delay_jumps, speech, others, rng)


def long_delay_jumps_and_noise(speech, others, rng):
    return _concatenated(delay_jumps_and_noise, speech, others, rng)


def long_unbroken(speech, others, rng):
    """Speech without its pauses: utterances long enough for the overwritten analysis window."""
    joined = np.concatenate([speech, *others])
    blocks = joined[: len(joined) // 800 * 800].reshape(-1, 800)
    energy = (blocks**2).mean(1)
    kept = blocks[energy > 0.05 * energy.mean()].ravel()
    return delay_jumps(np.resize(kept, rng.integers(10 * RATE, 25 * RATE)), others, rng)


DEGRADATIONS = {
    function.__name__: function
    for function in (
        white_noise,
        coloured_noise,
        babble,
        low_pass,
        clipping,
        packet_loss,
        spectral_subtraction,
        ratio_mask,
        inserted_sound,
        gain,
        gain_ramp,
        reverberation,
        griffin_lim,
        delay,
        delay_and_noise,
        delay_jumps,
        delay_jumps_and_noise,
        unequal_lengths,
        short,
        long_delay_jumps,
        long_delay_jumps_and_noise,
        long_unbroken,
    )
}


def make_pair(name, recordings, seed):
    """One degraded pair as 16-bit recordings would hold it.

    Arguments
    ---------
    name : str
        Key of `DEGRADATIONS`.
    recordings : list of numpy.ndarray
        Speech at 16 kHz; the seed picks some.
    seed : int
        The same pair again for the same seed.

    Returns
    -------
    reference, degraded : numpy.ndarray
        float32, multiples of 2^-15.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    picked = [recordings[i].astype(np.float64) for i in rng.permutation(len(recordings))[:6]]
    reference, degraded = DEGRADATIONS[name](picked[0], picked[1:], rng)
    peak = max(np.abs(reference).max(), np.abs(degraded).max(), 1.0)
    return tuple(
        np.round(x / peak * 32767).astype(np.int16).astype(np.float32) / 32768 for x in (reference, degraded)
    )
