"""The help of the trainings: their examples, and every key with its comment, read from the yaml itself.

Made without torch and SpeechBrain, which take seconds to load.
"""

import importlib.util
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml.comments import CommentedMap

from sb_resizegan.commands.parser import PROGRAM
from sb_resizegan.utils.shipped import find_yaml, shipped_yamls
from sb_resizegan.utils.yaml_files import yaml_tree

WIDTH, COLUMN = 110, 38


def training_help(command: str, yaml: str | Path) -> str:
    """The help of a training command.

    Arguments
    ---------
    command : str
        Such as ``train-gan``.
    yaml : str or Path
        The yaml whose keys are listed: a path, or the name of a shipped file.

    Returns
    -------
    str
        Examples, this project's keys, SpeechBrain's options.

    Example
    -------
    >>> lines = training_help("train-gan", "resize.yaml").splitlines()
    >>> [line.strip() for line in lines if "--batch_size" in line]
    ['--batch_size 64                       windows, for each process']
    """
    tree = yaml_tree(yaml)
    keys = list(_plain_keys(tree))
    objects = [key for key in tree if key not in keys and not key.startswith("__")]
    shipped = ", ".join(name for name in shipped_yamls() if name.startswith("models/"))
    return "\n".join(
        [
            *_heading(find_yaml(yaml)),
            "",
            f"usage: {PROGRAM} {command} YAML [--KEY VALUE ...] [SpeechBrain's options]",
            "",
            "YAML is a path, or the name of a file that comes with the package. A yaml of your own may begin",
            f"with 'extends: {yaml}' and state only what differs. The same command again goes on where an",
            "interrupted run stopped. Lists are written as '[1, 2]', nothing as null.",
            "",
            f"Keys, with their values in {yaml}:",
            *_key_lines(tree, keys),
            "",
            *textwrap.wrap(f"Stated in a yaml alone: {', '.join(objects)}.", WIDTH),
            *textwrap.wrap(
                f"--models '[FILE, ...]' takes other networks, with keys of their own; shipped: {shipped}.",
                WIDTH,
            ),
            "",
            "SpeechBrain's options:",
            *_option_lines(set(keys)),
        ]
    )


def _heading(path: Path) -> list[str]:
    """The comment that the yaml begins with: what it is, and examples, which get a blank line around them."""
    lines = itertools.takewhile(
        lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()
    )
    words = [line.removeprefix("#").removeprefix(" ") for line in lines]
    examples = [line.startswith("  ") for line in words]
    heading = []
    for number, line in enumerate(words):
        if number and examples[number] != examples[number - 1]:
            heading.append("")
        heading.append(f"  {line}" if examples[number] else line)
    return heading


def _plain_keys(tree: CommentedMap) -> Iterator[str]:
    """Keys that hold neither an object nor a mapping."""
    for key, value in tree.items():
        tag = getattr(getattr(value, "tag", None), "value", None) or ""
        refers = tag == "!ref" and not str(value.value).startswith("<")
        if (
            key != "task"
            and not key.startswith("__")
            and not isinstance(value, dict)
            and (not tag.startswith("!") or refers)
        ):
            yield key


def _key_lines(tree: CommentedMap, keys: Sequence[str]) -> Iterator[str]:
    """A line a key, below the heading that its part of the yaml has."""
    for key in tree:
        _, before, after, _ = tree.ca.items.get(key, [None] * 4)
        yield from _comment_lines("".join(token.value for token in before or ()).split("\n"))
        own, *below = after.value.split("\n") if after else [""]
        if key in keys:
            yield from _entry(f"--{key} {_shown(tree[key])}", own.strip().removeprefix("# "))
        yield from _comment_lines(below)


def _comment_lines(lines: Sequence[str]) -> Iterator[str]:
    """Headings among the lines between two keys."""
    headings = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    if headings:
        yield ""
        yield from headings


def _shown(value: Any) -> str:
    """A value as the command line takes it."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"'[{', '.join(map(_shown, value))}]'"
    return str(getattr(value, "value", value))


def _entry(words: str, text: str) -> list[str]:
    """Option and explanation side by side, or below each other where the option is long."""
    if not text:
        return [f"  {words}"]
    lines = textwrap.wrap(text, WIDTH - COLUMN) or [""]
    indented = [" " * COLUMN + line for line in lines]
    if len(words) + 4 > COLUMN:
        return [f"  {words}", *indented]
    return [f"  {words}".ljust(COLUMN) + lines[0], *indented[1:]]


def _option_lines(keys: set[str]) -> Iterator[str]:
    """SpeechBrain's run options that aren't keys of the yaml."""
    module = _run_options()
    for field in fields(module.RunOptions):
        if field.name in module.HELP_TEXTS and field.name not in keys:
            flag = field.default is False
            shown = "" if flag or field.default is None else f" ({field.default})"
            words = f"--{field.name}" if flag else f"--{field.name} {field.name.split('_')[-1].upper()}"
            yield from _entry(words, module.HELP_TEXTS[field.name] + shown)


def _run_options() -> ModuleType:
    """SpeechBrain's module of run options, without the package around it."""
    package = importlib.util.find_spec("speechbrain")
    assert package is not None and package.submodule_search_locations  # required by setup.py
    path = Path(package.submodule_search_locations[0]) / "utils" / "run_opts.py"
    spec = importlib.util.spec_from_file_location("sb_resizegan_run_opts", path)
    assert spec is not None and spec.loader is not None  # as for any .py file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
