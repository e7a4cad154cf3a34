"""Whole pairs of utterances from a manifest, one by one or in padded batches of like length."""

from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from sb_resizegan.dataio.audio import UnusableAudioError, read_mono, resample
from sb_resizegan.dataio.draws import check_count
from sb_resizegan.dataio.manifest_files import read_manifest
from sb_resizegan.dataio.paired_checks import within_tolerance

__all__ = ["PairBatch", "PairedUtterances", "read_pair", "read_pair_manifest"]


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


class PairBatch(NamedTuple):
    """Some whole pairs, padded with zeros to the longest.

    Arguments
    ---------
    ids : list of str
        From the manifest.
    noisy, clean : torch.Tensor
        ``(batch, time)``, float32.
    lengths : torch.Tensor
        ``(batch,)``: the part of ``time`` that each row fills.
    snr_db : list of float or None
        As the corpus states it; None where it doesn't.
    sample_rate : int
        In Hz.

    Example
    -------
    >>> batch = PairBatch(["a"], torch.zeros(1, 800), torch.zeros(1, 800), torch.ones(1), [None], 16000)
    >>> batch.to("cpu").noisy.shape
    torch.Size([1, 800])
    """

    ids: list
    noisy: torch.Tensor
    clean: torch.Tensor
    lengths: torch.Tensor
    snr_db: list
    sample_rate: int

    def to(self, device, non_blocking=False):
        """The same batch with its tensors on another device.

        Arguments
        ---------
        device : str or torch.device
            Where to.
        non_blocking : bool
            As in ``torch.Tensor.to``.

        Returns
        -------
        PairBatch
        """
        tensors = (self.noisy, self.clean, self.lengths)
        noisy, clean, lengths = (tensor.to(device, non_blocking=non_blocking) for tensor in tensors)
        return self._replace(noisy=noisy, clean=clean, lengths=lengths)


class PairedUtterances(Dataset):
    """All pairs of a manifest as padded batches, the same ones each time, shortest first.

    An item is a whole batch: ``DataLoader(utterances, batch_size=None)`` reads ahead in other processes.
    Files are read when their batch is asked for.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_pairs``; see ``read_pair_manifest``.
    sample_rate : int
        In Hz, of the batches.
    data_root : str or Path, optional
        Stands for ``{data_root}`` in the manifest's paths.
    batch_seconds : float
        A batch holds at most this much of each side, padding included; a longer utterance is alone in one.
    batch_size : int
        Most pairs in a batch.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If it isn't one, or an option is out of range.
    UnusableAudioError
        When a batch is asked for, if a file can no longer be used; its name is in the message.

    Example
    -------
    >>> import soundfile
    >>> from sb_resizegan.dataio.paired import prepare_pairs
    >>> folder = getfixture("tmp_path")
    >>> for side in ("clean", "noisy"):
    ...     (folder / side).mkdir()
    ...     for name, samples in (("a", 16000), ("b", 20000), ("c", 90000)):
    ...         soundfile.write(folder / side / f"{name}.wav", 0.1 * np.sin(np.arange(samples)), 16000)
    >>> _ = prepare_pairs(folder, folder / "manifests", split="test")
    >>> for batch in PairedUtterances(folder / "manifests" / "test.json", data_root=folder, batch_seconds=4):
    ...     print(batch.ids, batch.noisy.shape, batch.lengths)
    ['a', 'b'] torch.Size([2, 20000]) tensor([0.8000, 1.0000])
    ['c'] torch.Size([1, 90000]) tensor([1.])
    """

    def __init__(self, manifest_json, sample_rate=16000, data_root=None, batch_seconds=60.0, batch_size=32):
        check_count("sample_rate", sample_rate)
        check_count("batch_size", batch_size)
        if not batch_seconds > 0:
            raise ValueError(f"batch_seconds: expected a number above 0, but got {batch_seconds!r}")
        self.sample_rate = sample_rate
        self.entries = read_pair_manifest(manifest_json, data_root)
        self.batches = []
        names = sorted(self.entries, key=lambda name: (self.entries[name]["length"], name))
        for name in names:
            # Padding makes every one as long as the newest, which is the longest.
            size = 1 + (len(self.batches[-1]) if self.batches else batch_size)
            if size > batch_size or size * self.entries[name]["length"] > batch_seconds:
                self.batches.append([])
            self.batches[-1].append(name)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, n):
        ids = self.batches[n]
        pairs = [read_pair(self.entries[name], self.sample_rate) for name in ids]
        lengths = torch.tensor([len(noisy) for noisy, _ in pairs])
        noisy, clean = torch.zeros(2, len(ids), int(lengths.max()))
        for row, pair in enumerate(pairs):
            for side, signal in zip((noisy, clean), pair, strict=True):
                side[row, : len(signal)] = torch.from_numpy(signal)
        snr_db = [self.entries[name].get("snr_db") for name in ids]
        return PairBatch(list(ids), noisy, clean, lengths / lengths.max(), snr_db, self.sample_rate)
