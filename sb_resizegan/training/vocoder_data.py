"""What a vocoder is trained and validated on: segments of speech, and whole held-out utterances."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch

from sb_resizegan.augment.speech_segments import SpeechSegments
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.dataio.voices import balanced
from sb_resizegan.training.run_checks import RunError
from sb_resizegan.utils.random import FIXED, Draws

__all__ = ["held_out_utterances", "load_speech", "segment_samples", "valid_batches"]

DEFAULT_SPEECH = "prompts:en"
SHORTEST, LONGEST = 1.5, 8.0  # seconds of an utterance to validate on
VALID_BATCH = 16


def segment_samples(hparams: dict) -> int:
    """Samples of a training segment: whole frames, and half an analysis window at either end.

    Arguments
    ---------
    hparams : dict
        With ``segment_frames`` and the ``generator``.

    Returns
    -------
    int
    """
    analysis = hparams["generator"].analysis
    # Frame i is centred on sample n_fft / 2 + i hop; the last one's window, too, lies within.
    return analysis.n_fft + (hparams["segment_frames"] - 1) * analysis.hop_length


def load_speech(hparams: dict) -> tuple[SpeechSegments, list[Utterance], SpeechSegments]:
    """Reads the training's speech.

    Arguments
    ---------
    hparams : dict
        The hyperparameters.

    Returns
    -------
    train : SpeechSegments
        To train on.
    utterances : list of Utterance
        Recordings that are not trained on, to validate and test on; noisy and clean are the same.
    valid : SpeechSegments
        Segments of such recordings.

    Raises
    ------
    RunError
        Where nothing usable is found, or an option is out of range.
    """
    try:
        return _load_speech(hparams)
    except (ValueError, OSError) as error:  # nothing usable, a setting out of range, a full disk
        raise RunError(error) from error


def _load_speech(hparams: dict) -> tuple[SpeechSegments, list[Utterance], SpeechSegments]:
    source = hparams["data_folder"] or DEFAULT_SPEECH
    options = {"sample_rate": hparams["sample_rate"], "cache_folder": hparams["cache_folder"]}
    speech = Recordings(source, **options)
    held_out = hparams["valid_data"]
    train, valid = (
        speech.split(hparams["valid_fraction"], hparams["seed"])
        if held_out is None
        else (speech, Recordings(held_out, **options))
    )
    if hparams["balance_minutes"] is not None or hparams["source_weights"]:
        train = _balance(train, source, hparams)
    samples = segment_samples(hparams)
    utterances = held_out_utterances(valid, hparams["valid_utterances"], hparams["seed"])
    return (
        SpeechSegments(train, samples, hparams["level_db"]),
        utterances,
        SpeechSegments(valid, samples, hparams["level_db"]),
    )


def _balance(speech: Recordings, source: Any, hparams: Mapping[str, Any]) -> Recordings:
    """Speech in which no voice counts for more than some minutes; each source by its weight."""
    sources = source if isinstance(source, list) else [source]
    lists = [name for name in sources if str(name).lower().endswith(".csv")]
    minutes = hparams["balance_minutes"]
    most_seconds = float("inf") if minutes is None else 60 * minutes
    return balanced(speech, lists, most_seconds, hparams["source_weights"])


def held_out_utterances(speech: Recordings, count: int, seed: int) -> list[Utterance]:
    """Some recordings, whole, or the first 8 s of them; the same ones each time.

    Arguments
    ---------
    speech : Recordings
        What is chosen from; those below 1.5 s are left out.
    count : int
        How many, at most.
    seed : int
        Of the choice.

    Returns
    -------
    list of Utterance
        In the order of their names.

    Raises
    ------
    ValueError
        If all recordings are shorter.
    """
    rate = speech.sample_rate
    long = np.flatnonzero(speech.lengths >= SHORTEST * rate)
    if not len(long):
        raise ValueError(
            f"validation: expected recordings of at least {SHORTEST:g} s, but the longest of "
            f"{len(speech)} has {max(speech.lengths) / rate:.2f} s"
        )
    order = np.argsort(Draws(seed, 0, purpose=FIXED).uniform(len(long)), kind="stable")
    chosen = sorted(long[order[:count]], key=lambda number: speech.names[number])
    names = {}
    for number in chosen:
        signal = speech.read(number, 0, int(LONGEST * rate))
        name = speech.names[number]
        # Two files of one name in different folders.
        name = name if name not in names else f"{name} {number}"
        names[name] = Utterance(name, signal, signal, float("inf"))
    return list(names.values())


def valid_batches(source: SpeechSegments, count: int, seed: int) -> torch.utils.data.DataLoader:
    """Segments to follow the objective on, ``(batch, time)`` each.

    Arguments
    ---------
    source : SpeechSegments
        Of recordings that are not trained on.
    count : int
        How many segments.
    seed : int
        Of the choice.
    """
    return torch.utils.data.DataLoader(
        cast(torch.utils.data.Dataset, source.fixed(count, seed)), batch_size=VALID_BATCH
    )
