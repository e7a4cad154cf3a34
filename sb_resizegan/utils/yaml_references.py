"""References in HyperPyYAML: ``<key>``, ``<key[sub]>``, and text and sums of them."""

import re
from collections.abc import Mapping

from hyperpyyaml.core import parse_arithmetic
from ruamel.yaml.nodes import MappingNode, Node

__all__ = ["ReferenceLostError", "fill_in", "find_references", "follow"]

REFERENCE = re.compile(r"<[^>]*>")
PATH = re.compile(r"<\s*([\w.-]+)((?:\[[\w.-]+\])*)\s*>")
ARITHMETIC = re.compile(r"[\d.eE+\-*/%() ]+")
LONGEST = 200  # characters; numbers and texts that references give are short


class ReferenceLostError(ValueError):
    """A reference that leads nowhere, or gives what it must not."""


def find_references(text: str) -> list[str]:
    """References in a text, with their brackets.

    Example
    -------
    >>> find_references("<a>/<b[c]>")
    ['<a>', '<b[c]>']
    """
    return REFERENCE.findall(text)


def follow(reference: str, root: MappingNode) -> Node:
    """Node that a reference names.

    Arguments
    ---------
    reference : str
        Such as ``<key>`` or ``<key[sub]>``.
    root : MappingNode
        The tree.

    Returns
    -------
    ruamel.yaml.nodes.Node

    Raises
    ------
    ReferenceLostError
        If there is none, or for the attribute of an object, which HyperPyYAML would get with ``getattr``.
    """
    match = PATH.fullmatch(reference)
    if match is None:
        raise ReferenceLostError("expected a reference such as <key> or <key[sub]>")
    keys = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
    if any("." in key for key in keys):
        raise ReferenceLostError("attributes of objects are not allowed")
    node = root
    for key in keys:
        node = _child(node, key)
        if node is None:
            raise ReferenceLostError(f"there is no {key!r}")
    return node


def fill_in(text: str, values: Mapping[str, object]) -> object:
    """A text with its references filled in; a number where that is a sum, product or quotient.

    Arguments
    ---------
    text : str
        With references.
    values : dict of str to object
        What they stand for.

    Returns
    -------
    str, int or float

    Raises
    ------
    ReferenceLostError
        If a reference stands for anything but a number or a text, the result is long, or a division by zero.

    Example
    -------
    >>> fill_in("<rate> // 2", {"<rate>": 16000}), fill_in("<name>_2", {"<name>": "run"})
    (8000, 'run_2')
    """
    for reference, value in values.items():
        if not isinstance(value, str | int | float):
            raise ReferenceLostError(f"{reference} is no number and no text")
        text = text.replace(reference, str(value))
    if len(text) > LONGEST or "**" in text:
        raise ReferenceLostError(f"expected a result of at most {LONGEST} characters, without powers")
    if not ARITHMETIC.fullmatch(text):
        return text
    try:
        return parse_arithmetic(text)
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise ReferenceLostError(str(error)) from error


def _child(node: Node, key: str) -> Node | None:
    if isinstance(node, MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None
