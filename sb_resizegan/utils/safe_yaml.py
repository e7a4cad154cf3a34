"""HyperPyYAML that constructs what is allowed by name, and nothing else, whoever wrote the file.

HyperPyYAML constructs whatever a file names. Here the text is composed to a tree of nodes, which runs
nothing; the values are made from these nodes and from nowhere else, so that nothing can differ between what
was checked and what is constructed. Every tag is refused but those for plain values, ``!ref``, ``!copy``, and
``!new:`` and ``!name:`` of names in a table that the caller gives.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import ruamel.yaml
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from sb_resizegan.utils.yaml_nodes import children, node_error, plain_yaml, short, tag_of
from sb_resizegan.utils.yaml_references import ReferenceLostError, fill_in, find_references, follow

__all__ = ["construct"]

MOST_VALUES = 4096  # with everything that aliases and references repeat
LARGEST_NUMBER = 2**24

CORE = "tag:yaml.org,2002:"
SCALARS = {f"{CORE}{kind}" for kind in ("null", "bool", "int", "float", "str")}
MAPPING, SEQUENCE, STRING = f"{CORE}map", f"{CORE}seq", f"{CORE}str"


def construct(root: MappingNode, allowed: Mapping[str, Callable], origin: str) -> dict[str, Any]:
    """Makes the values of a tree of nodes.

    Arguments
    ---------
    root : MappingNode
        What `compose()` gave.
    allowed : dict of str to callable
        What ``!new:`` may call and ``!name:`` may name, by the exact tag.
    origin : str
        What the tree is called in messages.

    Returns
    -------
    dict
        As HyperPyYAML gives it: without the keys that begin with two underscores.

    Raises
    ------
    UnsafeYamlError
        Naming the tag and the line, for a tag that is not allowed, a path that leads out of the folder, a
        reference that leads nowhere or round in a circle, and more than 4096 values.
    Exception
        Whatever an allowed callable raises.

    Example
    -------
    >>> from sb_resizegan.utils.yaml_nodes import compose
    >>> construct(compose("a: !new:dict {x: 2}\\nb: !ref <a>", "example.yaml"), {"!new:dict": dict}, "")
    {'a': {'x': 2}, 'b': {'x': 2}}
    >>> construct(compose("a: 1\\nb: !apply:os.system [ls]", "x.yaml"), {}, "x.yaml")
    Traceback (most recent call last):
    sb_resizegan.utils.yaml_nodes.UnsafeYamlError: x.yaml, line 2: the tag !apply:os.system is not allowed
    """
    values = _Constructor(root, allowed, origin).value_of(root)[0]
    return {key: value for key, value in values.items() if not str(key).startswith("__")}


class _Constructor:
    """Values of nodes, each made once; a budget bounds what aliases, references and copies multiply."""

    def __init__(self, root: Any, allowed: Mapping[str, Callable], origin: str) -> None:
        self.root, self.allowed, self.origin = root, allowed, origin
        self.scalars = plain_yaml().constructor
        self.made: dict[int, tuple[Any, int]] = {}
        self.open: set[int] = set()
        self.spent = 0
        # HyperPyYAML would pass over what is wrong in a part that nothing uses. Here every node is checked.
        self.check(root, set())

    def check(self, node: Any, seen: set[int]) -> None:
        """Refuses what must not be anywhere, before anything is made."""
        if id(node) in seen:
            return
        seen.add(id(node))
        tag = tag_of(node)
        if isinstance(node, ScalarNode):
            self.check_scalar(node, tag)
        elif tag.startswith(("!new:", "!name:")):
            self.callable_of(node, tag)
        elif tag != (MAPPING if isinstance(node, MappingNode) else SEQUENCE):
            raise self.error(node, f"the tag {short(tag)} is not allowed")
        for child in children(node):
            self.check(child, seen)
        if isinstance(node, MappingNode):
            keys = set()
            for part, _ in node.value:
                key = self.key(part)
                if key in keys:
                    raise self.error(part, f"the key {short(key)} is there twice")
                keys.add(key)

    def check_scalar(self, node: Any, tag: str) -> None:
        if tag.startswith(("!new:", "!name:")):
            self.callable_of(node, tag)
            if node.value:
                raise self.error(node, f"{short(tag)}: expected arguments as a mapping or a list")
        elif tag in ("!ref", "!copy"):
            if "**" in node.value:
                raise self.error(node, f"the reference {tag} {short(node.value)}: powers are not allowed")
            if not find_references(node.value):
                raise self.error(node, f"{tag}: expected a reference such as <key>, got {short(node.value)}")
        elif tag == "!tuple" or (tag in SCALARS and re.fullmatch(r"\(.*\)", node.value, re.DOTALL)):
            # HyperPyYAML reads what is in it with a loader that runs code. Once it was used in this process,
            # the parser gives the tag by itself.
            raise self.error(node, f"the tag !tuple of {short(node.value)} is not allowed; write a list")
        elif tag not in SCALARS:
            raise self.error(node, f"the tag {short(tag)} is not allowed")
        if tag in (STRING, "!ref", "!copy") and _leads_out(node.value):
            raise self.error(node, f"{short(node.value)}: absolute paths and '..' are not allowed")

    def value_of(self, node: Any) -> tuple[Any, int]:
        """Value of a node, and how many values it has in all."""
        if id(node) in self.made:
            return self.made[id(node)]
        if id(node) in self.open:
            raise self.error(node, "refers to itself in a circle")
        self.open.add(id(node))
        value, size = self.make(node)
        self.open.discard(id(node))
        self.spent += 1
        if max(size, self.spent) > MOST_VALUES:
            raise self.error(node, f"more than {MOST_VALUES} values, counting what is repeated")
        self.made[id(node)] = value, size
        return value, size

    def make(self, node: Any) -> tuple[Any, int]:
        tag = tag_of(node)
        if isinstance(node, ScalarNode):
            if tag in ("!ref", "!copy"):
                return self.refer(node, tag)
            if tag in SCALARS:
                return self.scalar(node), 1
        arguments, size = self.contents(node)
        if tag in (MAPPING, SEQUENCE):
            return arguments, size
        target = self.callable_of(node, tag)
        positional, named = ([], arguments) if isinstance(arguments, dict) else (arguments or [], {})
        for key in named:
            if not isinstance(key, str):
                raise self.error(node, f"{short(tag)}: expected names of arguments, but got {short(key)}")
        if tag.startswith("!name:"):
            return (functools.partial(target, *positional, **named) if positional or named else target), size
        return target(*positional, **named), size

    def contents(self, node: Any) -> tuple[Any, int]:
        if isinstance(node, MappingNode):
            pairs = [(self.key(key), *self.value_of(child)) for key, child in node.value]
            return {key: value for key, value, _ in pairs}, 1 + sum(size for *_, size in pairs)
        if isinstance(node, SequenceNode):
            items = [self.value_of(child) for child in node.value]
            return [value for value, _ in items], 1 + sum(size for _, size in items)
        return None, 1

    def scalar(self, node: Any) -> Any:
        try:
            value = self.scalars.construct_object(node)
        except (ValueError, KeyError, ruamel.yaml.YAMLError) as error:
            raise self.error(node, f"{short(node.value)} is no {tag_of(node).removeprefix(CORE)}") from error
        return self.in_range(node, value)

    def in_range(self, node: Any, value: Any) -> Any:
        if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            raise self.error(node, f"expected numbers up to {LARGEST_NUMBER}, but got {short(value)}")
        return value

    def key(self, node: Any) -> Any:
        if not isinstance(node, ScalarNode) or tag_of(node) not in SCALARS:
            raise self.error(node, f"expected a plain key, but got one with the tag {short(tag_of(node))}")
        return self.scalar(node)

    def callable_of(self, node: Any, tag: str) -> Callable:
        if tag not in self.allowed:
            raise self.error(node, f"the tag {short(tag)} is not allowed")
        return self.allowed[tag]

    def refer(self, node: Any, tag: str) -> tuple[Any, int]:
        try:
            references = find_references(node.value)
            if references == [node.value]:
                target = follow(references[0], self.root)
                if tag == "!ref":
                    return self.value_of(target)
                # A copy is made anew, down to what it refers to; the budget pays for it again.
                kept, self.made = self.made, {}
                value = self.value_of(target)
                self.made = kept
                return value
            parts = {text: self.value_of(follow(text, self.root))[0] for text in references}
            value = fill_in(node.value, parts)
        except ReferenceLostError as error:
            raise self.error(node, f"the reference {tag} {short(node.value)}: {error}") from error
        if isinstance(value, str) and (_leads_out(value) or re.fullmatch(r"\(.*\)", value, re.DOTALL)):
            raise self.error(node, f"the reference {tag} {short(node.value)} gives {short(value)}")
        return self.in_range(node, value), 1

    def error(self, node: Any, reason: str) -> Exception:
        return node_error(self.origin, node, reason)


def _leads_out(text: str) -> bool:
    return text.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", text)
