"""Weights on disk: read whole and unchanged, or not at all, and never run."""

import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from speechbrain.utils.fetching import FetchConfig, LocalStrategy, fetch
from speechbrain.utils.parameter_transfer import Pretrainer

from sb_resizegan.inference.model_sources import ModelSourceError

__all__ = ["SafetensorsPretrainer", "load_weights", "read_settings", "read_weights", "write_weights"]

SUFFIX = ".safetensors"
SETTINGS = "settings"
TORCH_PREFIX = b"PK\x03\x04"
LARGEST_FILE = 1 << 30  # bytes; the models of this package are a thousandth of that


class SafetensorsPretrainer(Pretrainer):
    """SpeechBrain's ``Pretrainer`` for weights in the safetensors format, as exported models hold them.

    SpeechBrain's own seeks ``NAME.ckpt`` for a loadable; this one seeks ``NAME.safetensors``, and else does
    the same. All of SpeechBrain's interfaces take it.

    Example
    -------
    >>> folder, layer = getfixture("tmp_path"), torch.nn.Linear(2, 3)
    >>> digest = write_weights(layer.state_dict(), folder / "layer.safetensors")
    >>> copy = torch.nn.Linear(2, 3)
    >>> hook = lambda module, path: load_weights(module, path, digest)
    >>> pretrainer = SafetensorsPretrainer(loadables={"layer": copy}, custom_hooks={"layer": hook})
    >>> _ = pretrainer.collect_files(default_source=str(folder))
    >>> pretrainer.load_collected()
    >>> bool((copy.weight == layer.weight).all())
    True
    """

    def collect_files(
        self,
        default_source: Any = None,
        local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
        fetch_config: FetchConfig | None = None,
    ) -> dict[str, Path]:
        """Fetches the files of all loadables; see SpeechBrain's method for the arguments."""
        if default_source is None:
            raise ValueError("collect_files: expected default_source, the model's folder, but got None")
        for name in self.loadables:
            if self.is_loadable(name):
                filename = f"{name}{SUFFIX}"
                path = fetch(
                    filename=filename,
                    source=default_source,
                    savedir=self.collect_in,
                    local_strategy=local_strategy,
                    fetch_config=fetch_config or FetchConfig(),
                )
                self.paths[name] = str(path)
                self.is_local.append(name)
        return {name: Path(self.paths[name]) for name in self.is_local}


def write_weights(
    state: Mapping[str, torch.Tensor], path: str | os.PathLike, settings: Mapping[str, str] | None = None
) -> str:
    """Writes a module's weights in the safetensors format.

    Arguments
    ---------
    state : dict of str to torch.Tensor
        What ``module.state_dict()`` gives.
    path : str or Path
        The file.
    settings : dict of str to str, optional
        Digests of the settings that the weights go with, which `read_settings()` gives back.

    Returns
    -------
    str
        SHA-256 of the file, which `load_weights()` needs.

    Example
    -------
    >>> path = getfixture("tmp_path") / "layer.safetensors"
    >>> digest = write_weights(torch.nn.Linear(2, 3).state_dict(), path)
    >>> sorted(read_weights(path, digest))
    ['bias', 'weight']
    """
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous().clone() for name, value in state.items()},
        {SETTINGS: json.dumps(settings)} if settings else None,
    )
    Path(path).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def read_settings(path: str | os.PathLike) -> dict[str, str]:
    """Digests of the settings that weights go with; none where the file holds none.

    Arguments
    ---------
    path : str or Path
        A file that `read_weights()` has found whole.

    Returns
    -------
    dict of str to str

    Example
    -------
    >>> path = getfixture("tmp_path") / "layer.safetensors"
    >>> _ = write_weights(torch.nn.Linear(2, 3).state_dict(), path, {"sample_rate": "1a2b"})
    >>> read_settings(path)
    {'sample_rate': '1a2b'}
    """
    if Path(path).suffix != SUFFIX:
        return {}
    with safetensors.safe_open(path, "pt") as file:
        return json.loads((file.metadata() or {}).get(SETTINGS, "{}"))


def read_weights(path: str | os.PathLike, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Reads weights, and finds out whether a single bit of them has changed.

    A ``.safetensors`` file is compared with its SHA-256, a file of ``torch.save`` with the checksums that it
    holds itself. Nothing in either is run.

    Arguments
    ---------
    path : str or Path
        The file.
    sha256 : str, optional
        Of the file, in hexadecimal digits. The safetensors format has no checksum of its own and needs it.

    Returns
    -------
    dict of str to torch.Tensor
        On the CPU.

    Raises
    ------
    ModelSourceError
        Naming the file, if it is missing, damaged, or holds anything but weights.
    """
    try:
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size > LARGEST_FILE:
                raise ModelSourceError(f"{path}: expected at most {LARGEST_FILE} bytes of weights")
            data = stream.read()
    except FileNotFoundError as error:
        raise ModelSourceError(f"no such file of weights: {path}") from error
    except OSError as error:
        raise ModelSourceError(f"{path}: weights cannot be read: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != str(sha256).lower():
        raise ModelSourceError(
            f"{path}: truncated or damaged: its SHA-256 is {hashlib.sha256(data).hexdigest()}, "
            f"but the model's yaml says {sha256}"
        )
    try:
        if data.startswith(TORCH_PREFIX):
            return _read_torch(data)
        if sha256 is None and Path(path).suffix == SUFFIX:
            raise ModelSourceError(
                f"{path}: expected the file's SHA-256 beside load_weights in the yaml, but there is none"
            )
        if Path(path).suffix != SUFFIX:
            raise ValueError("it is no file of torch.save in its zip format, which has checksums")
        return safetensors.torch.load(data)
    except ModelSourceError:
        raise
    except Exception as error:  # a damaged file raises what its first wrong byte leads to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelSourceError(
            f"{path}: expected weights, but the file is truncated or damaged: {reason}"
        ) from error


def load_weights(module: torch.nn.Module, path: str | os.PathLike, sha256: str | None = None) -> None:
    """Loads a module's weights as `read_weights()` reads them.

    Arguments
    ---------
    module : torch.nn.Module
        What to load into.
    path : str or Path
        A file of `write_weights()`, or one that ``torch.save(module.state_dict(), path)`` wrote.
    sha256 : str, optional
        As for `read_weights()`.

    Raises
    ------
    ModelSourceError
        Naming the file, if it is missing, damaged, no weights, of another architecture, or holds NaN or Inf.
        The module stays as it was.

    Example
    -------
    >>> path = getfixture("tmp_path") / "layer.ckpt"
    >>> torch.save(torch.nn.Linear(2, 3).state_dict(), path)
    >>> load_weights(torch.nn.Linear(2, 4), path)
    Traceback (most recent call last):
    sb_resizegan.inference.model_sources.ModelSourceError: ...: weights of another architecture: ...
    """
    state = read_weights(path, sha256)
    own = module.state_dict()
    problems = [f"{name} is missing" for name in own if name not in state]
    problems += [f"{name} is unknown" for name in state if name not in own]
    for name in own.keys() & state.keys():
        expected, got = own[name], state[name]
        if got.shape != expected.shape or got.is_floating_point() != expected.is_floating_point():
            problems.append(
                f"size mismatch for {name}: expected {tuple(expected.shape)} of {expected.dtype}, "
                f"but got {tuple(got.shape)} of {got.dtype}"
            )
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelSourceError(
            f"{path}: weights of another architecture: {'; '.join(sorted(problems)[:3])}{more}"
        )
    # After the shapes: a small file may claim a tensor of any size.
    for name, value in state.items():
        if not value.isfinite().all():
            raise ModelSourceError(f"{path}: expected finite weights, but {name} holds NaN or Inf")
    module.load_state_dict(state)


def _read_torch(data: bytes) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(archive.namelist()) != len(set(archive.namelist())):
            raise ValueError("it holds two parts of one name")
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is compressed, which torch.save does not do")
        if sum(entry.file_size for entry in archive.infolist()) > len(data):
            raise ValueError("its parts overlap")
        wrong = archive.testzip()
        if wrong is not None:
            raise ValueError(f"the checksum of {wrong} is wrong")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) and value.layout is torch.strided
        for name, value in state.items()
    ):
        raise pickle.UnpicklingError(f"it holds a {type(state).__name__}, not tensors by name")
    return dict(state)
