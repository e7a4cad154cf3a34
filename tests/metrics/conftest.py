"""Windows of real speech for the measures."""

import numpy as np
import pytest
import soundfile
import torch


def cut_windows(paths, count, seed, samples=2048):
    """``(count, samples)`` windows at random offsets, none of them near silence, all at an RMS of 0.1."""
    rng = np.random.default_rng(seed)
    audio = [soundfile.read(path, dtype="float32")[0] for path in paths]
    windows = []
    while len(windows) < count:
        source = audio[rng.integers(len(audio))]
        start = rng.integers(len(source) - samples)
        window = source[start : start + samples]
        if window.std() > 0.01:
            windows.append(0.1 * window / window.std())
    return torch.from_numpy(np.stack(windows))


@pytest.fixture(scope="session")
def prompts(corpus_folder):
    """Prompts of at least a second."""
    return [path for path in sorted(corpus_folder.rglob("*.wav")) if soundfile.info(path).duration > 1]


@pytest.fixture(scope="session")
def real_windows(prompts):
    """1024 windows of one half of the prompts."""
    return cut_windows(prompts[::2], 1024, seed=0)


@pytest.fixture(scope="session")
def training_windows(prompts):
    """1024 windows of the other half."""
    return cut_windows(prompts[1::2], 1024, seed=1)
