"""What a restorer is trained, validated and tested on: speech that is degraded on the fly."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

import torch

from sb_resizegan.augment.degradations import Degradations
from sb_resizegan.augment.degraded_speech import DegradedSpeech
from sb_resizegan.augment.mixture_options import grouped_options
from sb_resizegan.dataio.restoration_batch import RestorationBatch
from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.training.enhancement_data import from_mixtures, recordings_of, segment_samples
from sb_resizegan.training.run_checks import RunError

__all__ = ["degradations_of", "load_restoration_data"]

SPEECH_AND_NOISE = ("level_db", "babble", "coloured", "tonal", "talker", "second_noise", "switching")
VALID_BATCH = 8


def degradations_of(hparams: Mapping[str, Any]) -> Degradations:
    """The degradations that the settings ask for; a ValueError names what is wrong, or that there are none.

    Example
    -------
    >>> degradations_of({"packet_loss": [0.1, 0.2]}).active
    ('packet_loss',)
    """
    options: dict[str, Any] = {
        field.name: hparams[field.name] for field in fields(Degradations) if field.name in hparams
    }
    ranges = {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
    return Degradations(**{**options, **ranges})


def load_restoration_data(
    hparams: Mapping[str, Any],
) -> tuple[DegradedSpeech, list[Utterance], torch.utils.data.DataLoader]:
    """A source of training batches, and what is validated on, as utterances and as batches.

    Arguments
    ---------
    hparams : dict
        The hyperparameters.

    Returns
    -------
    source : DegradedSpeech
        Of recordings that are not held out.
    utterances : list of Utterance
        To be scored.
    batches : torch.utils.data.DataLoader
        The same with their masks, to follow the objective on.

    Raises
    ------
    RunError
        If there is nothing usable, or a setting is out of range.
    """
    try:
        options = grouped_options(**{key: hparams[key] for key in SPEECH_AND_NOISE})
        del options["channels"]
        options.update(degradations=degradations_of(hparams), segment_samples=segment_samples(hparams))
        train, held_out = recordings_of(hparams, held_out=True)
        source, valid = DegradedSpeech(**train, **options), DegradedSpeech(**held_out, **options)
        batch = valid.fixed(hparams["valid_utterances"], hparams["seed"])
    except (ValueError, OSError) as error:  # nothing usable, a setting out of range, a full disk
        raise RunError(error) from error
    rows = zip(*(column.split(VALID_BATCH) for column in batch), strict=True)
    dataset = cast(torch.utils.data.Dataset, [RestorationBatch(*row) for row in rows])
    batches: torch.utils.data.DataLoader = torch.utils.data.DataLoader(dataset, batch_size=None)
    return source, from_mixtures(batch), batches
