"""Yaml files that state only what differs from another one. Needs no torch."""

import difflib
import io
from collections.abc import Iterable
from pathlib import Path

import ruamel.yaml
from ruamel.yaml.comments import CommentedMap

from sb_resizegan.utils.shipped import find_yaml

__all__ = ["HparamsError", "parse_yaml", "read_hparams", "suggestion", "yaml_tree"]

EXTENDS = "extends"


class HparamsError(ValueError):
    """A yaml file or an override that cannot be used."""


def read_hparams(path: str | Path) -> str:
    """Text of a yaml file, with the file that it ``extends`` filled in.

    A variant names the file it starts from, relative to itself or a shipped one, and the keys that differ::

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
    return _dump(yaml_tree(path))


def yaml_tree(path: str | Path) -> CommentedMap:
    """The same as a tree, with tags and comments, nothing constructed.

    Arguments
    ---------
    path : str or Path
        As for `read_hparams()`.

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
    return _read_tree(Path(path), ())


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
    if not isinstance(tree, dict):
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


def _read_tree(path, above):
    try:
        path = find_yaml(path)
    except FileNotFoundError as error:
        raise HparamsError(error) from error
    if path.resolve() in above:
        raise HparamsError(f"{path} extends itself through {[str(p) for p in above]}")
    tree = parse_yaml(path.read_text(encoding="utf-8"), path)
    if EXTENDS not in tree:
        return tree
    base_path = _extended(path, str(tree.pop(EXTENDS)))
    base = _read_tree(base_path, (*above, path.resolve()))
    for key, value in tree.items():
        if key not in base:
            raise HparamsError(
                f"{path}: unknown key {key!r}, {base_path} does not have it{suggestion(key, base)}"
            )
        base[key] = value
    return base


def _extended(path, name):
    try:
        return find_yaml(name, path.parent)
    except FileNotFoundError as error:
        raise HparamsError(f"{path} extends {name!r}: {error}") from error


def _dump(tree):
    stream = io.StringIO()
    ruamel.yaml.YAML().dump(tree, stream)
    return stream.getvalue()
