"""From a training's yaml and command line to its hyperparameters: read, typed, checked, then constructed."""

import inspect
import pydoc
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from speechbrain.utils.run_opts import RunOptions

from sb_resizegan.training.idle_settings import check_idle
from sb_resizegan.training.settings import OBJECTS, OPTIONAL, OTHERS, RECIPE, TASKS
from sb_resizegan.training.typed_values import check_value, is_text, read_word
from sb_resizegan.utils.command_line import Word
from sb_resizegan.utils.hparams import construct, plain_values, resolve
from sb_resizegan.utils.yaml_files import HparamsError, suggestion, yaml_tree

__all__ = ["load_training"]

REFERENCE = re.compile(r"<([^<>\[\].]+)[^<>]*>")


def load_training(
    path: str | Path,
    task: str,
    overrides: Mapping[str, Any] | None = None,
    check: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[dict[str, Any], str]:
    """Loads a training's yaml; nothing is constructed before all values are known to be of their types.

    Arguments
    ---------
    path : str or Path
        The yaml, or the name of a shipped one.
    task : str
        What the yaml has to be for: ``windows``, ``enhancement`` or ``vocoder``.
    overrides : dict
        Values of its keys; a `Word` is read by its key's type. The
        key ``models`` names other files of models.
    check : callable, optional
        Called with the plain values; raises what else cannot be.

    Returns
    -------
    hparams : dict
        The hyperparameters, constructed.
    resolved : str
        Their text, references and overrides filled in.

    Raises
    ------
    HparamsError
        One line that names the key, what was expected and what came: for another task, keys that are unknown,
        missing or read by nothing, values of a wrong type, objects that cannot be made.

    Example
    -------
    >>> load_training("resize.yaml", "windows", {"batch_size": Word("0")})
    Traceback (most recent call last):
    sb_resizegan.utils.yaml_files.HparamsError: --batch_size: expected an integer from 1 to 65536, but got 0
    """
    words = dict(overrides or {})
    models = words.pop("models", None)
    if models is not None:
        models = read_word(models, list[str]) if isinstance(models, Word) else models
    tree = yaml_tree(path, models)
    _check_task(path, tree, task)
    kinds = {key: kind for key in tree if (kind := _kind(key, tree, task)) is not None}
    _check_keys(path, tree, task)
    for key, value in words.items():
        tree[key] = _override(key, value, tree, kinds, path)
    for key in set(words) - _read(tree, task):
        raise HparamsError(
            f"--{key}: expected no value, for with the other keys that are given nothing reads it"
        )
    texts = {key for key, kind in kinds.items() if is_text(kind)}
    resolved = resolve(tree, texts, path)
    values = plain_values(resolved)
    for key, kind in kinds.items():
        try:
            check_value(key, kind, values[key])
        except ValueError as error:
            raise HparamsError(f"--{error}" if key in words else f"{path}: {error}") from error
    if check is not None:
        check(values)
    try:
        check_idle([key for key, value in words.items() if isinstance(value, Word)], values)
    except ValueError as error:
        raise HparamsError(f"--{error}") from error
    return construct(resolved, values, texts, path), resolved


def _check_task(path: str | Path, tree: Mapping[str, Any], task: str) -> None:
    stated = tree.get("task")
    if stated != task:
        known = f"; it is for {TASKS[stated]}" if stated in TASKS else ""
        raise HparamsError(f"{path}: task: expected {task} for {TASKS[task]}, but got {stated!r}{known}")


def _kind(key: str, tree: Mapping[str, Any], task: str) -> Any:
    """The type of a key's value, None for an object or where nothing is known."""
    if key in RECIPE[task]:
        return RECIPE[task][key]
    return OTHERS[key] if key in OTHERS else _argument_type(key, tree)


def _argument_type(key: str, tree: Mapping[str, Any]) -> Any:
    """The type of the argument that the yaml hands a key to, as its constructor states it."""
    for node in _nodes(tree):
        tag = _tag(node)
        if not tag.startswith(("!new:", "!apply:", "!name:")) or not isinstance(node, dict):
            continue
        for argument, value in node.items():
            if _tag(value) == "!ref" and value.value == f"<{key}>":
                return _annotation(pydoc.locate(tag.split(":", 1)[1]), argument)
    return None


def _annotation(made: Any, argument: str) -> Any:
    """The type of an argument of a function or a class, which may hand its options on to its base."""
    classes = inspect.getmro(made) if inspect.isclass(made) else ()
    functions = [kind.__init__ for kind in classes] or [made]  # type: ignore[misc]
    for function in functions:
        try:
            hints = typing.get_type_hints(function)
        except (NameError, TypeError):  # what is not there shows when it is constructed
            return None
        if argument in hints:
            return hints[argument]
    return None


def _override(
    key: str, value: Any, tree: Mapping[str, Any], kinds: Mapping[str, Any], path: str | Path
) -> Any:
    if key not in tree:
        known = [name for name in tree if name in kinds]
        raise HparamsError(f"--{key}: {path} has no such key{suggestion(key, known)}")
    if key == "task":
        raise HparamsError(f"--task: expected no value, for {path} states it, but got {str(value)!r}")
    if not isinstance(value, Word):
        return value
    if key not in kinds and (isinstance(tree[key], dict) or _tag(tree[key]).startswith("!")):
        raise HparamsError(f"--{key}: {path} has an object here; a yaml that extends it can state another")
    return read_word(value, kinds.get(key))


def _check_keys(path: str | Path, tree: Mapping[str, Any], task: str) -> None:
    """Finds keys that are missing, objects that are none, and keys that nothing reads."""
    missing = sorted({*RECIPE[task], *OBJECTS[task]} - set(tree))
    if missing:
        raise HparamsError(f"{path}: expected the keys {missing}, but they are missing")
    for key in OBJECTS[task]:
        if not isinstance(tree[key], dict) and not _tag(tree[key]).startswith("!"):
            raise HparamsError(f"{path}: {key}: expected an object (!new:CLASS), but got {tree[key]!r}")
    known = _read(tree, task)
    for key in tree:
        if key not in known:
            raise HparamsError(
                f"{path}: unknown key {key!r}: neither {TASKS[task]} nor an object of the yaml reads it"
                f"{suggestion(key, known)}"
            )


def _read(tree: Mapping[str, Any], task: str) -> set[str]:
    """Keys that the training reads, and those that these refer to, and so on."""
    begin = {*RECIPE[task], *OBJECTS[task], *OPTIONAL, *RunOptions().as_dict()}
    waiting = [key for key in tree if key in begin or key.startswith("__")]
    known = set()
    while waiting:
        key = waiting.pop()
        if key not in known and key in tree:
            known.add(key)
            waiting += _references(tree[key])
    return known


def _references(node: Any) -> list[str]:
    """Keys that a part of a yaml refers to."""
    return [
        name
        for part in _nodes(node)
        if _tag(part) in ("!ref", "!copy")
        for name in REFERENCE.findall(str(part.value))
    ]


def _nodes(node: Any) -> Iterator[Any]:
    """A node and all that is in it."""
    yield node
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in inside:
        yield from _nodes(part)


def _tag(node: Any) -> str:
    return getattr(getattr(node, "tag", None), "value", None) or ""
