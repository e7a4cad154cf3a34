"""Sounds to listen to: written without clipping, in folders whose names any file system takes."""

import re
from pathlib import Path

import numpy as np
import torch

from sb_resizegan.dataio.sinks import write_audio

__all__ = ["folder_name", "write_signal"]


def folder_name(position: int, name: str) -> str:
    """Name of the folder of the sounds of an utterance: letters, digits, dots and hyphens alone.

    Arguments
    ---------
    position : int
        Its place among those shown, from 0.
    name : str
        Its name.

    Returns
    -------
    str

    Example
    -------
    >>> folder_name(0, "p232/p232 001")
    '1_p232_p232_001'
    """
    return f"{position + 1}_{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[-100:]}"


def write_signal(path: str | Path, signal: np.ndarray, sample_rate: int) -> None:
    """Writes a sound without clipping it: what goes beyond full scale is turned down as a whole.

    Arguments
    ---------
    path : str or Path
        The file; its folder is made if need be.
    signal : numpy.ndarray
        ``(time,)``. Samples that are not finite are written as zeros.
    sample_rate : int
        In Hz.
    """
    signal = np.nan_to_num(np.asarray(signal, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    peak = np.abs(signal).max(initial=1.0)
    write_audio(path, torch.from_numpy(signal / peak), sample_rate)
