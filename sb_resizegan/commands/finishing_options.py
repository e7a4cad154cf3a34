"""Options of what is done to an enhancer's output, which two commands share."""

import argparse
from typing import Any

from sb_resizegan.commands.parser import CommandParser

__all__ = ["add_finishing", "check_finishing", "finishing"]


def add_finishing(parser: CommandParser) -> None:
    """Adds the options to a command's parser.

    Arguments
    ---------
    parser : CommandParser
        Of the command.
    """
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="S", help="0 (the input) to 1 (the model; default)"
    )
    parser.add_argument(
        "--limit_db", type=float, metavar="DB", help="never lower the noise by more (default: no limit)"
    )
    parser.add_argument(
        "--upper_band",
        choices=("follow", "none"),
        default="follow",
        help="the band above half the model's rate: with the gain of the band below (default), or not at all",
    )
    parser.add_argument(
        "--link_channels", action="store_true", help="one gain for all channels, so that the image stays"
    )


def check_finishing(parser: CommandParser, options: argparse.Namespace) -> None:
    """Ends the command with one line if a number is out of range.

    Arguments
    ---------
    parser : CommandParser
        Of the command.
    options : argparse.Namespace
        What it has read.
    """
    if not 0 <= options.strength <= 1:
        parser.error(f"--strength: expected 0 to 1, but got {options.strength}")
    if options.limit_db is not None and not 0 <= options.limit_db < float("inf"):
        parser.error(f"--limit_db: expected a number of dB of at least 0, but got {options.limit_db}")


def finishing(options: argparse.Namespace) -> dict[str, Any]:
    """The options as arguments of ``enhance_to_file`` and of a stream.

    Arguments
    ---------
    options : argparse.Namespace
        What the command has read.

    Returns
    -------
    dict
        ``strength``, ``limit_db``, ``upper_band``, ``link_channels``.

    Example
    -------
    >>> parser = CommandParser("play", "Play.")
    >>> add_finishing(parser)
    >>> finishing(parser.parse_args(["--strength", "0.5"]))
    {'strength': 0.5, 'limit_db': None, 'upper_band': 'follow', 'link_channels': False}
    """
    return {name: getattr(options, name) for name in ("strength", "limit_db", "upper_band", "link_channels")}
