"""The files of an exported model: what this package's interfaces and SpeechBrain's want in a folder."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ruamel.yaml
import torch

from sb_resizegan.inference import GenerativeEnhancement, SpeechWindowGenerator, Vocoder
from sb_resizegan.inference.weights import write_weights
from sb_resizegan.utils.yaml_nodes import compose, digests

__all__ = ["FILES", "INTERFACES", "is_exported_model", "kept_files", "write_model"]

# By task: the class that loads the model, what it is, and what to do with it.
INTERFACES = {
    "windows": (SpeechWindowGenerator, "A generator of speech windows", "generate(64, seed=0)"),
    "enhancement": (
        GenerativeEnhancement,
        "A generator of enhanced speech",
        'enhance_file("noisy.wav", "enhanced.wav")',
    ),
    "vocoder": (Vocoder, "A vocoder", "decode_batch(mel)"),
}

FILES = frozenset(("README.md", "custom.py", "generator.ckpt", "generator.safetensors", "hyperparams.yaml"))
MARK = "written by sb_resizegan"
HOOK = "sb_resizegan.inference.load_weights"
SPEECHBRAIN_RATE = 16000  # Hz; what SpeechBrain converts recordings to unless a yaml says otherwise

MODEL_YAML = """\
# {description}. Load it with
#   from sb_resizegan.inference import {interface}
#   {interface}.from_hparams(source="THIS FOLDER").{use}
task: {task}
{keys}
generator: null
modules:
    generator: !ref <generator>
pretrainer: !new:sb_resizegan.inference.SafetensorsPretrainer
    loadables:
        generator: !ref <generator>
    custom_hooks:
        generator: !name:sb_resizegan.inference.load_weights
            sha256: null
"""
ENHANCE_NOTE = "# enhance_model is what speechbrain.inference.enhancement.WaveformEnhancement calls.\n"
ENHANCE_MODEL = """\
enhance_model: !new:sb_resizegan.inference.WaveformModule
    generator: !ref <generator>
"""
NORMALIZER = """\
audio_normalizer: !new:speechbrain.dataio.preprocess.AudioNormalizer
    sample_rate: {rate}
"""
CUSTOM = """\
# {mark}: what speechbrain.inference.interfaces.foreign_class loads.
from sb_resizegan.inference import {interface} as CustomInterface

__all__ = ["CustomInterface"]
"""


def write_model(
    folder: str | os.PathLike,
    task: str,
    settings: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    card: str,
    keep: frozenset[str] = frozenset(),
) -> None:
    """Writes the files of a model into a folder.

    Arguments
    ---------
    folder : str or Path
        The folder, which exists.
    task : str
        One of ``INTERFACES``.
    settings : dict
        The generator's node of a HyperPyYAML file under ``generator``, and the keys that the interface needs.
    weights : dict of str to torch.Tensor
        Of the generator.
    card : str
        The model card, without the code that loads the model.
    keep : frozenset of str
        Files not to write, for the user's own take their place.
    """
    folder = Path(folder)
    interface, description, use = INTERFACES[task]
    keys = interface.HPARAMS_NEEDED
    text = MODEL_YAML.format(
        description=description,
        interface=interface.__name__,
        use=use,
        task=task,
        keys="\n".join(f"{key}: null" for key in keys),
    )
    if task == "enhancement":
        text = text.replace("task:", f"{ENHANCE_NOTE}task:", 1)
        text = text.replace(
            "modules:\n", f"{ENHANCE_MODEL}modules:\n    enhance_model: !ref <enhance_model>\n"
        )
        if settings["sample_rate"] != SPEECHBRAIN_RATE:
            text += NORMALIZER.format(rate=settings["sample_rate"])
    yaml = ruamel.yaml.YAML()
    yaml.indent(mapping=2)
    exported = yaml.load(text)
    for key in ("generator", *keys):
        exported[key] = settings[key]
    # What the weights go with stands in their file, so that a yaml that was changed is found out. The hook
    # stands in the yaml alone: it holds the digest of that file.
    told = digests(compose(_text(yaml, exported), "the exported yaml"))
    told.pop("pretrainer")
    digest = write_weights(weights, folder / "generator.safetensors", told)
    exported["pretrainer"]["custom_hooks"]["generator"]["sha256"] = digest
    (folder / "hyperparams.yaml").write_text(_text(yaml, exported), encoding="utf-8")
    others = {
        "custom.py": CUSTOM.format(mark=MARK.capitalize(), interface=interface.__name__),
        "README.md": f"{card}\n<!-- {MARK}; without this line, a later export keeps the card as it is -->\n",
    }
    for name, content in others.items():
        if name not in keep:
            (folder / name).write_text(content, encoding="utf-8")


def _text(yaml: ruamel.yaml.YAML, tree: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    yaml.dump(tree, stream)
    return stream.getvalue()


def is_exported_model(folder: str | os.PathLike) -> bool:
    """Whether a folder is one that this project exported, so that it may be replaced.

    Example
    -------
    >>> from sb_resizegan.inference import shipped_models
    >>> is_exported_model(shipped_models()["enhance-base"]), is_exported_model(".")
    (True, False)
    """
    folder = Path(folder)
    yaml = folder / "hyperparams.yaml"
    weights = any((folder / f"generator{suffix}").is_file() for suffix in (".safetensors", ".ckpt"))
    if (folder / "save").exists() or not weights or not yaml.is_file():
        return False
    return HOOK in yaml.read_text(encoding="utf-8", errors="replace")


def kept_files(folder: str | os.PathLike) -> frozenset[str]:
    """Files of an exported model that its user wrote or changed, and that a new export keeps."""
    kept = set()
    for name in ("README.md", "custom.py"):
        path = Path(folder) / name
        if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace").lower():
            kept.add(name)
    return frozenset(kept)
