"""Pairs of real speech and noise."""

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.utterances import Utterance


@pytest.fixture(scope="session")
def utterances(speech_files):
    """Six utterances of 2 to 2.5 s at 0, 5 and 10 dB, the ratio stated for all but the last."""
    rng = np.random.default_rng(0)
    made = []
    for number, snr_db in enumerate((10, 0, 5, 5, 0, 10)):
        clean = soundfile.read(speech_files[number], dtype="float32")[0][16000 : 48000 + 1600 * number]
        noise = rng.standard_normal(len(clean))
        gain = np.sqrt(np.mean(clean**2) / np.mean(noise**2) * 10 ** (-snr_db / 10))
        noisy = (clean + gain * noise).astype(np.float32)
        made.append(Utterance(f"speech/{number}", noisy, clean, float(snr_db) if number < 5 else None))
    return made
