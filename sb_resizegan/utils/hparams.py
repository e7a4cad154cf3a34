"""Yaml files that state only what differs, and errors that name the wrong key."""

import difflib
import io
from pathlib import Path

import ruamel.yaml
from hyperpyyaml import load_hyperpyyaml, resolve_references
from speechbrain.utils.run_opts import RunOptions

EXTENDS = "extends"


class HparamsError(ValueError):
    """A yaml file or an override that cannot be used."""


def read_hparams(path):
    """Text of a yaml file, with the file that it ``extends`` filled in.

    A variant names the file it starts from, relative to itself, and the keys that differ::

        extends: resize.yaml
        upsampling: transpose

    Arguments
    ---------
    path : str or Path
        The yaml file.

    Returns
    -------
    str
        HyperPyYAML text without ``extends``.

    Raises
    ------
    HparamsError
        For a file that is missing or no yaml mapping, a circle of files, or a key that the file it extends
        does not have.
    """
    return _dump(_read_tree(Path(path), ()))


def parse_overrides(text):
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
    return _parse(text, "the command line") if text else {}


def load_hparams(path, overrides=""):
    """Loads a yaml file with the command line's overrides.

    Arguments
    ---------
    path : str or Path
        The yaml file; it may extend another (:func:`read_hparams`).
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
    known = list(_parse(text, path))
    changes = parse_overrides(overrides) if isinstance(overrides, str) else overrides
    run_options = set(RunOptions().as_dict())
    for key in changes:
        if key not in known and key not in run_options:
            raise HparamsError(
                f"the command line sets --{key}, which {path} does not have{_suggestion(key, known)}"
            )
    try:
        resolved = resolve_references(text, changes).getvalue()
        return load_hyperpyyaml(io.StringIO(resolved)), resolved
    except (ValueError, TypeError, KeyError, ImportError, AttributeError, ruamel.yaml.YAMLError) as error:
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else error
        raise HparamsError(f"{path}: {reason}") from error


def hparams_keys(path):
    """Keys that a yaml file gives to its recipe; those that begin with two underscores are only run.

    Arguments
    ---------
    path : str or Path
        The yaml file.

    Returns
    -------
    list of str
    """
    return [key for key in _read_tree(Path(path), ()) if not key.startswith("__")]


def check_keys(hparams, known, path):
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
            raise HparamsError(f"{path}: unknown key {key!r}{_suggestion(key, known)}")
    missing = sorted(set(known) - set(hparams))
    if missing:
        raise HparamsError(f"{path}: expected the keys {missing}, but they are missing")


def _read_tree(path, above):
    if path.resolve() in above:
        raise HparamsError(f"{path} extends itself through {[str(p) for p in above]}")
    if not path.is_file():
        raise HparamsError(f"no such yaml file: {path}")
    tree = _parse(path.read_text(encoding="utf-8"), path)
    if EXTENDS not in tree:
        return tree
    base_path = path.parent / str(tree.pop(EXTENDS))
    base = _read_tree(base_path, (*above, path.resolve()))
    for key, value in tree.items():
        if key not in base:
            raise HparamsError(
                f"{path}: unknown key {key!r}, {base_path} does not have it{_suggestion(key, base)}"
            )
        base[key] = value
    return base


def _parse(text, origin):
    try:
        tree = ruamel.yaml.YAML().load(text)
    except ruamel.yaml.YAMLError as error:
        raise HparamsError(f"{origin} is not valid yaml: {error}") from error
    if not isinstance(tree, dict):
        raise HparamsError(f"{origin}: expected yaml of the form 'key: value', but got {type(tree).__name__}")
    return tree


def _dump(tree):
    stream = io.StringIO()
    ruamel.yaml.YAML().dump(tree, stream)
    return stream.getvalue()


def _suggestion(key, known):
    near = difflib.get_close_matches(str(key), [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known keys are {sorted(str(k) for k in known)}"
