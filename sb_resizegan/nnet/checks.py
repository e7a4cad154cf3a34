"""Argument and input checks that the layers share."""

from collections.abc import Sequence
from numbers import Integral, Real

import torch

__all__ = ["check_choice", "check_input", "check_integer", "check_positive"]


def check_integer(name: str, value: int, minimum: int = 1) -> int:
    """Returns `value` as an int, or raises.

    Arguments
    ---------
    name : str
        The argument's name, for the message.
    value : int
        What the caller gave.
    minimum : int
        The smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If `value` is not an integer (a bool is not).
    ValueError
        If `value` is below `minimum`.

    Example
    -------
    >>> check_integer("factor", 4)
    4
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}: expected an integer, but got {value!r}")
    if value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, but got {value}")
    return int(value)


def check_positive(name: str, value: float) -> float:
    """Returns `value` as a float above zero, or raises TypeError or ValueError.

    Example
    -------
    >>> check_positive("attenuation", 50)
    50.0
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, but got {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a finite number above 0, but got {value}")
    return float(value)


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Returns `value` if it is one of `choices`, or raises a ValueError that lists them.

    Example
    -------
    >>> check_choice("mode", "sinc", ("linear", "sinc"))
    'sinc'
    """
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, but got {value!r}")
    return value


def check_input(x: torch.Tensor, channels: int | None = None) -> None:
    """Raises a ValueError unless `x` is `(batch, channels, time)` with at least one sample.

    Arguments
    ---------
    x : torch.Tensor
        The layer's input.
    channels : int or None
        The number of channels that the layer was built for; None allows any.

    Example
    -------
    >>> import torch
    >>> check_input(torch.zeros(1, 2, 8), channels=2)
    """
    wanted = "channels" if channels is None else channels
    if x.dim() != 3 or (channels is not None and x.shape[1] != channels):
        raise ValueError(f"expected an input of shape (batch, {wanted}, time), but got {tuple(x.shape)}")
    if x.shape[2] == 0:
        raise ValueError(f"expected at least one sample in time, but got shape {tuple(x.shape)}")
