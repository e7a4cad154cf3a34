"""Whole utterances of noisy and clean speech, to validate and to test on."""

from typing import NamedTuple

import numpy as np

from sb_resizegan.dataio.pairs import read_pair, read_pair_manifest

__all__ = ["Utterance", "measured_snr_db", "read_utterances"]


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


def read_utterances(manifest_json, data_root=None, sample_rate=16000):
    """Reads all pairs of a manifest.

    Arguments
    ---------
    manifest_json : str or Path
        SpeechBrain's json: ``{id: {"clean": path, "noisy": path, "length": seconds, "snr_db": optional}}``.
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
        As :func:`~sb_resizegan.dataio.pairs.read_pair_manifest` and ``read_pair``.

    Example
    -------
    >>> import json, soundfile
    >>> folder = getfixture("tmp_path")
    >>> soundfile.write(folder / "a.wav", np.ones(8000), 16000)
    >>> pair = {"clean": "{data_root}/a.wav", "noisy": "{data_root}/a.wav", "length": 0.5, "snr_db": 5}
    >>> _ = (folder / "test.json").write_text(json.dumps({"a": pair}))
    >>> [(u.name, u.noisy.shape, u.snr_db) for u in read_utterances(folder / "test.json", folder)]
    [('a', (8000,), 5)]
    """
    entries = read_pair_manifest(manifest_json, data_root)
    return [
        Utterance(name, *read_pair(entry, sample_rate), entry.get("snr_db"))
        for name, entry in sorted(entries.items())
    ]


def measured_snr_db(noisy, clean):
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
