"""Pairs of noisy and clean utterances, read from their manifest and files."""

import numpy as np

from sb_resizegan.dataio.audio import UnusableAudioError, read_mono, resample
from sb_resizegan.dataio.manifest_files import read_manifest
from sb_resizegan.dataio.paired_checks import within_tolerance

__all__ = ["read_pair", "read_pair_manifest"]


def read_pair_manifest(manifest_json, data_root=None):
    """Reads a manifest of pairs and fills in its paths.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_pairs``, or made by hand: ``{id: {"clean", "noisy", "length"}}``, "snr_db" optional.
    data_root : str or Path, optional
        Stands for ``{data_root}`` in its paths.

    Returns
    -------
    dict
        Entry by id.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't a manifest of pairs, needs a ``data_root`` that wasn't given, or lists nothing.

    Example
    -------
    >>> path = getfixture("tmp_path") / "test.json"
    >>> _ = path.write_text('{"a": {"clean": "/c.wav", "noisy": "{data_root}/n.wav", "length": 1.5}}')
    >>> read_pair_manifest(path, "/corpus")["a"]["noisy"]
    '/corpus/n.wav'
    """
    pairs = read_manifest(manifest_json, data_root)
    for name, entry in pairs.items():
        missing = [key for key in ("clean", "noisy", "length") if key not in entry]
        if missing:
            raise ValueError(
                f"{manifest_json}, {name!r}: expected clean, noisy and length, but lacks {missing}"
            )
    return pairs


def read_pair(entry, sample_rate):
    """Reads both sides of a pair, cut to the shorter one.

    Arguments
    ---------
    entry : dict
        From ``read_pair_manifest``.
    sample_rate : int
        In Hz; files at another rate are resampled.

    Returns
    -------
    tuple of numpy.ndarray
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
        waveform, rate = read_mono(entry[side])
        waveform = resample(waveform, rate, sample_rate)
        if not np.isfinite(waveform).all():
            raise UnusableAudioError("not finite", entry[side], "samples too large to be resampled")
        signals.append(waveform)
    lengths = [len(signal) for signal in signals]
    if not within_tolerance(lengths[0] / sample_rate, lengths[1] / sample_rate, sample_rate):
        raise UnusableAudioError(
            "different lengths", entry["noisy"], f"{lengths[0]} samples, but {lengths[1]} in {entry['clean']}"
        )
    noisy, clean = (signal[: min(lengths)] for signal in signals)
    return noisy, clean
