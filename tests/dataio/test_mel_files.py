"""Mel spectra in files: they come back, and what is wrong with a file is said with its name."""

import numpy as np
import pytest

from sb_resizegan.dataio.mel_files import read_mel, write_mel

SETTINGS = {"sample_rate": 16000, "hop_length": 256}


def spectrum():
    return np.random.default_rng(0).standard_normal((80, 30)).astype(np.float32)


def test_a_spectrum_comes_back(tmp_path):
    mel = spectrum()
    write_mel(tmp_path / "a.npz", mel, SETTINGS)
    np.save(tmp_path / "b.npy", mel.astype(np.float64))
    for name in ("a.npz", "b.npy"):
        read = read_mel(tmp_path / name, SETTINGS)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, mel)


@pytest.mark.parametrize("name", ["a.npz", "b.npy"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named(tmp_path, name, share):
    path = tmp_path / name
    if name == "a.npz":
        write_mel(path, spectrum(), SETTINGS)
    else:
        np.save(path, spectrum())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=rf"{name}: expected a mel spectrum, but the file is cut off or dam"):
        read_mel(path, SETTINGS)


def test_a_changed_byte_of_a_spectrum_is_found(tmp_path):
    path = tmp_path / "a.npz"
    write_mel(path, spectrum(), SETTINGS)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cut off or damaged"):
        read_mel(path, SETTINGS)


@pytest.mark.parametrize("key", list(SETTINGS))
def test_other_settings_are_named(tmp_path, key):
    write_mel(tmp_path / "a.npz", spectrum(), {**SETTINGS, key: 300})
    with pytest.raises(ValueError, match=rf"a\.npz: {key}: expected {SETTINGS[key]}, but .* has 300"):
        read_mel(tmp_path / "a.npz", SETTINGS)


def test_what_is_no_spectrum_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((80, 3), np.int16))
    np.save(tmp_path / "b.npy", np.zeros((1, 80, 3)))
    np.savez(tmp_path / "c.npz", spectrum=np.zeros((80, 3)))
    np.save(tmp_path / "d.npy", np.array([print], dtype=object), allow_pickle=True)
    for name, message in (
        ("a.npy", "expected floats .* but got int16"),
        ("b.npy", r"expected floats \(n_mels, frames\), but got float64 \(1, 80, 3\)"),
        ("c.npz", r"expected an array named mel, but got \['spectrum'\]"),
        ("d.npy", "expected a mel spectrum, but .* Object arrays"),
        ("e.pt", r"expected a mel file \(\.npy or \.npz\), but got '\.pt'"),
    ):
        with pytest.raises(ValueError, match=rf"{name}: {message}"):
            read_mel(tmp_path / name, SETTINGS)
    with pytest.raises(FileNotFoundError):
        read_mel(tmp_path / "f.npy", SETTINGS)
    with pytest.raises(ValueError, match=r"ending \.npz"):
        write_mel(tmp_path / "a.npy", spectrum(), SETTINGS)
