"""Train a speech enhancer and score it, in the order of a SpeechBrain recipe."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.distributed import if_main_process, infer_device, run_on_main
from speechbrain.utils.logger import get_logger

from sb_resizegan.brains import EnhancementBrain
from sb_resizegan.dataio.prepare.sources import PROMPTS
from sb_resizegan.dataio.prepare.tars import is_tar
from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.pair_evaluation import EvaluationResult, evaluate
from sb_resizegan.evaluation.scoring_options import EvaluationOptions, ScoringOptions
from sb_resizegan.evaluation.systems import as_sampler, as_system, load_system
from sb_resizegan.metrics.measures import noisy_column
from sb_resizegan.models.adoption import adopt_weights
from sb_resizegan.models.padded_batches import enhance_padded, takes_padding
from sb_resizegan.report.enhancement_page import write_enhancement_report
from sb_resizegan.report.evaluation_folder import write_evaluation
from sb_resizegan.training.checkpoint_export import export_generator
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.enhancement_data import as_batches, load_data, segment_samples
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from sb_resizegan.training.fitting import fit_brain
from sb_resizegan.training.loggers import TrainLoggers
from sb_resizegan.training.run import (
    experiment_folder,
    init_processes,
    load_settings,
    one_line_errors,
    parse_arguments,
    training_stream,
)
from sb_resizegan.training.run_checks import RunError, best_checkpoint

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
        hparams, resolved = load_settings(command, "enhancement", check_settings)
        with experiment_folder(hparams, resolved, command.yaml) as folder:
            source, utterances, test_utterances = load_data(hparams)
            if hparams["compare_with"] is not None:
                load_system(hparams["compare_with"], "cpu")  # what is wrong with it shall show now
            if hparams["start_from"] is not None:
                start_from(hparams)
            stream = training_stream(source, hparams, run_opts)
            monitor = make_monitor(folder, utterances, hparams, run_opts)
            brain = fit_brain(
                EnhancementBrain,
                hparams,
                run_opts,
                stream,
                as_batches(utterances, segment_samples(hparams)),
                on_epoch=lambda epoch, brain: measure_epoch(epoch, brain, monitor),
                on_epoch_everywhere=True,
            )
            run_on_main(finish, args=(hparams, test_utterances, brain))
            if if_main_process():
                summarise(hparams, time.monotonic() - start)


def check_settings(values: Mapping[str, Any], run_opts: Any) -> None:
    """Raises a `RunError` for settings that would fail, or mean nothing, after minutes."""
    mixed = [key for key in ("clean", "noise", "rir") if values[key] is not None]
    if values["data_folder"] is not None and mixed and not values["general_share"]:
        raise RunError(
            f"data_folder: expected either a paired corpus or {mixed} to mix, or a general_share of the "
            "mixtures above 0, but got both"
        )
    if mixed and values["clean"] is None:
        raise RunError(f"clean: expected speech to mix with {mixed}, but got none")
    check_sources(values, ("clean", "noise", "rir", "data_folder", "valid_data", "test_data"))
    if values["sample_rate"] != 16000:  # also with pesq_weight 0, for the validation scores it
        raise RunError(f"sample_rate: expected 16000 Hz, which PESQ wants, but got {values['sample_rate']}")
    if run_opts["test_only"]:
        raise RunError("--test_only: `sb-resizegan evaluate` scores a trained model")


def check_sources(values: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Raises a `RunError` for a source of data, under one of the keys, that is not there."""
    for key in keys:
        sources = values[key] if isinstance(values[key], list) else [values[key]]
        # Tars may be at other places; what reads them says what is missing.
        missing = [s for s in sources if s and not (s.startswith(PROMPTS) or is_tar(s))]
        missing = [source for source in missing if not Path(source).expanduser().exists()]
        if missing:
            raise RunError(f"{key}: expected something that is there, but there is no {missing[0]!r}")


def start_from(hparams: Mapping[str, Any]) -> None:
    """Gives the generator the weights of an exported model."""
    start = load_system(hparams["start_from"], "cpu")
    try:
        remarks = adopt_weights(hparams["generator"], start.mods.generator.state_dict())
    except ValueError as error:
        raise RunError(f"start_from: {hparams['start_from']} is another architecture: {error}") from error
    for line in remarks:
        logger.info("start_from %s: %s", hparams["start_from"], line)


def make_monitor(
    folder: Path, utterances: Sequence[Utterance], hparams: Mapping[str, Any], run_opts: Any
) -> EnhancementMonitor:
    """What measures the generator at the end of each epoch; each process has one, for its share."""
    device = run_opts["device"] or infer_device()
    try:
        return EnhancementMonitor(folder, utterances, hparams["sample_rate"], device=device)
    except ValueError as error:  # PESQ refuses all of them
        raise RunError(f"validation: {error}") from error


def measure_epoch(epoch: int, brain: Any, monitor: Any) -> Mapping[str, float]:
    """Figures of the averaged generator; sounds and spectrograms go to the folder and to TensorBoard."""
    generator = brain.generator_average.module
    if takes_padding(generator):
        figures = monitor.epoch(epoch, lambda *batch: enhance_together(brain, *batch), padded=True)
    else:
        figures = monitor.epoch(epoch, lambda noisy: enhance(brain, noisy))
    if if_main_process():
        monitor.log(brain.hparams.train_loggers.tensorboard.writer, epoch)
    return figures


def latent_of(brain: Any, samples: int) -> torch.Tensor | None:
    """The latent of an utterance, the same in every epoch."""
    random = torch.Generator().manual_seed(brain.hparams.seed)
    return brain.generator_average.module.sample_latent(1, samples, random)


@torch.no_grad()
def enhance(brain: Any, noisy: torch.Tensor) -> torch.Tensor:
    """Utterances of one length, enhanced by the averaged generator."""
    latent = latent_of(brain, noisy.shape[1])
    return brain.generator_average(noisy, None if latent is None else latent.expand(len(noisy), -1, -1))


def enhance_together(brain: Any, noisy: torch.Tensor, samples: Sequence[int]) -> torch.Tensor:
    """Utterances of similar lengths, each as if it were alone."""
    latents = [latent_of(brain, count) for count in samples]
    return enhance_padded(brain.generator_average.module, noisy, samples, latents)


def finish(hparams: Mapping[str, Any], utterances: Sequence[Utterance], brain: Any) -> None:
    """Exports the best checkpoint, tests it, logs the test, and writes the report."""
    output_folder, device = Path(hparams["output_folder"]), brain.device
    # SpeechBrain's debug mode keeps its checkpoints in a folder of its own.
    best = best_checkpoint(hparams["checkpointer"], hparams["checkpoint_key"])
    export_folder = export_generator(output_folder, checkpoint=best)
    models = {"this model": load_system(export_folder, device, trust=True)}
    if hparams["compare_with"] is not None:
        models = {"regression": load_system(hparams["compare_with"], device), **models}
    result = evaluate(
        utterances,
        {name: as_system(model, hparams["seed"]) for name, model in models.items()},
        EvaluationOptions(ScoringOptions(device=device), hparams["sample_rate"]),
        samplers={name: as_sampler(model, hparams["seed"]) for name, model in models.items()},
    )
    log_test(brain.hparams.train_loggers, hparams["epoch_counter"].current, result)
    write_evaluation(result, output_folder / "test")
    write_enhancement_report([output_folder], output_folder / "report.html")


def log_test(loggers: TrainLoggers, epoch: int, result: EvaluationResult) -> None:
    """Gives the logs the means of the test, of this model and of the noisy speech."""
    means = {row.system: row.means for row in result.scores.rows() if row.bucket == "all"}
    noisy = {noisy_column(name): value for name, value in means["noisy"].items()}
    loggers.log_test(epoch, {**means["this model"], **noisy})


def summarise(hparams: Mapping[str, Any], seconds: float) -> None:
    """Says what was made and where."""
    folder, epoch = Path(hparams["output_folder"]), hparams["epoch_counter"].current
    print((folder / "test" / "scores.md").read_text(encoding="utf-8"))
    print(
        f"\nTrained {epoch} epochs of {hparams['iterations_per_epoch']} generator steps; "
        f"this call took {seconds / 60:.1f} min."
    )
    print(f"  report       {folder / 'report.html'}")
    print(f"  scores       {folder / 'test' / 'scores.csv'}")
    print(f"  figures      {folder / 'measures.csv'}, {folder / 'train_log.txt'}")
    print(f"  TensorBoard  tensorboard --logdir {folder / 'tensorboard'}")
    print(f"  sound        {folder / 'samples'}")
    print(f"  generator    {folder / 'export'}")
    print(f'  load it      GenerativeEnhancement.from_hparams(source="{folder / "export"}")')
