"""Checks of single settings, whose errors name the setting, what was expected and what came."""

from collections.abc import Sequence
from numbers import Integral, Real

__all__ = [
    "check_choice",
    "check_count",
    "check_integer",
    "check_positive",
    "check_probability",
    "check_range",
]


def check_integer(name: str, value: int, minimum: int = 1, maximum: int | None = None) -> int:
    """Returns `value` as an int, or raises.

    Arguments
    ---------
    name : str
        The argument's name, for the message.
    value : int
        What the caller gave.
    minimum : int
        The smallest value allowed.
    maximum : int, optional
        The largest one.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If `value` is not an integer (a bool is not).
    ValueError
        If `value` is below `minimum` or above `maximum`.

    Example
    -------
    >>> check_integer("factor", 4)
    4
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}: expected an integer, but got {value!r}")
    if value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, but got {value}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name}: expected at most {maximum}, but got {value}")
    return int(value)


def check_positive(name: str, value: float, maximum: float | None = None) -> float:
    """Returns `value` as a float above zero and at most `maximum`, or raises TypeError or ValueError.

    Example
    -------
    >>> check_positive("attenuation", 50)
    50.0
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, but got {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a finite number above 0, but got {value}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name}: expected at most {maximum}, but got {value}")
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


def check_count(key: str, number: int) -> None:
    """Raises a ValueError unless ``number`` is a whole number of at least 1.

    Example
    -------
    >>> check_count("batch_size", 16)
    """
    if isinstance(number, bool) or not (isinstance(number, Integral) and number >= 1):
        raise ValueError(f"{key}: expected a whole number of at least 1, but got {number!r}")


def check_probability(key: str, number: float) -> None:
    """Raises a ValueError unless ``number`` lies in [0, 1].

    Example
    -------
    >>> check_probability("babble", 0.25)
    """
    if isinstance(number, bool) or not (isinstance(number, Real) and 0 <= number <= 1):
        raise ValueError(f"{key}: expected a probability from 0 to 1, but got {number!r}")


def check_range(key: str, pair: Sequence[float], lowest: float, highest: float) -> None:
    """Raises a ValueError unless ``pair`` is two numbers in order within limits.

    Example
    -------
    >>> check_range("snr_db", (20, -5), -100, 100)
    Traceback (most recent call last):
    ...
    ValueError: snr_db: expected two numbers in order from -100 to 100, but got (20, -5)
    """
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    is_pair = is_pair and all(isinstance(end, Real) and not isinstance(end, bool) for end in pair)
    if not (is_pair and lowest <= pair[0] <= pair[1] <= highest):
        raise ValueError(
            f"{key}: expected two numbers in order from {lowest:g} to {highest:g}, but got {pair!r}"
        )
