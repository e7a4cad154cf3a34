"""Types of settings: what a value has to be, in words, and reading it from the text of a command line."""

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

import ruamel.yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = [
    "FLAG",
    "check_value",
    "choice",
    "either",
    "is_text",
    "list_of",
    "mapping_of",
    "number",
    "optional",
    "range_of",
    "read_word",
    "text",
    "whole",
]

# Of types that stand without bounds, such as those of a constructor's arguments.
STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Expected:
    """What a value has to be, in words."""

    words: str


def whole(low: int, high: int) -> Any:
    """Type of an integer from ``low`` to ``high``."""
    return Annotated[int, Field(strict=True, ge=low, le=high), Expected(f"an integer from {low} to {high}")]


def number(low: float, high: float, words: str | None = None, open: bool = False) -> Any:
    """Type of a number from ``low`` to ``high``, or between them if ``open``."""
    bounds: dict[str, Any] = {"gt": low, "lt": high} if open else {"ge": low, "le": high}
    span = f"above {low:g} and below {high:g}" if open else f"from {low:g} to {high:g}"
    field = Field(strict=True, allow_inf_nan=False, **bounds)
    return Annotated[float, field, Expected(words or f"a number {span}")]


def choice(*words: str) -> Any:
    """Type of one of some words."""
    return Annotated[Literal[words], Expected(f"one of {', '.join(words)}")]


def text(words: str) -> Any:
    """Type of a text that is taken as it is, such as a path."""
    return Annotated[str, Field(min_length=1), Expected(words)]


def optional(kind: Any) -> Any:
    """Type of ``kind`` or null."""
    return Annotated[kind | None, Expected(f"null or {expected(kind)}")]


def list_of(kind: Any, most: int = 16, words: str | None = None) -> Any:
    """Type of a list of one or some of ``kind``."""
    shown = words or f"a list of 1 to {most}, each {expected(kind)}"
    return Annotated[list[kind], Field(min_length=1, max_length=most), Expected(shown)]


def either(words: str, *kinds: Any) -> Any:
    """Type of one of some types."""
    return Annotated[Union[kinds], Expected(words)]  # noqa: UP007


def range_of(low: float, high: float) -> Any:
    """Type of a pair of numbers from ``low`` to ``high``, the smaller one first."""

    def ordered(pair: list[float]) -> list[float]:
        if pair[0] > pair[1]:
            raise ValueError("the smaller one comes first")
        return pair

    return Annotated[
        list[number(low, high)],  # type: ignore[misc]
        Field(min_length=2, max_length=2),
        AfterValidator(ordered),
        Expected(f"[lowest, highest], numbers from {low:g} to {high:g}"),
    ]


def mapping_of(kind: Any, words: str) -> Any:
    """Type of a mapping from names to ``kind``."""
    return Annotated[dict[str, kind], Expected(words)]


FLAG = Annotated[bool, Expected("True or False")]


def expected(kind: Any) -> str:
    """What a type takes, in words."""
    found = [part.words for part in getattr(kind, "__metadata__", ()) if isinstance(part, Expected)]
    if found:
        return found[0]
    name = str(kind) if typing.get_args(kind) else getattr(kind, "__name__", str(kind))
    return name.replace("collections.abc.", "").replace("typing.", "")


def check_value(key: str, kind: Any, value: Any) -> None:
    """Makes sure that a value has its type.

    Arguments
    ---------
    key : str
        Its name, for the message.
    kind : type
        Made of the functions above, or any that pydantic knows.
    value : object
        The value.

    Raises
    ------
    ValueError
        One line with the key, what was expected, and what came.

    Example
    -------
    >>> check_value("batch_size", whole(1, 9), "many")
    Traceback (most recent call last):
    ...
    ValueError: batch_size: expected an integer from 1 to 9, but got 'many'
    """
    try:
        TypeAdapter(kind, config=STRICT).validate_python(_as_utf8(value))
    except ValidationError as error:
        raise ValueError(f"{key}: expected {expected(kind)}, but got {value!r}") from error


def read_word(word: str, kind: Any = None) -> Any:
    """The value that a word of a command line stands for.

    Text is taken as it is: the word that begins with ``[`` is a list where lists are allowed, its items texts
    as they are; ``null`` is nothing where that is allowed. Everything else is yaml.

    Arguments
    ---------
    word : str
        The word.
    kind : type, optional
        Of the key; None if it isn't known.

    Returns
    -------
    object
        A value that may still be of a wrong type.

    Example
    -------
    >>> path, count = text("a path"), whole(0, 10_000)
    >>> read_word("2024_01", path), read_word("2024_01", count), read_word("null", optional(path))
    ('2024_01', 202401, None)
    >>> read_word("[007, a b]", list_of(path))
    ['007', 'a b']
    """
    parts = _members(kind)
    if word == "null" and type(None) in parts:
        return None
    lists = [part for part in parts if typing.get_origin(part) is list]
    if any(str in _members(typing.get_args(part)[0]) for part in lists) and word.startswith("["):
        return _yaml(word, "base")
    if str in parts:
        return str(word)
    value = _yaml(word, "safe")
    return str(word) if isinstance(value, str) else value


def _as_utf8(value: Any) -> Any:
    """The value with texts that pydantic takes: the names of files need not be UTF-8."""
    if isinstance(value, list):
        return [_as_utf8(item) for item in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def is_text(kind: Any) -> bool:
    """Whether a type is that of a text."""
    return str in _members(kind)


def _members(kind: Any) -> set:
    """Types that a type consists of, the words of a choice being texts."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _members(typing.get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return set().union(*map(_members, typing.get_args(kind)))
    if origin is Literal:
        return {type(word) for word in typing.get_args(kind)}
    return {kind}


def _yaml(word: str, kind: str) -> Any:
    """What yaml makes of a word; the word itself where it is none."""
    try:
        return ruamel.yaml.YAML(typ=kind, pure=True).load(word)
    except (ruamel.yaml.YAMLError, ValueError):
        return str(word)
