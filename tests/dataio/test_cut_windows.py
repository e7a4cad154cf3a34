"""Windows of recordings as they are."""

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.dataio.cut_windows import cut_windows


def test_joined_windows_come_apart_where_they_were_joined(tmp_path):
    joined = 0.5 * torch.rand(20, 1024, generator=torch.Generator().manual_seed(0)) - 0.25
    soundfile.write(tmp_path / "joined.wav", joined.flatten().numpy(), 16000, subtype="FLOAT")
    cut = cut_windows(tmp_path, 20, window_samples=1024)
    assert torch.equal(cut.windows, joined)
    assert cut_windows(tmp_path / "joined.wav", 7, 1024).windows.shape == (7, 1024)


def test_the_seed_chooses_the_windows(small_corpus):
    one, same, other = (cut_windows(small_corpus, 50, seed=seed).windows for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_low_pass_and_other_rates(tmp_path):
    time = np.arange(48000) / 48000
    two_tones = 0.2 * (np.sin(2 * np.pi * 1000 * time) + np.sin(2 * np.pi * 3000 * time))
    soundfile.write(tmp_path / "a.wav", two_tones, 48000)
    cut = cut_windows(tmp_path, 10, lowpass_hz=1500)
    assert cut.resampled == {48000: 1}
    spectrum = torch.fft.rfft(cut.windows[2:5].double() * torch.hann_window(2048)).abs().mean(0)
    assert spectrum.argmax() == 128
    assert spectrum[3 * 128] < 1e-3 * spectrum[128]


def test_what_cannot_be_used_is_named(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.ones(100), 16000)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(ValueError, match="none of 2 files holds a window of 2048 samples"):
        cut_windows(tmp_path, 10)
    soundfile.write(tmp_path / "good.ogg", 0.3 * np.random.default_rng(0).standard_normal(5000), 16000)
    cut = cut_windows(tmp_path, 10)
    assert (cut.files, len(cut.windows)) == (1, 2)
    assert {path.rsplit("/")[-1] for path in cut.skipped} == {"short.wav", "empty.wav"}
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        cut_windows(tmp_path / "nowhere", 10)
    with pytest.raises(ValueError, match="expected audio files in this folder"):
        (tmp_path / "bare").mkdir()
        cut_windows(tmp_path / "bare", 10)
    with pytest.raises(ValueError, match="lowpass_hz"):
        cut_windows(tmp_path, 10, lowpass_hz=9000)
