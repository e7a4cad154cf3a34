"""What some other enhancer made of the utterances, read from a folder, to stand beside this package's."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.finding import files_below, why_left_out
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.utterances import Utterance

__all__ = ["MissingOutputError", "constant_lag", "read_enhanced_folder", "read_transcripts"]

MOST_LAG_SECONDS = 0.2


class MissingOutputError(ValueError):
    """A folder that lacks the output of an utterance, or a list of transcripts that does not fit."""


def read_enhanced_folder(
    folder: str | Path, utterances: Sequence[Utterance], sample_rate: int = 16000
) -> tuple[list[np.ndarray], int]:
    """Reads the enhanced version of each utterance and undoes the delay that is common to them.

    Arguments
    ---------
    folder : str or Path
        Holds a file for each utterance, with its name and any suffix, at any sampling rate.
    utterances : sequence of Utterance
        Whose.
    sample_rate : int
        In Hz, of the utterances; files at other rates are resampled.

    Returns
    -------
    outputs : list of numpy.ndarray
        In the order of the utterances, each of its utterance's length: what is too long is cut off, what is
        missing at the end is silence.
    lag : int
        By how many samples they came too late, all of them alike.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    MissingOutputError
        If it lacks an utterance.
    UnusableAudioError
        If a file cannot be decoded.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder of enhanced files, but there is none")
    paths = {}
    for relative in files_below(folder):
        if why_left_out(folder / relative) is None:
            paths[os.path.splitext(relative)[0]] = folder / relative
    missing = [utterance.name for utterance in utterances if utterance.name not in paths]
    if missing:
        raise MissingOutputError(
            f"{folder}: expected a file for each of {len(utterances)} utterances, but {len(missing)} are "
            f"missing, such as {missing[0]!r}"
        )
    signals = []
    for utterance in utterances:
        waveform, rate = read_mono(paths[utterance.name])
        signals.append(np.asarray(resample(waveform, rate, sample_rate), dtype=np.float32))
    lag = constant_lag(signals, [utterance.clean for utterance in utterances], sample_rate)
    return [
        _shifted(signal, lag, len(utterance.clean))
        for signal, utterance in zip(signals, utterances, strict=True)
    ], lag


def constant_lag(
    signals: Sequence[np.ndarray], references: Sequence[np.ndarray], sample_rate: int = 16000
) -> int:
    """By how many samples signals are late, if all are late alike: the median over them.

    Arguments
    ---------
    signals, references : sequence of numpy.ndarray
        ``(time,)`` each; a signal resembles its reference.
    sample_rate : int
        In Hz. A lag of up to a fifth of a second to either side is found.

    Returns
    -------
    int

    Example
    -------
    >>> speech = np.random.default_rng(0).standard_normal((3, 8000))
    >>> constant_lag([np.roll(x, 160) for x in speech], speech)
    160
    """
    most, lags = round(MOST_LAG_SECONDS * sample_rate), []
    for signal, reference in zip(signals, references, strict=True):
        size = next_fast_len(len(signal) + len(reference) + most, real=True)
        likeness = irfft(rfft(signal, n=size) * np.conj(rfft(reference, n=size)), n=size)
        near = np.concatenate([likeness[-most:], likeness[: most + 1]])
        if np.any(near):
            lags.append(int(near.argmax()) - most)
    return int(np.median(lags)) if lags else 0


def read_transcripts(path: str | Path, names: Sequence[str]) -> list[str | None]:
    """Reads what was said.

    Arguments
    ---------
    path : str or Path
        A csv list with the columns ``id`` and ``transcript``.
    names : sequence of str
        Of the utterances.

    Returns
    -------
    list of str or None
        In the order of the names; None for those that the list lacks.

    Raises
    ------
    MissingOutputError
        If it is no such list, or names an utterance that there is not.
    """
    with open(path, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns, rows = reader.fieldnames or [], list(reader)
    if not {"id", "transcript"} <= set(columns):
        raise MissingOutputError(f"{path}: expected the columns 'id' and 'transcript', but got {columns}")
    found = {row["id"]: row["transcript"] for row in rows}
    strangers = sorted(set(found) - set(names))
    if strangers:
        raise MissingOutputError(
            f"{path}: expected transcripts of the utterances, but there is no file for {strangers[0]!r}"
        )
    return [found.get(name) for name in names]


def _shifted(signal: np.ndarray, lag: int, length: int) -> np.ndarray:
    result = np.zeros(length, dtype=np.float32)
    part = signal[max(lag, 0) :][: length - max(-lag, 0)]
    result[max(-lag, 0) :][: len(part)] = part
    return result
