"""Hyperparameters: the tree of a yaml, its references filled in, constructed. Errors name the yaml."""

import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import ruamel.yaml
from hyperpyyaml import load_hyperpyyaml, resolve_references
from ruamel.yaml.comments import CommentedMap
from speechbrain.utils.run_opts import RunOptions

from sb_resizegan.utils.yaml_files import HparamsError, parse_yaml, read_hparams, suggestion, yaml_tree

__all__ = ["HparamsError", "construct", "load_hparams", "plain_values", "read_hparams", "resolve"]

REFERENCE = re.compile(r"<([^<>]+)>")


def load_hparams(path: str | Path, overrides: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], str]:
    """Loads a yaml file, with some keys changed.

    Arguments
    ---------
    path : str or Path
        The yaml file, or the name of a shipped one; it may extend another
        (`read_hparams()`).
    overrides : dict
        Values by key.

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

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "a.yaml").write_text("size: 3\\ncounts: !new:collections.Counter\\n  a: !ref <size>")
    >>> load_hparams(folder / "a.yaml", {"size": 4})[0]["counts"]
    Counter({'a': 4})
    """
    tree = yaml_tree(path)
    run_options = set(RunOptions().as_dict())
    for key, value in (overrides or {}).items():
        if key not in tree and key not in run_options:
            raise HparamsError(f"--{key}: {path} has no such key{suggestion(key, tree)}")
        tree[key] = value
    resolved = resolve(tree, (), path)
    return construct(resolved, {}, (), path), resolved


def resolve(tree: CommentedMap, texts: Collection[str], path: str | Path) -> str:
    """Fills in a tree's references.

    Arguments
    ---------
    tree : ruamel.yaml.comments.CommentedMap
        The tree, which is changed.
    texts : collection of str
        Keys whose values are texts that are not to be interpreted: HyperPyYAML takes ``2024/01`` for a
        division and ``<seed>`` within a path for a reference.
    path : str or Path
        Where the tree comes from, for errors.

    Returns
    -------
    str
        HyperPyYAML text without references to plain values.
    """
    for key in texts:
        tree[key] = _filled_in(key, tree, path)
    _put_in(tree, {key: tree[key] for key in texts if isinstance(tree[key], str)}, path)
    stream = io.StringIO()
    ruamel.yaml.YAML().dump(tree, stream)
    with _named(path):
        return resolve_references(stream.getvalue()).getvalue()


def plain_values(resolved: str) -> dict[str, Any]:
    """Values of a resolved yaml; those that are objects stay as nodes.

    Example
    -------
    >>> plain_values("a: [1, 2.5]\\nb: text")
    {'a': [1, 2.5], 'b': 'text'}
    """
    return {key: _plain(value) for key, value in parse_yaml(resolved, "the resolved yaml").items()}


def construct(
    resolved: str, values: Mapping[str, Any], texts: Collection[str], path: str | Path
) -> dict[str, Any]:
    """Constructs the objects of a resolved yaml.

    Arguments
    ---------
    resolved : str
        The text.
    values : dict
        Plain values, as `plain_values()` gives them.
    texts : collection of str
        Keys of those that have to come out as they are; HyperPyYAML would make a tuple of ``(a, b)``.
    path : str or Path
        Where it comes from, for errors.

    Returns
    -------
    dict
        Values and objects by key.
    """
    with _named(path):
        hparams = load_hyperpyyaml(io.StringIO(resolved))
    return {**hparams, **{key: values[key] for key in texts}}


class _named:
    """Errors of yaml, references and constructors, as one that names the file."""

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def __enter__(self) -> "_named":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrong = (ValueError, TypeError, KeyError, ImportError, AttributeError, RuntimeError)
        if isinstance(error, HparamsError) or not isinstance(error, (*wrong, ruamel.yaml.YAMLError)):
            return
        words = [part for part in error.args if isinstance(part, str)] or [str(error)]
        raise HparamsError(f"{self.path}: {' '.join(' '.join(words).split())}") from error


def _filled_in(key: str, tree: Mapping[str, Any], path: str | Path, above: tuple[str, ...] = ()) -> Any:
    """A text with its references filled in, word for word."""
    value = tree[key]
    if getattr(getattr(value, "tag", None), "value", None) != "!ref":
        return value
    if key in above:
        raise HparamsError(f"{path}: {key}: refers to itself through {list(above)}")

    def text_of(match: re.Match[str]) -> str:
        if match[1] not in tree:
            raise HparamsError(f"{path}: {key}: refers to {match[1]!r}, which is missing")
        return str(_filled_in(match[1], tree, path, (*above, key)))

    return REFERENCE.sub(text_of, value.value)


def _put_in(node: Any, texts: Mapping[str, Any], path: str | Path) -> None:
    """Puts texts where a node refers to them."""
    for place, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict | list):
            _put_in(value, texts, path)
        elif getattr(getattr(value, "tag", None), "value", None) == "!ref":
            found = REFERENCE.fullmatch(value.value)
            if found and found[1] in texts:
                node[place] = texts[found[1]]
                stream = io.StringIO()
                ruamel.yaml.YAML().dump({"text": node[place]}, stream)
                if load_hyperpyyaml(stream.getvalue())["text"] != node[place]:
                    raise HparamsError(
                        f"{path}: {found[1]}: expected a text that yaml leaves as it is, "
                        f"but got {node[place]!r}"
                    )


def _plain(value: Any) -> Any:
    """A value of a yaml without what it remembers of its writing."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    tagged = getattr(getattr(value, "tag", None), "value", None)
    return (
        {str(key): _plain(part) for key, part in value.items()}
        if isinstance(value, dict) and not tagged
        else value
    )
