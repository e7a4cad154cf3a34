"""Pairs of noisy and clean utterances: read from their manifest and files, whole, to validate and test on."""

import itertools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sb_resizegan.dataio.audio import UnusableAudioError
from sb_resizegan.dataio.long_signal import Signal, cut_alike, read_any_length
from sb_resizegan.dataio.manifests import read_manifest
from sb_resizegan.dataio.prepare.pair_checks import within_tolerance
from sb_resizegan.dataio.prepare.pair_lists import COLUMNS, SIDES, WAV_KEYS

__all__ = ["Utterance", "measured_snr_db", "read_pair", "read_pair_manifest", "read_utterances"]


PART_SECONDS = 60  # of a long recording


class Utterance(NamedTuple):
    """A noisy utterance and what it would be without noise."""

    name: str
    """Unlike that of any other utterance of the set."""

    noisy: np.ndarray
    """Float32, ``(time,)``."""

    clean: np.ndarray
    """The same length."""

    snr_db: float | None = None
    """Signal-to-noise ratio as the corpus states it, None if it doesn't."""


def read_utterances(
    manifest_json: str | Path, data_root: str | Path | None = None, sample_rate: int = 16000
) -> list[Utterance]:
    """Reads all pairs of a manifest.

    Those above 10 minutes come in parts of a minute at most, ``a-001``, ``a-002`` and so on: models and
    scores take utterances whole.

    Arguments
    ---------
    manifest_json : str or Path
        Of pairs; see `read_pair_manifest()`.
    data_root : str or Path, optional
        What ``{data_root}`` in its paths stands for.
    sample_rate : int
        In Hz; files at other rates are resampled.

    Returns
    -------
    list of Utterance
        Sorted by name.

    Raises
    ------
    FileNotFoundError, ValueError, UnusableAudioError
        As `read_pair_manifest()` and `read_pair()`.

    Example
    -------
    >>> import json, soundfile
    >>> folder = getfixture("tmp_path")
    >>> soundfile.write(folder / "a.wav", np.ones(8000), 16000)
    >>> path = "{data_root}/a.wav"
    >>> pair = {"clean_wav": path, "noisy_wav": path, "length": 0.5, "snr_db": 5}
    >>> _ = (folder / "test.json").write_text(json.dumps({"a": pair}))
    >>> [(u.name, u.noisy.shape, u.snr_db) for u in read_utterances(folder / "test.json", folder)]
    [('a', (8000,), 5)]
    """
    entries = read_pair_manifest(manifest_json, data_root)
    return [
        utterance
        for name, entry in sorted(entries.items())
        for utterance in _utterances(name, entry, sample_rate, Path(manifest_json).parent)
    ]


def _utterances(name: str, entry: dict, sample_rate: int, folder: Path) -> list[Utterance]:
    noisy, clean = read_pair(entry, sample_rate, folder)
    if isinstance(noisy, np.ndarray) and isinstance(clean, np.ndarray):
        return [Utterance(name, noisy, clean, entry.get("snr_db"))]
    # About equal ones: none is too short to be scored.
    count = math.ceil(len(noisy) / (PART_SECONDS * sample_rate))
    edges = [len(noisy) * number // count for number in range(count + 1)]
    return [
        Utterance(f"{name}-{number:03d}", noisy[first:last], clean[first:last], entry.get("snr_db"))
        for number, (first, last) in enumerate(itertools.pairwise(edges), 1)
    ]


def read_pair_manifest(manifest_json: str | Path, data_root: str | Path | None = None) -> dict:
    """Reads a manifest of pairs and fills in its paths.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_pairs``, SpeechBrain's VoiceBank recipe, or made by hand: ``{id: {"clean_wav",
        "noisy_wav", "length"}}``, paths and seconds, also ``clean`` and ``noisy``; "snr_db" optional.
    data_root : str or Path, optional
        Stands for ``{data_root}`` in its paths.

    Returns
    -------
    dict
        Entry by id, whose files are ``clean`` and ``noisy``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't a manifest of pairs, needs a ``data_root`` that wasn't given, or lists nothing.

    Example
    -------
    >>> path = getfixture("tmp_path") / "test.json"
    >>> pair = '{"clean_wav": "/c.wav", "noisy_wav": "{data_root}/n.wav", "length": 1.5}'
    >>> _ = path.write_text(f'{{"a": {pair}}}')
    >>> read_pair_manifest(path, "/corpus")["a"]["noisy"]
    '/corpus/n.wav'
    """
    pairs = {}
    for name, entry in read_manifest(manifest_json, data_root).items():
        entry = {COLUMNS.get(key, key): value for key, value in entry.items()}
        missing = [WAV_KEYS.get(key, key) for key in (*SIDES, "length") if key not in entry]
        if missing:
            raise ValueError(
                f"{manifest_json}, {name!r}: expected clean_wav, noisy_wav and length, but lacks {missing}"
            )
        pairs[name] = entry
    return pairs


def read_pair(entry: dict, sample_rate: int, folder: str | Path | None = None) -> tuple[Signal, Signal]:
    """Reads both sides of a pair, cut to the shorter one.

    Arguments
    ---------
    entry : dict
        From ``read_pair_manifest``.
    sample_rate : int
        In Hz; files at another rate are resampled.
    folder : str or Path, optional
        Where a pair above 10 minutes goes; see `LongSignal`.

    Returns
    -------
    tuple of numpy.ndarray, or of LongSignal
        Noisy and clean, each ``(time,)``, float32.

    Raises
    ------
    UnusableAudioError
        If a file cannot be read, holds NaN or Inf, or differs in length by more than 5 ms from its partner.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> for name in ("clean", "noisy"):
    ...     soundfile.write(folder / f"{name}.wav", np.zeros(4410), 44100)
    >>> noisy, clean = read_pair({side: folder / f"{side}.wav" for side in ("clean", "noisy")}, 16000)
    >>> noisy.shape, clean.shape
    ((1600,), (1600,))
    """
    signals = []
    for side in ("noisy", "clean"):
        signals.append(read_any_length(entry[side], sample_rate, folder))
    lengths = [len(signal) for signal in signals]
    if not within_tolerance(lengths[0] / sample_rate, lengths[1] / sample_rate, sample_rate):
        raise UnusableAudioError(
            "different lengths", entry["noisy"], f"{lengths[0]} samples, but {lengths[1]} in {entry['clean']}"
        )
    noisy, clean = cut_alike(signals, sample_rate)
    return noisy, clean


def measured_snr_db(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Signal-to-noise ratio of an utterance: the clean part of the noisy signal over all else in it.

    The clean part is the clean signal with the gain that leaves the least energy over.

    Arguments
    ---------
    noisy, clean : numpy.ndarray
        ``(time,)``.

    Returns
    -------
    float
        In dB; NaN if either is silent or not finite, infinite where there is no noise.

    Example
    -------
    >>> clean, noise = np.random.default_rng(0).standard_normal((2, 160000))
    >>> round(measured_snr_db(0.3 * (clean + 0.1 * noise), clean), 1)
    20.0
    """
    noisy, clean = np.asarray(noisy, dtype=np.float64), np.asarray(clean, dtype=np.float64)
    energy = clean @ clean
    if not (np.isfinite(energy) and np.isfinite(noisy @ noisy) and energy > 0 and noisy.any()):
        return float("nan")
    part = (noisy @ clean / energy) * clean
    rest = noisy - part
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(part @ part / np.float64(rest @ rest)))
