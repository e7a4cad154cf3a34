"""Hyperparameters: a yaml with the command line's overrides, constructed; errors that name the wrong key."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ruamel.yaml
from hyperpyyaml import load_hyperpyyaml, resolve_references
from speechbrain.utils.run_opts import RunOptions

from sb_resizegan.utils.yaml_files import HparamsError, parse_yaml, read_hparams, suggestion, yaml_tree

__all__ = ["HparamsError", "check_keys", "hparams_keys", "load_hparams", "parse_overrides", "read_hparams"]


def parse_overrides(text: str) -> dict[str, Any]:
    """The command line's overrides as a mapping.

    Arguments
    ---------
    text : str
        Yaml text ``key: value``, as ``speechbrain.parse_arguments`` gives it.

    Returns
    -------
    dict

    Raises
    ------
    HparamsError
        If it is no such text, or sets a key twice.
    """
    return parse_yaml(text, "the command line") if text else {}


def load_hparams(path: str | Path, overrides: str | Mapping[str, Any] = "") -> tuple[dict[str, Any], str]:
    """Loads a yaml file with the command line's overrides.

    Arguments
    ---------
    path : str or Path
        The yaml file; it may extend another (`read_hparams()`).
    overrides : str or dict
        Yaml text ``key: value``, as ``speechbrain.parse_arguments`` gives it, or a mapping.

    Returns
    -------
    hparams : dict
        The constructed objects by key.
    resolved : str
        The yaml text with references and overrides filled in, to save beside the results.

    Raises
    ------
    HparamsError
        For an unknown key, a reference to a missing key, or a value that an object does not accept; it names
        the file.
    """
    text = read_hparams(path)
    known = list(parse_yaml(text, path))
    changes = parse_overrides(overrides) if isinstance(overrides, str) else overrides
    run_options = set(RunOptions().as_dict())
    for key in changes:
        if key not in known and key not in run_options:
            raise HparamsError(
                f"the command line sets --{key}, which {path} does not have{suggestion(key, known)}"
            )
    try:
        resolved = resolve_references(text, changes).getvalue()
        return load_hyperpyyaml(io.StringIO(resolved)), resolved
    except (ValueError, TypeError, KeyError, ImportError, AttributeError, ruamel.yaml.YAMLError) as error:
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else error
        raise HparamsError(f"{path}: {reason}") from error


def hparams_keys(path: str | Path) -> list[str]:
    """Keys that a yaml file gives to its recipe; those that begin with two underscores are only run.

    Arguments
    ---------
    path : str or Path
        The yaml file.

    Returns
    -------
    list of str
    """
    return [key for key in yaml_tree(path) if not key.startswith("__")]


def check_keys(hparams: Mapping[str, Any], known: Sequence[str], path: str | Path) -> None:
    """Finds keys that a recipe would ignore and keys that it misses.

    Arguments
    ---------
    hparams : dict
        What was loaded.
    known : sequence of str
        Every key that the recipe reads.
    path : str or Path
        Where it came from, for the message.

    Raises
    ------
    HparamsError
        Naming the wrong key and the nearest right one, or the missing keys.
    """
    run_options = set(RunOptions().as_dict())
    for key in hparams:
        if key not in known and key not in run_options:
            raise HparamsError(f"{path}: unknown key {key!r}{suggestion(key, known)}")
    missing = sorted(set(known) - set(hparams))
    if missing:
        raise HparamsError(f"{path}: expected the keys {missing}, but they are missing")
