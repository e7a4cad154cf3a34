"""Mel spectra in files: NumPy's own formats, with what they were made with where the format can say it."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sb_resizegan.utils.files import replacing

__all__ = ["MEL_ENDINGS", "read_mel", "write_mel"]

MEL_ENDINGS = (".npy", ".npz")


def write_mel(path: str | os.PathLike, mel: np.ndarray, settings: Mapping[str, int]) -> None:
    """Writes a mel spectrum and its settings.

    Arguments
    ---------
    path : str or Path
        Ending in ``.npz``.
    mel : numpy.ndarray
        ``(n_mels, frames)``.
    settings : dict of str to int
        ``sample_rate``, ``hop_length`` and whatever else `read_mel()` shall compare.

    Raises
    ------
    ValueError
        For another ending or shape.
    OSError
        If the file cannot be written; one that was there stays as it was.

    Example
    -------
    >>> path = getfixture("tmp_path") / "mel.npz"
    >>> write_mel(path, np.zeros((80, 5), np.float32), {"sample_rate": 16000})
    >>> read_mel(path, {"sample_rate": 16000}).shape
    (80, 5)
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path}: expected the ending .npz, but got {path.suffix!r}")
    if mel.ndim != 2:
        raise ValueError(f"mel: expected shape (n_mels, frames), but got {mel.shape}")
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        arrays: dict[str, Any] = {"mel": np.asarray(mel, np.float32), **settings}
        np.savez(stream, **arrays)


def read_mel(path: str | os.PathLike, settings: Mapping[str, int]) -> np.ndarray:
    """Reads a mel spectrum; nothing in the file is run.

    Arguments
    ---------
    path : str or Path
        A ``.npz`` of `write_mel()`, or a ``.npy`` with the array ``(n_mels, frames)`` alone.
    settings : dict of str to int
        What the file's own settings are compared with, where it holds them: ``sample_rate``,
        ``hop_length``.

    Returns
    -------
    numpy.ndarray
        ``(n_mels, frames)``, float32.

    Raises
    ------
    ValueError
        Naming the file: for another format, a file that is cut off or damaged, another shape or kind of
        numbers, or other settings.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    if path.suffix not in MEL_ENDINGS:
        raise ValueError(f"{path}: expected a mel file ({' or '.join(MEL_ENDINGS)}), but got {path.suffix!r}")
    try:
        loaded = np.load(path, allow_pickle=False)
        own = {"mel": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(
            f"{path}: expected a mel spectrum, but the file is cut off or damaged: {reason}"
        ) from error
    mel = own.pop("mel", None)
    if mel is None:
        raise ValueError(f"{path}: expected an array named mel, but got {sorted(own)}")
    if mel.ndim != 2 or mel.dtype.kind != "f":
        raise ValueError(f"{path}: expected floats (n_mels, frames), but got {mel.dtype} {mel.shape}")
    for key, expected in settings.items():
        if key in own and own[key].item() != expected:
            raise ValueError(f"{path}: {key}: expected {expected}, but its mel spectrum has {own[key]}")
    return mel.astype(np.float32)
