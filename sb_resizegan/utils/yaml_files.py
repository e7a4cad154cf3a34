"""Yaml files that state only what differs from another one. Needs no torch."""

import difflib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ruamel.yaml
from ruamel.yaml.comments import CommentedMap

from sb_resizegan.utils.shipped import find_yaml

__all__ = ["HparamsError", "parse_yaml", "read_hparams", "suggestion", "yaml_tree"]

EXTENDS, MODELS = "extends", "models"


class HparamsError(ValueError):
    """A yaml file or an override that cannot be used."""


def read_hparams(path: str | Path) -> str:
    """Text of a yaml file, with the file that it ``extends`` filled in.

    A variant names the file it starts from, relative to itself or a shipped one, and the keys that differ::

        extends: resize.yaml
        upsampling: transpose

    Networks and their settings stand in files of their own, which ``models`` names. Their keys are keys of
    the yaml, so another model takes the settings of the first one away with it::

        extends: enhance.yaml
        models: [models/wave.yaml, models/conditional_critic.yaml]

    Arguments
    ---------
    path : str or Path
        The yaml file.

    Returns
    -------
    str
        HyperPyYAML text without ``extends`` and ``models``.

    Raises
    ------
    HparamsError
        For a file that is missing or no yaml mapping, a circle of files, or a key that the file it extends
        does not have.
    """
    return _dump(yaml_tree(path))


def yaml_tree(path: str | Path, models: list[str] | None = None) -> CommentedMap:
    """The same as a tree, with tags and comments, nothing constructed.

    Arguments
    ---------
    path : str or Path
        As for `read_hparams()`.
    models : list of str, optional
        Files to take in place of the yaml's ``models``, relative to the working directory or shipped ones.

    Returns
    -------
    ruamel.yaml.comments.CommentedMap

    Raises
    ------
    HparamsError
        See `read_hparams()`.

    Example
    -------
    >>> yaml_tree("transpose.yaml")["upsampling"]
    'transpose'
    """
    return _read_tree(Path(path), models)


def parse_yaml(text: str, origin: object) -> CommentedMap:
    """Yaml text as a mapping, nothing constructed.

    Arguments
    ---------
    text : str
        The text.
    origin : object
        Where it comes from, for the message.

    Raises
    ------
    HparamsError
        If it is no such text, or sets a key twice.

    Example
    -------
    >>> dict(parse_yaml("a: 1", "an example"))
    {'a': 1}
    """
    try:
        tree = ruamel.yaml.YAML().load(text)
    except ruamel.yaml.YAMLError as error:
        raise HparamsError(f"{origin} is not valid yaml: {error}") from error
    if not isinstance(tree, CommentedMap):
        raise HparamsError(f"{origin}: expected yaml of the form 'key: value', but got {type(tree).__name__}")
    return tree


def suggestion(key: object, known: Iterable[object]) -> str:
    """The end of a message on an unknown key: the nearest known one, or all.

    Example
    -------
    >>> suggestion("sizee", ["size", "name"])
    "; did you mean 'size'?"
    """
    names = [str(k) for k in known]
    near = difflib.get_close_matches(str(key), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known keys are {sorted(names)}"


def _read_tree(path: Path, models: Sequence[str] | None) -> Any:
    layers, stated = _layers(path, ())
    root, root_path = layers[0]
    if models is not None:
        stated = models, Path.cwd()
    tree = _with_models(root, root_path, *stated)
    for layer, layer_path in layers[1:]:
        for key, value in layer.items():
            if key not in tree:
                raise HparamsError(
                    f"{layer_path}: unknown key {key!r}, which neither {root_path} nor its models "
                    f"{list(stated[0])} have{suggestion(key, tree)}"
                )
            tree[key] = value
            if isinstance(value, dict | list):
                # Before a tag, the comment of the value that was there would be written into the object.
                tree.ca.items.pop(key, None)
    return tree


def _layers(path: Path, above: tuple[Path, ...]) -> tuple[list[tuple[Any, Path]], tuple[Any, Path]]:
    """A file and what it extends, the base first, each with its path; and the names of the models, with the
    folder that they are relative to."""
    try:
        path = find_yaml(path)
    except FileNotFoundError as error:
        raise HparamsError(error) from error
    if path.resolve() in above:
        raise HparamsError(f"{path} extends itself through {[str(p) for p in above]}")
    tree = parse_yaml(path.read_text(encoding="utf-8"), path)
    below: list[tuple[Any, Path]] = []
    stated: tuple[Any, Path] = [], path.parent
    if EXTENDS in tree:
        below, stated = _layers(_extended(path, str(tree.pop(EXTENDS))), (*above, path.resolve()))
    if tree.get(MODELS) is not None:
        stated = tree[MODELS], path.parent
        if below:
            del tree[MODELS]
    return [*below, (tree, path)], stated


def _with_models(root: Any, root_path: Path, names: Sequence[str], folder: Path) -> Any:
    """The root's keys, with those of the models where it says ``models``."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise HparamsError(f"{root_path}: models: expected a list of yaml files, but got {names!r}")
    if not names:
        root.pop(MODELS, None)
        return root
    tree = CommentedMap()
    tree.ca.comment = root.ca.comment
    for key in [*root] if MODELS in root else [*root, MODELS]:
        if key != MODELS:
            _copy(root, key, tree)
            continue
        for name in names:
            try:
                path = find_yaml(name, folder)
            except FileNotFoundError as error:
                raise HparamsError(f"models: {error}") from error
            part = parse_yaml(path.read_text(encoding="utf-8"), path)
            for own in part:
                if own in root or own in tree:
                    raise HparamsError(f"{path}: the key {own!r} is in {root_path} or another model, too")
                _copy(part, own, tree)
    return tree


def _copy(source: Any, key: str, target: Any) -> None:
    target[key] = source[key]
    if key in source.ca.items:
        target.ca.items[key] = source.ca.items[key]


def _extended(path: Path, name: str) -> Path:
    try:
        return find_yaml(name, path.parent)
    except FileNotFoundError as error:
        raise HparamsError(f"{path} extends {name!r}: {error}") from error


def _dump(tree: Any) -> str:
    stream = io.StringIO()
    ruamel.yaml.YAML().dump(tree, stream)
    return stream.getvalue()
