"""From settings, data and a monitor to a trained Brain."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from sb_resizegan.training.loader import WindowStream
from sb_resizegan.training.run import training_loggers
from sb_resizegan.training.run_checks import higher_is_better

__all__ = ["fit_brain"]

AnyBrain = TypeVar("AnyBrain")


def fit_brain(
    brain_class: Callable[..., AnyBrain],
    hparams: Mapping[str, Any],
    run_opts: Any,
    stream: WindowStream,
    valid_set: Iterable[Any],
    on_epoch: Callable[[int, Any], Mapping[str, float]],
    **options: Any,
) -> AnyBrain:
    """Makes a Brain of a task's settings and trains it, or goes on with its training.

    Arguments
    ---------
    brain_class : type
        A kind of `AdversarialBrain`.
    hparams : dict
        The settings, objects included.
    run_opts
        Those of SpeechBrain.
    stream : WindowStream
        Training batches, from `training_stream()`.
    valid_set : iterable
        Batches to follow the loss on.
    on_epoch : callable
        Measures an epoch, given its number and the Brain.
    **options
        Others of the Brain.

    Returns
    -------
    AdversarialBrain
        The Brain after its last epoch.
    """
    brain: Any = brain_class(
        hparams["modules"],
        {**hparams, "train_loggers": training_loggers(hparams)},
        len(stream),
        on_epoch=on_epoch,
        checkpoint_key=hparams["checkpoint_key"],
        highest_is_best=higher_is_better(hparams["checkpoint_key"]),
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
        **options,
    )
    hparams["checkpointer"].remove_partial()
    brain.fit(hparams["epoch_counter"], stream, valid_set)
    return brain
