"""Turns a training's checkpoint into a folder that the SpeechBrain interface loads."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ruamel.yaml
import torch

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.inference import ModelSourceError
from sb_resizegan.inference.weights import read_weights
from sb_resizegan.metrics.measures import direction
from sb_resizegan.models.memory import limit_memory
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.training.checkpoints import AtomicCheckpointer, CheckpointError, check_checkpoint
from sb_resizegan.training.exported_model import (
    FILES,
    INTERFACES,
    is_exported_model,
    kept_files,
    write_model,
)
from sb_resizegan.training.model_card import model_card
from sb_resizegan.utils.folders import replacing_folder

__all__ = ["export_generator", "loading_code"]

AVERAGE = "generator_average"

# What the memory of a generator is measured on: so much speech, with noise of this RMS.
MEASURED_SECONDS, NOISE_RMS = 60, 0.01


def export_generator(
    run_folder: str | os.PathLike,
    export_folder: str | os.PathLike | None = None,
    checkpoint: str | os.PathLike | None = None,
    best_by: str | None = None,
    newest: bool = False,
    memory_seconds: float | None = None,
) -> Path:
    """Writes the averaged generator of a training as a folder that `sb_resizegan.inference` loads.

    What is written names the training's task and holds the keys that the task's interface needs.

    Arguments
    ---------
    run_folder : str or Path
        Output folder of a training.
    export_folder : str or Path, optional
        What to write; ``run_folder/export`` by default. An exported model that is there is replaced in one
        step, but for files that were added to it; anything else is left alone, with an error.
    checkpoint : str or Path, optional
        A checkpoint folder. By default the one that the training itself would export: that in which its
        ``checkpoint_key`` is best, or the newest one where no checkpoint has that figure yet.
    best_by : str, optional
        A figure in the checkpoints' meta data: take the checkpoint in which it is best instead, by the
        direction of its measure.
    newest : bool
        Take the newest checkpoint instead.
    memory_seconds : float, optional
        Of a spectral generator: longest time constant of its cells
        (`limit_memory()`) on a minute of the default corpus with noise.

    Returns
    -------
    Path
        The folder written.

    Raises
    ------
    ModelSourceError
        If there is no run, no checkpoint or no averaged generator, one without a memory to be limited, a
        damaged checkpoint, or a folder in the way; it names what was looked for.
    OSError
        If the folder cannot be written; what was there before stays as it was.
    """
    run_folder = Path(run_folder)
    hparams_path = run_folder / "hyperparams.yaml"
    if not hparams_path.is_file():
        raise ModelSourceError(
            f"{run_folder}: expected the output folder of a training, but it has no hyperparams.yaml"
        )
    hparams = _settings(hparams_path)
    task = _task(hparams, hparams_path)
    interface, description, use = INTERFACES[task]
    missing = [key for key in ("generator", *interface.HPARAMS_NEEDED) if key not in hparams]
    if missing:
        raise ModelSourceError(f"{hparams_path}: expected the keys {missing}, but they are missing")
    export_folder = Path(export_folder) if export_folder else run_folder / "export"
    _check_target(export_folder, run_folder)
    found = _find_checkpoint(
        run_folder, checkpoint, best_by, None if newest else hparams.get("checkpoint_key")
    )
    weights = _averaged_weights(found)
    card = model_card(interface, description, use, hparams, weights, found)
    keep = kept_files(export_folder)
    with replacing_folder(export_folder, FILES - keep) as partial:
        write_model(partial, task, hparams, weights, card, keep)
        if memory_seconds is not None:
            weights = _limited_memory(partial, task, memory_seconds)
            write_model(partial, task, hparams, weights, card, keep)
    return export_folder


def _settings(path: Path) -> Mapping[str, Any]:
    """The yaml of a training, as a tree: nothing is constructed."""
    try:
        hparams = ruamel.yaml.YAML().load(path.read_text(encoding="utf-8"))
    except (ruamel.yaml.YAMLError, ValueError) as error:
        raise ModelSourceError(f"{path}: not valid yaml: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(hparams, Mapping):
        raise ModelSourceError(f"{path}: expected yaml of the form 'key: value'")
    return hparams


def _check_target(target: Path, run_folder: Path) -> None:
    """Refuses to write where something else lies: the training itself above all."""
    there, run = target.resolve(), run_folder.resolve()
    if there == run or there in run.parents or run / "save" in (there, *there.parents):
        raise ModelSourceError(f"{target} is part of the training {run_folder}; choose another folder")
    if os.path.lexists(target) and not target.is_dir():
        raise ModelSourceError(f"{target} is there already and is no folder; choose another")
    if target.exists() and not is_exported_model(target):
        raise ModelSourceError(f"{target} is there already and is no exported model; choose another folder")


def _limited_memory(folder: Path, task: str, seconds: float) -> Mapping[str, torch.Tensor]:
    """Weights of an exported model whose memory is limited."""
    # A training's own yaml ran already: there is nothing to be let in.
    model = INTERFACES[task][0].from_hparams(source=folder, run_opts={"device": "cpu"}, trust=True)
    generator, rate = model.mods.generator, model.hparams.sample_rate
    if not isinstance(generator, SpectralGenerator):
        raise ModelSourceError(
            f"memory_seconds: expected a SpectralGenerator, but {type(generator).__name__} has no such memory"
        )
    try:
        limit_memory(generator, _noisy_speech(MEASURED_SECONDS, rate), seconds, rate)
    except ValueError as error:
        raise ModelSourceError(f"memory_{error}") from error
    return generator.state_dict()


def _noisy_speech(seconds: int, rate: int) -> torch.Tensor:
    """The beginning of the default corpus, ``(1, time)``, with white noise."""
    recordings = Recordings(prepare_default_corpus(), rate)
    count = 1 + int(np.searchsorted(np.cumsum(recordings.lengths), seconds * rate))
    speech = np.concatenate([recordings.read(number) for number in range(count)])[: seconds * rate]
    noise = np.random.default_rng(0).standard_normal(len(speech), dtype=np.float32)
    return torch.from_numpy(speech + NOISE_RMS * noise).unsqueeze(0)


def _task(hparams: Mapping[str, Any], path: Path) -> str:
    # Trainings of before did not state it; those of windows have the band of their windows.
    task = hparams.get("task", "windows" if "lowpass_hz" in hparams else "enhancement")
    # What restores is used as what enhances is.
    task = "enhancement" if task == "restoration" else task
    if not isinstance(task, str) or task not in INTERFACES:
        raise ModelSourceError(f"{path}: task: expected one of {list(INTERFACES)}, but got {task!r}")
    return task


def _find_checkpoint(
    run_folder: Path, checkpoint: str | os.PathLike | None, best_by: str | None, own_key: str | None
) -> Path:
    save_folder = run_folder / "save"
    try:
        if checkpoint is not None:
            if not Path(checkpoint).is_dir():
                raise ModelSourceError(f"no such checkpoint: {checkpoint}")
            check_checkpoint(checkpoint)
            return Path(checkpoint)
        checkpointer = AtomicCheckpointer(save_folder) if save_folder.is_dir() else None
        found = None
        for key in dict.fromkeys([best_by] if best_by else [own_key, None]):
            if checkpointer is not None and found is None:
                place = "" if best_by else f"{run_folder / 'hyperparams.yaml'}: checkpoint_key: "
                found = checkpointer.find_checkpoint(**_search(key, place))
    except CheckpointError as error:
        raise ModelSourceError(str(error)) from error
    if found is None:
        figure = f" with the figure {best_by!r}" if best_by else ""
        raise ModelSourceError(f"{save_folder}: expected a checkpoint{figure}, but there is none")
    return Path(found.path)


def _search(key: str | None, place: str) -> dict[str, str]:
    """How SpeechBrain's checkpointer is asked for the best checkpoint by a figure; the newest without one."""
    if key is None:
        return {}
    if not isinstance(key, str) or direction(key) is None:
        raise ModelSourceError(
            f"{place}expected a figure of which higher or lower values are better, but got {key!r}"
        )
    return {"max_key" if direction(key) == "higher" else "min_key": key}


def _averaged_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    path = checkpoint / f"{AVERAGE}.ckpt"
    if not path.is_file():
        raise ModelSourceError(f"{checkpoint}: expected {path.name}, but it is missing")
    weights = {
        name.removeprefix("module."): value
        for name, value in read_weights(path).items()
        if name.startswith("module.")
    }
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ModelSourceError(f"{path}: expected finite weights, but {name} holds NaN or Inf")
    return weights


def loading_code(export_folder: str | os.PathLike) -> str:
    """The line of Python that loads what `export_generator()` wrote."""
    hparams = ruamel.yaml.YAML().load((Path(export_folder) / "hyperparams.yaml").read_text(encoding="utf-8"))
    return f'{INTERFACES[hparams["task"]][0].__name__}.from_hparams(source="{export_folder}")'
