"""Windows of any folder of recordings, as they are: for measuring, not for training."""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES, UnusableAudioError, audio_header, signal_blocks
from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.dataio.resampling import check_lowpass, low_passed_blocks

__all__ = ["CutWindows", "cut_windows"]

SILENCE_RMS = 1e-3
# Windows are drawn from a pool of this many times as many, and no more are kept in memory.
POOL = 8


class CutWindows(NamedTuple):
    """Windows, and what was not used."""

    windows: torch.Tensor
    """``(batch, time)``, float32."""

    files: int
    """How many files were read with use."""

    resampled: dict
    """Number of files by their sampling rate in Hz, where that wasn't the one asked for."""

    skipped: dict
    """Reasons by the path of a file that gave no window."""


def cut_windows(
    path: str | Path,
    num_windows: int,
    window_samples: int = 2048,
    sample_rate: int = 16000,
    lowpass_hz: float | None = None,
    seed: int = 0,
) -> CutWindows:
    """Cuts consecutive windows of a file, or of all audio files in a folder, and draws some of them.

    The first window of a file begins with the file, so that joined windows are cut where they were joined.
    Windows with an RMS below -60 dB re. full scale are left out.

    Arguments
    ---------
    path : str or Path
        An audio file, or a folder that is searched with all below it.
    num_windows : int
        How many windows are wanted. Fewer are returned where there are no more.
    window_samples : int
        Their length.
    sample_rate : int
        Sampling rate in Hz; other files are resampled.
    lowpass_hz : float or None
        Cut-off of a low-pass filter over each whole file. ``None`` leaves it out.
    seed : int
        Seed of the drawing.

    Returns
    -------
    CutWindows
        The windows, and what was resampled or skipped.

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    ValueError
        If there is no audio file, none holds a window that isn't silent, or an argument is wrong.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> soundfile.write(folder / "tone.wav", 0.5 * np.sin(np.arange(10000)), 16000)
    >>> cut_windows(folder, 100).windows.shape
    torch.Size([4, 2048])
    """
    path = Path(path)
    if num_windows < 1 or window_samples < 1:
        raise ValueError(
            f"expected at least one window of one sample, but got {num_windows} of {window_samples}"
        )
    if sample_rate < 1:
        raise ValueError(f"sample_rate: expected a rate above 0 Hz, but got {sample_rate}")
    check_lowpass(lowpass_hz, sample_rate)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    files, skipped = [path], {}
    if path.is_dir():
        reasons = {path / name: why_left_out(path / name) for name in files_below(path)}
        files = [file for file, reason in reasons.items() if reason is None]
        skipped = {str(file): reason for file, reason in reasons.items() if reason not in (None, "not audio")}
    if not files:
        raise ValueError(
            f"{path}: expected audio files in this folder ({' '.join(sorted(AUDIO_SUFFIXES))}), "
            "but found none"
        )
    rng = random.Random(seed)
    rng.shuffle(files)
    pool: list[np.ndarray] = []
    resampled: dict[int, int] = {}
    used = 0
    for file in files:
        if len(pool) >= POOL * num_windows:
            break
        try:
            rate = audio_header(file).samplerate
            count, pieces = _pieces(file, window_samples, sample_rate, lowpass_hz)
        except UnusableAudioError as error:
            skipped[str(file)] = error.reason
            continue
        if rate != sample_rate:
            resampled[rate] = resampled.get(rate, 0) + 1
        if count < window_samples:
            skipped[str(file)] = f"too short ({count} of {window_samples} samples)"
            continue
        if len(pieces) == 0:
            skipped[str(file)] = "silent"
            continue
        used += 1
        pool.extend(pieces)
    if not pool:
        first, reason = next(iter(skipped.items()))
        raise ValueError(
            f"{path}: none of {len(files)} files holds a window of {window_samples} samples "
            f"that isn't silent; {first}: {reason}"
        )
    drawn = rng.sample(range(len(pool)), min(num_windows, len(pool)))
    windows = torch.from_numpy(np.stack([pool[i] for i in sorted(drawn)]).astype(np.float32))
    return CutWindows(windows, used, resampled, skipped)


def _pieces(
    file: Path, window_samples: int, sample_rate: int, lowpass_hz: float | None
) -> tuple[int, list[np.ndarray]]:
    """How many samples a file has, and its windows that aren't silent; the rest of it is never in memory."""
    blocks = low_passed_blocks(signal_blocks(file, sample_rate), sample_rate, lowpass_hz)
    pieces: list[np.ndarray] = []
    count, waiting = 0, np.zeros(0, dtype=np.float32)
    for block in blocks:
        count += len(block)
        waiting = np.concatenate([waiting, block])
        whole = len(waiting) // window_samples * window_samples
        found = waiting[:whole].reshape(-1, window_samples)
        loud = np.sqrt(np.square(found, dtype=np.float64).mean(axis=1)) >= SILENCE_RMS
        pieces.extend(found[loud])
        waiting = waiting[whole:]
    return count, pieces
