"""Yaml as a tree of nodes: composed within bounds, changed and compared; nothing is constructed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import ruamel.yaml
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = [
    "UnsafeYamlError",
    "children",
    "compose",
    "digests",
    "merge_overrides",
    "node_error",
    "plain_yaml",
    "short",
    "tag_of",
]

LONGEST_TEXT = 64 * 1024  # bytes
DEEPEST = 16  # levels


class UnsafeYamlError(ValueError):
    """A yaml file that cannot be used without trusting who wrote it."""


def compose(text: str | bytes, origin: str) -> MappingNode:
    """Reads yaml to a tree of nodes; nothing is constructed.

    Arguments
    ---------
    text : str or bytes
        Yaml, UTF-8, at most 64 KiB.
    origin : str
        What the text is called in messages.

    Returns
    -------
    ruamel.yaml.nodes.MappingNode

    Raises
    ------
    UnsafeYamlError
        If it is longer, deeper than 16 levels, no UTF-8, no yaml, or no mapping.

    Example
    -------
    >>> len(compose("a: 1\\nb: [2, 3]", "example.yaml").value)
    2
    """
    if len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT:
        raise UnsafeYamlError(f"{origin}: expected at most {LONGEST_TEXT} bytes of yaml, but there are more")
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
        # The tree is built by recursion, the events are not: they say first how deep it goes.
        depth = 0
        for event in plain_yaml().parse(text):
            depth += isinstance(event, ruamel.yaml.events.CollectionStartEvent)
            depth -= isinstance(event, ruamel.yaml.events.CollectionEndEvent)
            if depth > DEEPEST:
                raise node_error(origin, event, f"nested deeper than {DEEPEST} levels")
        root = plain_yaml().compose(text)
    except UnsafeYamlError:
        raise
    except (ruamel.yaml.YAMLError, UnicodeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UnsafeYamlError(f"{origin}: not valid yaml: {reason}") from error
    if not isinstance(root, MappingNode):
        raise UnsafeYamlError(f"{origin}: expected yaml of the form 'key: value'")
    return root


def merge_overrides(
    root: MappingNode, overrides: Mapping | str, origin: str, must_match: bool = True
) -> None:
    """Sets values in a tree of nodes, as HyperPyYAML's ``overrides`` do.

    Arguments
    ---------
    root : MappingNode
        What `compose()` gave; changed in place.
    overrides : dict or str
        Plain values, or yaml text.
    origin : str
        What the tree is called in messages.
    must_match : bool
        Whether a key that is not there yet is an error.

    Raises
    ------
    UnsafeYamlError
        For values that are not plain, and keys that are not there.

    Example
    -------
    >>> root = compose("a: 1\\nb: {c: 2, d: 3}", "example.yaml")
    >>> merge_overrides(root, {"b": {"c": 5}}, "example.yaml")
    >>> from sb_resizegan.utils.safe_yaml import construct
    >>> construct(root, {}, "example.yaml")
    {'a': 1, 'b': {'c': 5, 'd': 3}}
    """
    if not isinstance(overrides, str):
        stream = ruamel.yaml.compat.StringIO()
        try:
            plain_yaml().dump(dict(overrides), stream)
        except ruamel.yaml.YAMLError as error:
            raise UnsafeYamlError(
                f"overrides: expected plain values; with trust=True they may be any: {error}"
            ) from error
        overrides = stream.getvalue()
    if overrides.strip():
        _merge(root, compose(overrides, "overrides"), origin, must_match)


def digests(root: MappingNode) -> dict[str, str]:
    """SHA-256 of what each key of a tree says, whatever its comments and style.

    Arguments
    ---------
    root : MappingNode
        What `compose()` gave, of a tree that `construct()` takes.

    Returns
    -------
    dict of str to str

    Example
    -------
    >>> first, second = (digests(compose(text, "")) for text in ("a: {b: 1}", "# same\\na:\\n  'b': 1"))
    >>> first == second
    True
    """

    def plain(node: Node) -> list:
        if isinstance(node, ScalarNode):
            return [tag_of(node), node.value]
        if isinstance(node, MappingNode):
            return [tag_of(node), sorted([plain(key), plain(value)] for key, value in node.value)]
        return [tag_of(node), [plain(item) for item in node.value]]

    return {
        str(key.value): hashlib.sha256(json.dumps(plain(value)).encode()).hexdigest()
        for key, value in root.value
    }


def plain_yaml() -> ruamel.yaml.YAML:
    """A reader that composes and constructs plain values only."""
    # Comments and styles are of no use here, and the C parser knows YAML 1.1 only.
    return ruamel.yaml.YAML(typ="safe", pure=True)


def tag_of(node: Node) -> str:
    """Tag of a node, in full."""
    return str(node.tag)


def children(node: Node) -> list[Node]:
    """Nodes right below, keys among them."""
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _merge(node: Any, changes: Any, origin: str, must_match: bool) -> None:
    for key, value in changes.value:
        for number, (there, old) in enumerate(node.value):
            if there.value == key.value:
                if isinstance(old, MappingNode) and isinstance(value, MappingNode):
                    _merge(old, value, origin, False)
                else:
                    node.value[number] = (there, value)
                break
        else:
            if must_match:
                raise UnsafeYamlError(f"overrides: the key {short(key.value)} is not in {origin}")
            node.value.append((key, value))


def short(text: object) -> str:
    """A text, cut to 80 characters, for messages."""
    text = str(text)
    return text if len(text) <= 80 else f"{text[:80]}…"


def node_error(origin: str, node: Any, reason: str) -> UnsafeYamlError:
    """An error that names the line."""
    return UnsafeYamlError(f"{origin}, line {node.start_mark.line + 1}: {reason}")
