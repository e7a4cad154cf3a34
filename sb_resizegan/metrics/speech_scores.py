"""Scores of an utterance of enhanced speech beside clean speech: one pair of signals in, numbers out.

Each function takes clean speech and what is scored, float32 arrays ``(time,)`` of one length at 16 kHz,
neither of them silent or with samples that are not finite. :data:`SCORES` lists them by name. This package's
own PESQ is :mod:`sb_resizegan.metrics.pesq`, which takes a batch.
"""

import importlib
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch

__all__ = [
    "SCORES",
    "PairScore",
    "SpeechScore",
    "dnsmos",
    "intelligibility",
    "official_pesq",
    "score_pair",
    "si_sdr",
]

SAMPLE_RATE = 16000
STOI_SECONDS = 0.4  # of 30 frames, the fewest that STOI is defined for


class PairScore(NamedTuple):
    """What a pair was given."""

    figures: dict
    """By the name of a measure; one that the pair has none of is missing."""

    notes: list
    """Why one is missing, or what else a reader of the figures should know."""


class SpeechScore(NamedTuple):
    """A way to score a pair."""

    columns: tuple
    """Measures that it gives, names of :data:`sb_resizegan.metrics.measures.MEASURES`."""

    score: Callable
    """From clean speech and what is scored to a :class:`PairScore`."""

    package: str = ""
    """What has to be installed for it."""

    extra: str = ""
    """The extra of this package that installs it."""

    def missing(self) -> str:
        """Why it cannot be had here, in words; empty where it can be."""
        if not self.package:
            return ""
        try:
            importlib.import_module(self.package)
        except ImportError as error:
            brings = f" pip install 'sb_resizegan[{self.extra}]' brings what it needs." if self.extra else ""
            return f"{error}.{brings}"
        return ""


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> PairScore:
    """Scale-invariant signal-to-distortion ratio in dB, SpeechBrain's SI-SNR.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        ``(time,)``.

    Returns
    -------
    PairScore

    Example
    -------
    >>> speech, noise = np.random.default_rng(0).standard_normal((2, 16000))
    >>> round(si_sdr(speech, 0.5 * speech + 0.05 * noise).figures["si_sdr_db"])
    20
    """
    from speechbrain.nnet.losses import cal_si_snr

    columns = [torch.from_numpy(x).view(-1, 1, 1) for x in _full_scale(reference, estimate)]
    return PairScore({"si_sdr_db": -float(cal_si_snr(*columns))}, [])


def intelligibility(reference: np.ndarray, estimate: np.ndarray) -> PairScore:
    """STOI and ESTOI of the package ``pystoi``; none for less than 30 frames of speech.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        ``(time,)``, at 16 kHz.

    Returns
    -------
    PairScore

    Example
    -------
    >>> intelligibility(np.ones(100), np.ones(100))
    PairScore(figures={}, notes=['stoi, estoi: under 0.4 s'])
    """
    from pystoi import stoi

    if len(reference) < STOI_SECONDS * SAMPLE_RATE:
        return PairScore({}, [f"stoi, estoi: under {STOI_SECONDS} s"])
    figures, notes = {}, []
    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 where fewer than 30 frames have speech.
        warnings.filterwarnings("error", category=RuntimeWarning)
        for name, extended in (("stoi", False), ("estoi", True)):
            try:
                signals = _full_scale(reference, estimate)
                figures[name] = float(stoi(*signals, SAMPLE_RATE, extended=extended))
            except RuntimeWarning as warning:
                notes.append(f"{name}: {str(warning).split('.')[0]}")
    return PairScore(figures, notes)


def official_pesq(reference: np.ndarray, estimate: np.ndarray) -> PairScore:
    """PESQ-WB of the package ``pesq``.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        ``(time,)``, at 16 kHz.

    Returns
    -------
    PairScore

    Example
    -------
    >>> official_pesq(np.ones(100, dtype=np.float32), np.ones(100, dtype=np.float32)).notes
    ['pesq package refused: BufferTooShortError']
    """
    import pesq as package

    try:
        score = float(package.pesq(SAMPLE_RATE, reference, estimate, "wb"))
    except (package.PesqError, ValueError) as error:
        return PairScore({}, [f"pesq package refused: {type(error).__name__}"])
    return PairScore({"pesq_wb_official": score}, [])


def dnsmos(reference: np.ndarray, estimate: np.ndarray) -> PairScore:
    """DNSMOS P.835 of the package ``speechmos``, which hears what is scored alone.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        ``(time,)``, at 16 kHz; what exceeds full scale is turned down as a whole.

    Returns
    -------
    PairScore
    """
    from speechmos import dnsmos as package

    notes = []
    peak = np.abs(estimate).max()
    if peak > 1:
        notes.append(f"DNSMOS: scaled to full scale, from {20 * np.log10(peak):.1f} dB above")
        estimate = estimate / peak
    found = package.run(estimate, sr=SAMPLE_RATE)
    figures = {f"dnsmos_{name}": float(found[f"{name}_mos"]) for name in ("sig", "bak", "ovrl")}
    return PairScore(figures, notes)


SCORES = {
    "si_sdr": SpeechScore(("si_sdr_db",), si_sdr),
    "intelligibility": SpeechScore(("stoi", "estoi"), intelligibility, "pystoi", "scores"),
    "official_pesq": SpeechScore(("pesq_wb_official",), official_pesq, "pesq", "scores"),
    "dnsmos": SpeechScore(("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"), dnsmos, "speechmos.dnsmos", "dnsmos"),
}


def score_pair(reference: np.ndarray, estimate: np.ndarray, names: Iterable[str]) -> PairScore:
    """Scores a pair in several ways.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        Clean speech and what is scored, ``(time,)``, float32, at 16 kHz.
    names : iterable of str
        Keys of :data:`SCORES`.

    Returns
    -------
    PairScore
        Figures for all columns, NaN where there is none; all are NaN where a signal is silent or not finite.

    Example
    -------
    >>> speech = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> score_pair(speech, 0 * speech, ["si_sdr"]).figures
    {'si_sdr_db': nan}
    """
    names = list(names)
    figures, notes = {column: float("nan") for name in names for column in SCORES[name].columns}, []
    finite = np.isfinite(reference).all() and np.isfinite(estimate).all()
    if finite and np.any(reference) and np.any(estimate):
        for name in names:
            found = SCORES[name].score(reference, estimate)
            figures.update(found.figures)
            notes += found.notes
    return PairScore(figures, notes)


def _full_scale(*signals: np.ndarray) -> list[np.ndarray]:
    """Signals with a peak of 1: so that constants inside a measure without scale mean the same for all."""
    return [signal.astype(np.float64) / np.abs(signal).max() for signal in signals]
