"""Train a vocoder and score its copies of held-out speech, in the order of a SpeechBrain recipe."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from speechbrain.utils.distributed import if_main_process, infer_device, run_on_main
from speechbrain.utils.logger import get_logger

from sb_resizegan.brains.vocoder_brain import VocoderBrain
from sb_resizegan.dataio.prepare.sources import PROMPTS
from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.anchors import anchors
from sb_resizegan.evaluation.copying import copier, evaluate_copies, told_apart
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.inference import Vocoder
from sb_resizegan.metrics.pesq.layout import SHORTEST
from sb_resizegan.models.adoption import adopt_weights
from sb_resizegan.report.enhancement_page import write_enhancement_report
from sb_resizegan.report.evaluation_folder import write_evaluation
from sb_resizegan.training.checkpoint_export import export_generator
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.fitting import fit_brain
from sb_resizegan.training.run import (
    experiment_folder,
    init_processes,
    load_settings,
    one_line_errors,
    parse_arguments,
    training_stream,
)
from sb_resizegan.training.run_checks import RunError, best_checkpoint
from sb_resizegan.training.vocoder_data import load_speech, valid_batches
from sb_resizegan.training.vocoder_monitor import VocoderMonitor

logger = get_logger(__name__)

SAMPLE_RATE = 16000
HOP = 256  # samples of a mel frame
SCORES = ("official_pesq", "intelligibility")


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
        hparams, resolved = load_settings(command, "vocoder", check_settings)
        with experiment_folder(hparams, resolved, command.yaml) as folder:
            if hparams["start_from"] is not None:
                start_from(hparams)
            source, utterances, valid = load_speech(hparams)
            stream = training_stream(source, hparams, run_opts)
            monitor = make_monitor(folder, utterances, hparams, run_opts)
            segments = valid_batches(valid, 2 * len(utterances), hparams["seed"])
            brain = fit_brain(
                VocoderBrain,
                hparams,
                run_opts,
                stream,
                segments,
                on_epoch=lambda epoch, brain: measure_epoch(epoch, brain, monitor),
            )
            run_on_main(finish, args=(hparams, utterances, brain.device))
            if if_main_process():
                summarise(hparams, time.monotonic() - start)


def check_settings(values: Mapping[str, Any], run_opts: Any) -> None:
    """Raises a `RunError` for settings that would fail, or mean nothing, after minutes."""
    if values["sample_rate"] != SAMPLE_RATE:  # also with pesq_weight 0, for the validation scores it
        raise RunError(
            f"sample_rate: expected {SAMPLE_RATE} Hz, which PESQ wants, but got {values['sample_rate']}"
        )
    adversarial = values["critic_steps"] and values["adversarial_weight"]
    weights = [values.get(f"{term}_weight") for term in ("mel", "stft", "energy", "pesq")]
    if not (adversarial or any(weights)):
        raise RunError(
            "expected a weight above 0 of the mel, stft, energy or pesq term, or of the adversarial loss "
            "with critic steps, but all are 0: nothing would be learned"
        )
    # What PESQ refuses has no gradient, and spectra longer than a segment cannot be had.
    longest = max(SHORTEST, *values.get("stft_scales", ()), *values.get("spectral_scales", ()))
    least = -(-longest // HOP)
    if values["segment_frames"] < least:
        raise RunError(
            f"segment_frames: expected at least {least} for PESQ and the longest spectra, "
            f"{least * HOP} samples, but got {values['segment_frames']}"
        )
    for key in ("data_folder", "valid_data"):
        sources = values[key] if isinstance(values[key], list) else [values[key]]
        missing = [source for source in sources if source and not source.startswith(PROMPTS)]
        missing = [source for source in missing if not Path(source).expanduser().exists()]
        if missing:
            raise RunError(f"{key}: expected something that is there, but there is no {missing[0]!r}")
    if run_opts["test_only"]:
        raise RunError("--test_only: there is no test stage; `sb-resizegan vocode` makes copies to score")


def start_from(hparams: Mapping[str, Any]) -> None:
    """Gives the generator the weights of an exported vocoder."""
    source = hparams["start_from"]
    start = Vocoder.from_hparams(source=source, run_opts={"device": "cpu"})
    try:
        remarks = adopt_weights(hparams["generator"], start.mods.generator.state_dict())
    except ValueError as error:
        raise RunError(f"start_from: {source} is another architecture: {error}") from error
    for line in remarks:
        logger.info("start_from %s: %s", source, line)


def make_monitor(
    folder: Path, utterances: Sequence[Utterance], hparams: Mapping[str, Any], run_opts: Any
) -> VocoderMonitor | None:
    """What measures the generator at the end of each epoch, in the main process; None in others."""
    if not if_main_process():
        return None
    generator, device = hparams["generator"], run_opts["device"] or infer_device()
    # An inverse transform has a rate of its frames, too.
    factors = [*generator.factors, *([generator.last.hop] if hasattr(generator.last, "hop") else [])]
    try:
        return VocoderMonitor(folder, utterances, factors, hparams["sample_rate"], device=device)
    except ValueError as error:  # PESQ refuses all of them
        raise RunError(f"validation: {error}") from error


@torch.no_grad()
def measure_epoch(epoch: int, brain: Any, monitor: Any) -> Mapping[str, float]:
    """Figures of the averaged generator; sounds and spectrograms go to the folder and to TensorBoard."""
    generator = brain.generator_average.module
    figures = monitor.epoch(epoch, copier(generator.in_chunks, generator.analysis))
    monitor.log(brain.hparams.train_loggers.tensorboard.writer, epoch)
    return figures


def finish(hparams: Mapping[str, Any], utterances: Sequence[Utterance], device: Any) -> None:
    """Exports the best checkpoint, scores its copies, and writes the report."""
    output_folder = Path(hparams["output_folder"])
    # SpeechBrain's debug mode keeps its checkpoints in a folder of its own.
    best = best_checkpoint(hparams["checkpointer"], hparams["checkpoint_key"])
    export_folder = export_generator(output_folder, checkpoint=best)
    # A training's own yaml ran already: there is nothing to be let in.
    model = Vocoder.from_hparams(source=str(export_folder), run_opts={"device": str(device)}, trust=True)
    systems = {"this model": copier(lambda mel: model.decode_batch(mel).squeeze(1), model.mel)}
    if hparams["with_anchors"]:
        systems.update(anchors(model.mods.generator.analysis))
    result = evaluate_copies(utterances, systems, ScoringOptions(SCORES, device), hparams["sample_rate"])
    write_evaluation(result, output_folder / "test", remarks=[classifier_sentence(told_apart(result))])
    write_enhancement_report([output_folder], output_folder / "report.html", "Speech from mel spectra")


def classifier_sentence(areas: Mapping[str, Any]) -> str:
    """What the classifier made of the copies, in words."""
    found = "; ".join(f"{name} {area.value:.3f} ± {area.standard_error:.3f}" for name, area in areas.items())
    return (
        f"Area under the curve of a classifier between copies and recordings (0.5: told by chance): {found}."
    )


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
    print(f'  load it      Vocoder.from_hparams(source="{folder / "export"}")')
