"""Turns a training's checkpoint into a folder that the SpeechBrain interface loads."""

import io
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import ruamel.yaml
import torch

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, SpeechWindowGenerator
from sb_resizegan.models.memory import limit_memory
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.training.checkpoints import AtomicCheckpointer

# By task: the class that loads the model, what it is, and what to do with it.
INTERFACES = {
    "windows": (SpeechWindowGenerator, "A generator of speech windows", "generate(64, seed=0)"),
    "enhancement": (
        GenerativeEnhancement,
        "A generator of enhanced speech",
        'enhance_file("noisy.wav", "enhanced.wav")',
    ),
}

GENERATOR_YAML = """\
# {description}. Load it with
#   from sb_resizegan.inference import {interface}
#   {interface}.from_hparams(source="THIS FOLDER").{use}
task: {task}
{keys}
generator: null
modules:
    generator: !ref <generator>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        generator: !ref <generator>
    custom_hooks:
        generator: !name:sb_resizegan.inference.load_weights
"""

AVERAGE = "generator_average"

# What the memory of a generator is measured on: so much speech, with noise of this RMS.
MEASURED_SECONDS, NOISE_RMS = 60, 0.01


def export_generator(
    run_folder, export_folder=None, checkpoint=None, best_by=None, highest=False, memory_seconds=None
):
    """Writes the averaged generator of a training as a folder that :mod:`sb_resizegan.inference` loads.

    A training whose yaml has ``lowpass_hz``, the band of its windows, is one of windows; any other is one of
    enhancement. What is written names the task and holds the keys that the task's interface needs.

    Arguments
    ---------
    run_folder : str or Path
        Output folder of a training.
    export_folder : str or Path, optional
        What to write; ``run_folder/export`` by default. Replaced as a whole when it is there.
    checkpoint : str or Path, optional
        A checkpoint folder; by default the newest one.
    best_by : str, optional
        A figure in the checkpoints' meta data: take the checkpoint in which it is lowest instead.
    highest : bool
        Whether to take the one in which it is highest.
    memory_seconds : float, optional
        Of a spectral generator: longest time constant of its cells
        (:func:`~sb_resizegan.models.memory.limit_memory`) on a minute of the default corpus with noise.

    Returns
    -------
    Path
        The folder written.

    Raises
    ------
    ModelSourceError
        If there is no run, no checkpoint or no averaged generator, or one without a memory to be limited; it
        names what was looked for.
    """
    run_folder = Path(run_folder)
    hparams_path = run_folder / "hyperparams.yaml"
    if not hparams_path.is_file():
        raise ModelSourceError(
            f"{run_folder}: expected the output folder of a training, but it has no hyperparams.yaml"
        )
    hparams = ruamel.yaml.YAML().load(hparams_path.read_text(encoding="utf-8"))
    task = "windows" if "lowpass_hz" in hparams else "enhancement"
    interface, description, use = INTERFACES[task]
    keys = interface.HPARAMS_NEEDED
    missing = [key for key in ("generator", *keys) if key not in hparams]
    if missing:
        raise ModelSourceError(f"{hparams_path}: expected the keys {missing}, but they are missing")
    weights = _averaged_weights(_find_checkpoint(run_folder, checkpoint, best_by, highest))

    yaml = ruamel.yaml.YAML()
    exported = yaml.load(
        GENERATOR_YAML.format(
            description=description,
            interface=interface.__name__,
            use=use,
            task=task,
            keys="\n".join(f"{key}: null" for key in keys),
        )
    )
    for key in ("generator", *keys):
        exported[key] = hparams[key]
    text = io.StringIO()
    yaml.dump(exported, text)

    export_folder = Path(export_folder) if export_folder else run_folder / "export"
    if export_folder.exists() and not (export_folder / "hyperparams.yaml").is_file():
        raise ModelSourceError(
            f"{export_folder} is there already and is no exported model; choose another folder"
        )
    export_folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{export_folder.name}", dir=export_folder.parent))
    try:
        (partial / "hyperparams.yaml").write_text(text.getvalue(), encoding="utf-8")
        torch.save(weights, partial / "generator.ckpt")
        if memory_seconds is not None:
            _limit_memory(partial, task, memory_seconds)
        os.chmod(partial, 0o755)
        if export_folder.exists():
            shutil.rmtree(export_folder)
        os.rename(partial, export_folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return export_folder


def _limit_memory(folder, task, seconds):
    """Limits the memory of an exported model, in its folder."""
    model = INTERFACES[task][0].from_hparams(source=str(folder), run_opts={"device": "cpu"})
    generator, rate = model.mods.generator, model.hparams.sample_rate
    if not isinstance(generator, SpectralGenerator):
        raise ModelSourceError(
            f"memory_seconds: expected a SpectralGenerator, but {type(generator).__name__} has no such memory"
        )
    try:
        limit_memory(generator, _noisy_speech(MEASURED_SECONDS, rate), seconds, rate)
    except ValueError as error:
        raise ModelSourceError(f"memory_{error}") from error
    torch.save(generator.state_dict(), folder / "generator.ckpt")


def _noisy_speech(seconds, rate):
    """The beginning of the default corpus, ``(1, time)``, with white noise."""
    recordings = Recordings(prepare_default_corpus(), rate)
    count = 1 + int(np.searchsorted(np.cumsum(recordings.lengths), seconds * rate))
    speech = np.concatenate([recordings.read(number) for number in range(count)])[: seconds * rate]
    noise = np.random.default_rng(0).standard_normal(len(speech), dtype=np.float32)
    return torch.from_numpy(speech + NOISE_RMS * noise).unsqueeze(0)


def _find_checkpoint(run_folder, checkpoint, best_by, highest):
    if checkpoint is not None:
        if not Path(checkpoint).is_dir():
            raise ModelSourceError(f"no such checkpoint: {checkpoint}")
        return Path(checkpoint)
    save_folder = run_folder / "save"
    found = None
    if save_folder.is_dir():
        search = {"max_key" if highest else "min_key": best_by}
        found = AtomicCheckpointer(save_folder).find_checkpoint(**search)
    if found is None:
        figure = f" with the figure {best_by!r}" if best_by else ""
        raise ModelSourceError(f"{save_folder}: expected a checkpoint{figure}, but there is none")
    return Path(found.path)


def _averaged_weights(checkpoint):
    path = checkpoint / f"{AVERAGE}.ckpt"
    if not path.is_file():
        raise ModelSourceError(f"{checkpoint}: expected {path.name}, but it is missing")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises what its first wrong byte leads to
        raise ModelSourceError(f"{path}: truncated or damaged: {error}") from error
    return {
        name.removeprefix("module."): value for name, value in state.items() if name.startswith("module.")
    }


def loading_code(export_folder):
    """The line of Python that loads what :func:`export_generator` wrote."""
    hparams = ruamel.yaml.YAML().load((Path(export_folder) / "hyperparams.yaml").read_text(encoding="utf-8"))
    return f'{INTERFACES[hparams["task"]][0].__name__}.from_hparams(source="{export_folder}")'
