"""The parser of a subcommand. Its help begins with examples, its errors are one line."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

PROGRAM = "sb-resizegan"


class CommandParser(argparse.ArgumentParser):
    """Parser of ``sb-resizegan NAME``.

    Arguments
    ---------
    name : str
        The subcommand.
    text : str
        What it does, examples, and what else there is to say: its module's docstring.

    Example
    -------
    >>> parser = CommandParser("count", "Count things.\\n\\n    sb-resizegan count apples")
    >>> _ = parser.add_argument("thing")
    >>> print(parser.format_help().splitlines()[0])
    Count things.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(
            prog=f"{PROGRAM} {name}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.text = text.strip()

    def format_help(self) -> str:
        """What the subcommand does and its examples, then the options."""
        return f"{self.text}\n\n{super().format_help()}"

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2 and one line."""
        self.exit(2, f"{self.prog}: error: {message} (--help shows the options)\n")


def check_device(parser: CommandParser, device: str) -> None:
    """Ends the command with one line if a device is not there.

    Arguments
    ---------
    parser : CommandParser
        Of the command, which has an option ``--device``.
    device : str
        Such as ``cpu`` or ``cuda:1``.
    """
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        parser.error(f"--device: {device}: {str(error).splitlines()[0]}")


def check_least(parser: CommandParser, options: argparse.Namespace, least: dict[str, int]) -> None:
    """Ends the command with one line if an option's number is too small; None stands for no number.

    Arguments
    ---------
    parser : CommandParser
        Of the command.
    options : argparse.Namespace
        What it has read.
    least : dict of str to int
        The smallest number by the option's name.
    """
    for name, smallest in least.items():
        value = getattr(options, name)
        if value is not None and value < smallest:
            parser.error(f"--{name}: expected at least {smallest}, but got {value}")


def check_scores(parser: CommandParser, names: Sequence[str]) -> None:
    """Ends the command with one line if a score is unknown or what it needs is not installed.

    Arguments
    ---------
    parser : CommandParser
        Of the command, which has an option ``--scores``.
    names : sequence of str
        What it has read.
    """
    from sb_resizegan.metrics.speech_scores import SCORES

    for name in names:
        if name not in SCORES:
            parser.error(f"--scores: expected some of {', '.join(SCORES)}, but got {name!r}")
        missing = SCORES[name].missing()
        if missing:
            parser.error(f"{name}: {missing}")


def say(line: str) -> None:
    """Prints a line at once, into a pipe too."""
    print(line, flush=True)


def complain(message: object) -> int:
    """Prints an error as one line to stderr and returns the exit status 1."""
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    return 1
