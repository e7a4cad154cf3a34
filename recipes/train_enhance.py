#!/usr/bin/env python3
"""Train a generator of enhanced speech, adversarially or by regression, and score it.

    python recipes/train_enhance.py hparams/enhance.yaml                              # a tour in minutes
    python recipes/train_enhance.py hparams/enhance.yaml --data_folder VOICEBANK      # a paired corpus
    python recipes/train_enhance.py hparams/enhance.yaml --clean SPEECH --noise NOISE # mixed on the fly
    python recipes/train_enhance.py hparams/enhance_regression.yaml --clean "[a, b.csv]" --noise c.csv --rir d
    torchrun --nproc_per_node=4 recipes/train_enhance.py hparams/enhance.yaml --data_folder VOICEBANK

VoiceBank-DEMAND, DNS-Challenge, plain clean/ and noisy/ folders and csv lists are told apart by themselves.
The same command again goes on where an interrupted run stopped; with a higher --number_of_epochs it goes on
after the end. Every key of the yaml can be set on the command line.
"""

import os
import sys
import time
from pathlib import Path

# OpenMP threads wait for each other by spinning. Where other programs share the cores, that makes a step
# many times as long; a short spin costs little where none does. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import torch
from speechbrain.utils.distributed import if_main_process, run_on_main

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.augment.options import grouped_options
from sb_resizegan.brains import EnhancementBrain
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.pair_segments import PairedSegments
from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.utterances import Utterance, read_utterances
from sb_resizegan.evaluation.evaluate import evaluate_systems
from sb_resizegan.evaluation.systems import as_sampler, as_system, load_system
from sb_resizegan.inference import ModelSourceError
from sb_resizegan.report.enhancement_page import write_enhancement_report
from sb_resizegan.training.checkpoints import CheckpointError
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from sb_resizegan.training.export import export_generator
from sb_resizegan.training.run import RunError, begin_run, check_counts, training_loggers, training_stream
from sb_resizegan.utils.hparams import HparamsError
from sb_resizegan.utils.locks import FolderInUseError

# The yaml whose keys every other one has to have.
REFERENCE = Path(__file__).parents[1] / "hparams" / "enhance.yaml"
DEFAULT_SPEECH = "prompts:en"
VALID_BATCH = 16


def check_settings(hparams, run_opts):
    """Raises a :class:`RunError` for settings that would fail, or mean nothing, after minutes."""
    counts = ("number_of_epochs", "iterations_per_epoch", "batch_size", "valid_utterances", "sample_rate")
    check_counts(hparams, {**dict.fromkeys(counts, 1), "critic_steps": 0})
    mixed = [key for key in ("clean", "noise", "rir") if hparams[key] is not None]
    if hparams["data_folder"] is not None and mixed:
        raise RunError(f"data_folder: expected either a paired corpus or {mixed} to mix, but got both")
    if mixed and hparams["clean"] is None:
        raise RunError(f"clean: expected speech to mix with {mixed}, but got none")
    if hparams["sample_rate"] != 16000:  # also with pesq_weight 0, for the validation scores it
        raise RunError(f"sample_rate: expected 16000 Hz, which PESQ wants, but got {hparams['sample_rate']}")
    if not hparams["segment_seconds"] >= 0.5:
        raise RunError(f"segment_seconds: expected at least 0.5, but got {hparams['segment_seconds']!r}")
    if run_opts["test_only"]:
        raise RunError("--test_only: recipes/test_enhance.py scores a trained model")


def segment_samples(hparams):
    """Length of a training segment."""
    return round(hparams["segment_seconds"] * hparams["sample_rate"])


def mixtures(hparams):
    """Mixtures to train on, and mixtures of other recordings unless there are pairs to validate on."""
    sources = {"clean": hparams["clean"] or DEFAULT_SPEECH, "noise": hparams["noise"], "rirs": hparams["rir"]}
    train, valid = {}, {}
    for name, source in sources.items():
        if source is None:
            continue
        recordings = Recordings(
            source,
            hparams["sample_rate"],
            impulse_responses=name == "rirs",
            cache_folder=hparams["cache_folder"],
        )
        if hparams["valid_data"] is None:
            train[name], valid[name] = recordings.split(hparams["valid_fraction"], hparams["seed"])
        else:
            train[name] = recordings
    keys = ("snr_db", "level_db", "babble", "coloured", "second_noise", "reverberation", "narrow_band")
    options = grouped_options(**{key: hparams[key] for key in keys})
    options["segment_samples"] = segment_samples(hparams)
    return NoisyMixtures(**train, **options), NoisyMixtures(**valid, **options) if valid else None


def prepared(hparams, key, name, parts, **options):
    """Manifests of a paired corpus: their folder, and where the corpus lies."""
    folder = Path(hparams["save_folder"]) / name
    options = {"sample_rate": hparams["sample_rate"], "seed": hparams["seed"], **options}
    report = run_on_main(prepare_pairs, args=(hparams[key], folder), kwargs=options)
    for part in parts:
        if part not in report:
            raise RunError(f"{key}: expected pairs for {parts}, but {hparams[key]} has none for {part!r}")
    return folder, report["data_root"]


def load_data(hparams):
    """A source of training batches, the utterances to validate on, and those to test on."""
    try:
        source, utterances = load_training_data(hparams)
        return source, utterances, load_test_data(hparams) or utterances
    except (ValueError, OSError) as error:  # nothing usable, a setting out of range, a full disk
        raise RunError(error) from error


def load_training_data(hparams):
    """A source of training batches and the utterances to validate on."""
    if hparams["data_folder"] is None:
        train, valid = mixtures(hparams)
    else:
        folder, root = prepared(
            hparams,
            "data_folder",
            "pairs",
            ["train"] if hparams["valid_data"] else ["train", "valid"],
            valid_fraction=hparams["valid_fraction"],
        )
        train = PairedSegments(
            folder / "train.json",
            segment_samples(hparams),
            hparams["sample_rate"],
            root,
            hparams["max_memory_gb"],
        )
    if hparams["valid_data"] is not None:
        folder, root = prepared(hparams, "valid_data", "valid_pairs", ["valid"], split="valid")
    elif hparams["data_folder"] is None:
        return train, from_mixtures(valid.fixed(hparams["valid_utterances"], hparams["seed"]))
    return train, read_utterances(folder / "valid.json", root, hparams["sample_rate"])


def load_test_data(hparams):
    """The utterances to test on: those of ``test_data``, or of the paired corpus's test part, or None."""
    if hparams["test_data"] is not None:
        folder, root = prepared(hparams, "test_data", "test_pairs", ["test"], split="test")
    elif hparams["data_folder"] is not None:
        options = {"valid_fraction": hparams["valid_fraction"]}
        folder, root = prepared(hparams, "data_folder", "pairs", [], **options)
    else:
        return None
    manifest = folder / "test.json"
    return read_utterances(manifest, root, hparams["sample_rate"]) if manifest.is_file() else None


def from_mixtures(batch):
    """Mixtures as utterances."""
    return [
        Utterance(f"mixture_{index:03d}", noisy.numpy(), clean.numpy())
        for index, (noisy, clean) in enumerate(zip(batch.noisy, batch.clean, strict=True))
    ]


def as_batches(utterances, samples):
    """Equal stretches of the utterances, to follow the objective on."""
    noisy, clean, lengths = [], [], []
    for utterance in utterances:
        for side, signal in ((noisy, utterance.noisy), (clean, utterance.clean)):
            part = torch.from_numpy(signal[:samples])
            side.append(torch.nn.functional.pad(part, (0, samples - len(part))))
        lengths.append(min(len(utterance.noisy), samples) / samples)
    columns = torch.stack(noisy), torch.stack(clean), torch.tensor(lengths)
    batches = [NoisyBatch(*rows) for rows in zip(*(c.split(VALID_BATCH) for c in columns), strict=True)]
    return torch.utils.data.DataLoader(batches, batch_size=None)


def train(hparams, run_opts):
    """Trains and exports."""
    output_folder = Path(hparams["output_folder"])
    source, utterances, test_utterances = load_data(hparams)
    if hparams["compare_with"] is not None:
        load_system(hparams["compare_with"], "cpu")  # what is wrong with it shall show now
    if hparams["start_from"] is not None:
        start = load_system(hparams["start_from"], "cpu")
        try:
            hparams["generator"].load_state_dict(start.mods.generator.state_dict())
        except RuntimeError as error:
            raise RunError(f"start_from: {hparams['start_from']} is another architecture: {error}") from error
    stream = training_stream(source, hparams, run_opts)
    monitor = None

    def on_epoch(epoch, brain):
        nonlocal monitor
        if monitor is None:
            monitor = EnhancementMonitor(
                output_folder, utterances, hparams["sample_rate"], device=brain.device
            )
        figures = monitor.epoch(epoch, lambda noisy: enhance(brain, noisy))
        monitor.log(brain.hparams.train_loggers[1].writer, epoch)
        return figures

    brain = EnhancementBrain(
        hparams["modules"],
        {**hparams, "train_loggers": training_loggers(hparams)},
        len(stream),
        on_epoch=on_epoch,
        checkpoint_key=hparams["checkpoint_key"],
        highest_is_best=True,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    hparams["checkpointer"].remove_partial()
    brain.fit(hparams["epoch_counter"], stream, as_batches(utterances, segment_samples(hparams)))
    run_on_main(finish, args=(hparams, test_utterances, brain.device))


@torch.no_grad()
def enhance(brain, noisy):
    """Speech enhanced by the averaged generator, with the same latents in every epoch."""
    random = torch.Generator().manual_seed(brain.hparams.seed)
    latent = brain.hparams.generator.sample_latent(len(noisy), noisy.shape[1], random)
    return brain.generator_average(noisy, latent)


def finish(hparams, utterances, device):
    """Exports the best checkpoint, tests it, and writes the report."""
    output_folder = Path(hparams["output_folder"])
    best = hparams["checkpointer"].find_checkpoint(max_key=hparams["checkpoint_key"])
    # SpeechBrain's debug mode keeps its checkpoints in a folder of its own.
    export_folder = export_generator(output_folder, checkpoint=best.path)
    models = {"this model": load_system(export_folder, device)}
    if hparams["compare_with"] is not None:
        models = {"regression": load_system(hparams["compare_with"], device), **models}
    evaluate_systems(
        utterances,
        {name: as_system(model, hparams["seed"]) for name, model in models.items()},
        output_folder / "test",
        hparams["sample_rate"],
        device,
        latents={name: as_sampler(model, hparams["seed"]) for name, model in models.items()},
    )
    write_enhancement_report([output_folder], output_folder / "report.html")


def main(arguments):
    """Runs the recipe; settings that cannot be run end it with one line."""
    keep_cpu_fast()
    start = time.monotonic()
    errors = (CheckpointError, CorpusUnavailableError, FolderInUseError, HparamsError, ModelSourceError)
    try:
        hparams, run_opts, lock = begin_run(arguments, REFERENCE, check_settings)
        train(hparams, run_opts)
    except (*errors, RunError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the newest checkpoint")
    if if_main_process():
        summarise(hparams, time.monotonic() - start)
    lock.release()


def summarise(hparams, seconds):
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


if __name__ == "__main__":
    main(sys.argv[1:])
