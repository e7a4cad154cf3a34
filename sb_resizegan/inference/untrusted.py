"""Exported models read without trusting their author: what is constructed and opened, how large it gets."""

import contextlib
import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml.nodes import MappingNode
from speechbrain.dataio.preprocess import AudioNormalizer
from speechbrain.utils.parameter_transfer import Pretrainer
from speechbrain.utils.run_opts import RunOptions
from torch.nn.modules import module as torch_module

from sb_resizegan import models
from sb_resizegan.inference.model_sources import ModelSourceError
from sb_resizegan.inference.waveform_module import WaveformModule
from sb_resizegan.inference.weights import SUFFIX, SafetensorsPretrainer, load_weights, read_settings
from sb_resizegan.utils.safe_yaml import construct
from sb_resizegan.utils.yaml_nodes import UnsafeYamlError, compose, digests, merge_overrides

__all__ = ["allowed_tags", "load_untrusted", "read_inside"]

MOST_MODULES = 10_000
LEAST_ROOM = 1 << 24  # numbers, 64 MiB


def allowed_tags() -> dict[str, Callable]:
    """What the yaml of an exported model may construct and name, by exact tags.

    Returns
    -------
    dict of str to callable
        The models of this package, under their names in `sb_resizegan.models` and in their own modules;
        ``Pretrainer`` and ``load_weights``; and what SpeechBrain's own enhancement interface needs.

    Example
    -------
    >>> "!new:sb_resizegan.models.spectral_generator.SpectralGenerator" in allowed_tags()
    True
    >>> "!new:sb_resizegan.models.spectral_generator.torch.load" in allowed_tags()
    False
    """
    allowed: dict[str, Callable] = {
        "!new:speechbrain.utils.parameter_transfer.Pretrainer": _pretrainer(Pretrainer),
        "!new:sb_resizegan.inference.SafetensorsPretrainer": _pretrainer(SafetensorsPretrainer),
        # Named, never called here: as a hook it gets the paths that this module gives it.
        "!name:sb_resizegan.inference.load_weights": load_weights,
        "!new:sb_resizegan.inference.WaveformModule": WaveformModule,
        "!new:speechbrain.dataio.preprocess.AudioNormalizer": AudioNormalizer,
    }
    for name in models.__all__:
        model = getattr(models, name)
        for place in (f"sb_resizegan.models.{name}", f"{model.__module__}.{model.__qualname__}"):
            allowed[f"!new:{place}"] = model
    return allowed


def load_untrusted(
    folder: str | os.PathLike,
    hparams_file: str = "hyperparams.yaml",
    overrides: Mapping | str = "",
    overrides_must_match: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """Constructs an exported model and loads its weights; nothing outside its folder is opened or run.

    Arguments
    ---------
    folder : str or Path
        The exported model.
    hparams_file : str
        Name of its yaml file.
    overrides : dict or str
        Values to set in it, plain ones.
    overrides_must_match : bool
        Whether an override of a key that is not there is an error.

    Returns
    -------
    hparams : dict
        What the yaml gives, modules with their weights.
    files : list of str
        Names of the files that were read.

    Raises
    ------
    ModelSourceError
        Saying what is refused or wrong, and where.
    """
    folder = Path(folder)
    path = folder / hparams_file
    try:
        root = compose(read_inside(folder, hparams_file), str(path))
        merge_overrides(root, overrides, str(path), overrides_must_match)
        with _limited(_weights_size(folder), path):
            hparams = construct(root, allowed_tags(), str(path))
    except UnsafeYamlError as error:
        raise ModelSourceError(f"{error}. Whoever trusts its author loads it with trust=True") from error
    except ModelSourceError:
        raise
    except Exception as error:  # whatever a model's constructor makes of wrong arguments
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelSourceError(f"{path}: could not be constructed: {reason}") from error
    files = [hparams_file, *_load_weights(folder, path, hparams)]
    if not overrides:
        for name in files[1:]:
            _check_settings(root, read_settings(folder / name), path)
    return hparams, files


def read_inside(folder: Path, name: str, limit: int = 1 << 20) -> bytes:
    """Reads a small file of a folder, unless it is a link out of it.

    Arguments
    ---------
    folder : Path
        The folder, in which the Hub's cache may keep links to its own blobs.
    name : str
        Name of the file.
    limit : int
        Most bytes to read.

    Returns
    -------
    bytes

    Raises
    ------
    ModelSourceError
        If it cannot be read, or is no regular file in the folder.
    """
    path = inside(folder, name)
    try:
        with open(path, "rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise ModelSourceError(f"{path}: cannot be read: {error.strerror}") from error


def inside(folder: Path, name: str) -> Path:
    """Path of a regular file in a folder; ModelSourceError for anything else, a link out of it above all."""
    path, top = folder / name, folder.resolve()
    if top.parent.name == "snapshots":  # the Hub's cache: its files are links to blobs beside the snapshots
        top = top.parents[1]
    if not path.exists():
        raise ModelSourceError(f"{folder}: expected the file {name}, but there is none")
    if top not in path.resolve().parents or not path.is_file():
        raise ModelSourceError(f"{path}: expected a regular file, but it is a link out of the folder or none")
    return path


def _load_weights(folder: Path, path: Path, hparams: Mapping[str, Any]) -> list[str]:
    modules, pretrainer = hparams.get("modules"), hparams.get("pretrainer")
    if not isinstance(modules, dict) or not all(isinstance(m, torch.nn.Module) for m in modules.values()):
        raise ModelSourceError(f"{path}: could not load a model: expected modules by name under 'modules'")
    if not isinstance(pretrainer, Pretrainer):
        raise ModelSourceError(f"{path}: could not load a model: expected a Pretrainer under 'pretrainer'")
    run_options = sorted(set(hparams) & set(RunOptions().as_dict()))
    if run_options:
        raise ModelSourceError(f"{path}: {run_options}: a model does not choose run options; give run_opts")
    files: list[str] = []
    loaded: set[int] = set()
    for name, module in pretrainer.loadables.items():
        hook = pretrainer.custom_hooks.get(name)
        plain = hook.func if isinstance(hook, functools.partial) else hook
        named = hook.keywords if isinstance(hook, functools.partial) else {}
        if (
            plain is not load_weights
            or set(named) - {"sha256"}
            or not re.fullmatch(r"[0-9a-f]{64}", str(named.get("sha256", hashlib.sha256().hexdigest())))
            or (isinstance(hook, functools.partial) and hook.args)
            or not isinstance(module, torch.nn.Module)
            or not re.fullmatch(r"\w+", str(name))
        ):
            raise ModelSourceError(
                f"{path}: expected load_weights, with sha256 or nothing, in custom_hooks for {name!r}"
            )
        files.append(f"{name}{SUFFIX if isinstance(pretrainer, SafetensorsPretrainer) else '.ckpt'}")
        hook(module, inside(folder, files[-1]))
        loaded.update(id(value) for value in module.state_dict(keep_vars=True).values())
    for name, module in modules.items():
        if any(id(value) not in loaded for value in module.state_dict(keep_vars=True).values()):
            raise ModelSourceError(f"{path}: modules: {name} gets no weights from the pretrainer")
    return files


def _check_settings(root: MappingNode, exported: Mapping[str, str], path: Path) -> None:
    """Finds settings that are not those which the weights were exported with."""
    own = digests(root)
    changed = sorted(key for key, digest in exported.items() if own.get(key) != digest)
    if changed:
        raise ModelSourceError(
            f"{path}: damaged or changed: {', '.join(changed)} is not what the weights were exported with; "
            "trust=True or overrides load it as it is"
        )


def _pretrainer(kind: type[Pretrainer]) -> Callable:
    def make(**arguments: Any) -> Pretrainer:
        # paths, collect_in and conditions open files elsewhere or leave weights out.
        unknown = sorted(set(arguments) - {"loadables", "custom_hooks"})
        if unknown:
            raise ValueError(f"pretrainer: expected loadables and custom_hooks, {unknown} not allowed")
        for key, value in arguments.items():
            if not isinstance(value, dict):
                raise ValueError(f"pretrainer: {key}: expected names and objects, but got {value!r}")
        return kind(**arguments)

    return make


def _weights_size(folder: Path) -> int:
    files = [path for path in folder.iterdir() if path.suffix in (SUFFIX, ".ckpt")]
    return sum(path.stat().st_size for path in files if path.is_file())


@contextlib.contextmanager
def _limited(size: int, path: Path) -> Iterator[None]:
    """Ends the construction of modules that have more parameters than the files of weights could fill.

    A yaml of a few bytes may describe a model of any size. Parameters are counted as they are registered,
    just after their memory is reserved and before it is used.
    """
    thread = threading.get_ident()
    # Numbers of two bytes. The least is no danger, and lets the weights say what is wrong with them.
    room, count = max(size // 2, LEAST_ROOM), 0

    def on_parameter(module: Any, name: str, parameter: Any) -> None:
        nonlocal room
        if threading.get_ident() == thread and parameter is not None:
            room -= parameter.numel()
            if room < 0:
                raise ModelSourceError(
                    f"{path}: describes another architecture, larger than its files of weights"
                )

    def on_module(module: Any, name: str, child: Any) -> None:
        nonlocal count
        count += threading.get_ident() == thread
        if count > MOST_MODULES:
            raise ModelSourceError(f"{path}: describes a model of more than {MOST_MODULES} modules")

    hooks = [
        torch_module.register_module_parameter_registration_hook(on_parameter),
        torch_module.register_module_module_registration_hook(on_module),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
