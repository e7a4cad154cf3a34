"""Splits a training's command line into the yaml, SpeechBrain's options and the yaml's keys, read literally.

SpeechBrain joins what is given for a key into yaml text, in which ``take #1`` loses its end and ``2024_01``
becomes a number. Here each value stays the text that it is, until the type of its key is known.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import speechbrain as sb
from speechbrain.utils.run_opts import HELP_TEXTS, RunOptions

from sb_resizegan.utils.yaml_files import HparamsError

__all__ = ["CommandLine", "Word", "split_command_line"]

# Run options that take any number of words.
LISTS = ("jit_module_keys", "compile_module_keys")


class Word(str):
    """A value as it was typed, whose type is not known yet."""


class CommandLine(NamedTuple):
    """What a training's command line says."""

    yaml: str
    """The yaml's path or name."""

    run_opts: RunOptions
    """SpeechBrain's run options."""

    overrides: dict[str, Word]
    """Values of the yaml's keys."""


def split_command_line(arguments: Sequence[str]) -> CommandLine:
    """Splits a command line.

    Arguments
    ---------
    arguments : sequence of str
        A yaml, ``--key value`` or ``--key=value`` for its keys, SpeechBrain's run options.

    Returns
    -------
    CommandLine

    Raises
    ------
    HparamsError
        For a word that belongs to no option, an option that is given twice or lacks its value, a run option
        whose value SpeechBrain does not take, no yaml or more than one.

    Example
    -------
    >>> split_command_line(["a.yaml", "--data_folder", "take #1", "--name=2024_01"]).overrides
    {'data_folder': 'take #1', 'name': '2024_01'}
    """
    defaults = RunOptions().as_dict()
    theirs, overrides, yamls, given = [], {}, [], set()
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            yamls.append(word)
            continue
        name, sign, value = word[2:].partition("=")
        if name in given:
            raise HparamsError(f"--{name}: expected once, but got it twice")
        given.add(name)
        if name in LISTS:
            theirs.append(word)
            while words and not sign and not words[0].startswith("--"):
                theirs.append(words.pop(0))
        elif name in HELP_TEXTS and defaults.get(name) is False:
            theirs.append(word)
        else:
            if not sign:
                if not words or words[0].startswith("--"):
                    raise HparamsError(f"--{name}: expected a value, but got none")
                value = words.pop(0)
            if name in HELP_TEXTS:
                theirs.append(f"--{name}={value}")
            else:
                overrides[name] = Word(value)
    if len(yamls) != 1:
        raise HparamsError(
            f"expected one yaml, and options as --KEY VALUE (a value with blanks in quotes), but got {yamls}"
        )
    return CommandLine(yamls[0], _run_options(yamls[0], theirs), overrides)


def _run_options(yaml: str, words: Sequence[str]) -> Any:
    """SpeechBrain's own reading of its options, its complaints as an error of ours."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return sb.parse_arguments([yaml, *words])[1]
    except SystemExit as error:
        raise HparamsError(said.getvalue().strip().splitlines()[-1].split("error: ", 1)[-1]) from error
