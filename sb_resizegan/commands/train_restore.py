"""Train a generator that restores what was lost and score it, in the order of a SpeechBrain recipe."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main
from speechbrain.utils.logger import get_logger

from sb_resizegan.brains import RestorationBrain
from sb_resizegan.commands.train_enhance import (
    check_sources,
    finish,
    make_monitor,
    measure_epoch,
    summarise,
)
from sb_resizegan.evaluation.systems import load_system
from sb_resizegan.models import RestoringGenerator
from sb_resizegan.models.adoption import adopt_weights
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.fitting import fit_brain
from sb_resizegan.training.restoration_data import degradations_of, load_restoration_data
from sb_resizegan.training.run import (
    experiment_folder,
    init_processes,
    load_settings,
    one_line_errors,
    parse_arguments,
    training_stream,
)
from sb_resizegan.training.run_checks import RunError

logger = get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command; settings that cannot be run end it with one line.

    Arguments
    ---------
    arguments : sequence of str, optional
        A yaml, its keys, SpeechBrain's run options; those of the process by default.
    """
    keep_cpu_fast()
    start = time.monotonic()
    with one_line_errors():
        command = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        run_opts = command.run_opts
        init_processes(run_opts)
        hparams, resolved = load_settings(command, "restoration", check_settings)
        with experiment_folder(hparams, resolved, command.yaml) as folder:
            source, utterances, batches = load_restoration_data(hparams)
            if hparams["compare_with"] is not None:
                load_system(hparams["compare_with"], "cpu")  # what is wrong with it shall show now
            if hparams["start_from"] is not None:
                start_from(hparams)
            stream = training_stream(source, hparams, run_opts)
            monitor = make_monitor(folder, utterances, hparams, run_opts)
            brain = fit_brain(
                RestorationBrain,
                hparams,
                run_opts,
                stream,
                batches,
                on_epoch=lambda epoch, brain: measure_epoch(epoch, brain, monitor),
            )
            run_on_main(finish, args=(hparams, utterances, brain))
            if if_main_process():
                summarise(hparams, time.monotonic() - start)


def check_settings(values: Mapping[str, Any], run_opts: Any) -> None:
    """Raises a `RunError` for settings that would fail, or mean nothing, after minutes."""
    try:
        degradations_of(values)
    except ValueError as error:
        raise RunError(error) from error
    if values["clean"] is None and (values["noise"] is not None or values["rir"] is not None):
        raise RunError("clean: expected speech to degrade beside noise or rir, but got none")
    check_sources(values, ("clean", "noise", "rir"))
    if values["sample_rate"] != 16000:  # the validation scores it
        raise RunError(f"sample_rate: expected 16000 Hz, which PESQ wants, but got {values['sample_rate']}")
    if values.get("frozen_estimate") and values["start_from"] is None:
        raise RunError("start_from: expected an enhancer, for a frozen estimate never learns, but got null")
    longest, seconds = max(values.get("energy_scales", [0])), values["segment_seconds"]
    if longest > seconds * values["sample_rate"]:
        raise RunError(f"energy_scales: expected at most the {seconds:g} s of a segment, but got {longest}")
    if run_opts["test_only"]:
        raise RunError("--test_only: `sb-resizegan evaluate` scores a trained model")


def start_from(hparams: Mapping[str, Any]) -> None:
    """Gives the generator the weights of a restorer, or its estimate those of an enhancer."""
    generator, start = hparams["generator"], load_system(hparams["start_from"], "cpu").mods.generator
    target = generator if isinstance(start, RestoringGenerator) else generator.estimate
    try:
        remarks = adopt_weights(target, start.state_dict())
    except ValueError as error:
        raise RunError(f"start_from: {hparams['start_from']} is another architecture: {error}") from error
    for line in remarks:
        logger.info("start_from %s: %s", hparams["start_from"], line)
