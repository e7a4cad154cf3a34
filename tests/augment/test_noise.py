"""Coloured noise has the slope that was asked for; babble is the sum of other voices."""

import numpy as np
import pytest
from scipy.signal import welch

from sb_resizegan.augment.noise import babble_noise, coloured_noise, random_colour
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.random import Draws

RATE = 16000


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_slope_level_and_distribution(exponent):
    noise = np.stack([coloured_noise(Draws(0, 0, row), 32000, RATE, exponent) for row in range(20)])
    assert noise.dtype == np.float32
    np.testing.assert_allclose(np.sqrt(np.mean(noise**2, axis=1)), 1.0, rtol=1e-4)
    frequency, density = welch(noise, RATE, nperseg=4096)
    band = (frequency > 100) & (frequency < 7500)
    decibels = 10 * np.log10(density.mean(0)[band])
    slope = np.polyfit(10 * np.log10(frequency[band]), decibels, 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.06)
    if exponent == 0.0:
        assert decibels.std() < 0.4
        assert np.mean(noise**4) == pytest.approx(3.0, abs=0.1)
        neighbours = np.corrcoef(noise[0], noise[1])[0, 1]
        assert abs(neighbours) < 0.03


@pytest.mark.parametrize("samples", [1, 31, 32003])
def test_any_length(samples):
    noise = coloured_noise(Draws(0, 0), samples, RATE, 1.0)
    assert noise.shape == (samples,) and np.isfinite(noise).all()


def test_colours():
    exponents = np.array([random_colour(Draws(0, 0, row)) for row in range(800)])
    for exponent in (0.0, 1.0, 2.0):
        assert np.mean(exponents == exponent) == pytest.approx(0.25, abs=0.05)
    assert exponents.min() >= -1 and exponents.max() <= 2.5


def test_babble_is_denser_than_speech(corpus_folder, tmp_path):
    """With many voices at once, pauses vanish: the levels of frames spread less than one voice's."""
    speech = Recordings(corpus_folder, cache_folder=tmp_path)

    def spread(waveform):
        frames = 10 * np.log10(np.mean(waveform[:32000].reshape(-1, 320) ** 2, axis=1) + 1e-7)
        return frames.std()

    babble = [spread(babble_noise(speech, Draws(0, 0, row), 32000)) for row in range(20)]
    voices = [spread(speech.read(number)) for number in np.flatnonzero(speech.lengths > 32000)[:20]]
    assert np.median(babble) < 0.6 * np.median(voices)


def test_target_is_not_among_the_voices(small_corpus, tmp_path):
    """Of two recordings, the other one is all that is left: babble then doesn't depend on the target's."""
    speech = Recordings([*sorted(small_corpus.glob("*.wav"))[:2]], cache_folder=tmp_path)

    class Recorded:
        """Notes which recordings are read."""

        def __init__(self):
            self.read_ones = set()

        def __getattr__(self, name):
            return getattr(speech, name)

        def __len__(self):
            return len(speech)

        def read(self, recording, *arguments):
            self.read_ones.add(recording)
            return speech.read(recording, *arguments)

    for target in (0, 1):
        recorded = Recorded()
        babble_noise(recorded, Draws(0, 0), 16000, target)
        assert recorded.read_ones == {1 - target}
