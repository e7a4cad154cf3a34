"""The entry point ``sb-resizegan``: finds the subcommand and loads what that one needs.

Loading torch and SpeechBrain takes seconds, which ``--help``, ``--version`` and a mistyped word need not wait
for. So nothing here imports them, and neither do the modules of the subcommands before their arguments are
read. The trainings are the exception: their modules read like any SpeechBrain recipe, with all imports at
the top, and their help is made here, from their yaml.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from sb_resizegan import __version__
from sb_resizegan.commands.parser import PROGRAM, complain
from sb_resizegan.utils.extras import EXTRAS, MissingExtraError, extra_of, require

# In the order in which somebody new needs them.
COMMANDS = {
    "train-gan": "train a generator of speech windows",
    "train-enhance": "train a speech enhancer",
    "train-restore": "train a generator that restores what was lost",
    "train-vocoder": "train a vocoder: mel spectra to speech",
    "enhance": "enhance sound files and whole trees of them",
    "vocode": "make speech of mel spectra, or copies of recordings by way of them",
    "live": "enhance what a microphone hears, as it hears it",
    "score": "score a folder of speech against a folder of clean speech",
    "evaluate": "score enhancers on pairs of noisy and clean speech: table, sounds, a page",
    "measure": "measure upsampling artefacts of recordings or of a generator",
    "compare": "train a grid of generators under one budget and gather what they show",
    "rooms": "simulate impulse responses of rooms to train enhancers with",
    "export": "turn a training's checkpoint into a folder that can be loaded",
    "report": "make a page of finished trainings",
}
# What a subcommand needs beyond the core: the extra that brings it, and the modules.
NEEDED = {
    "train-gan": ("train", EXTRAS["train"]),
    "train-enhance": ("train", EXTRAS["train"]),
    "train-restore": ("train", EXTRAS["train"]),
    "train-vocoder": ("train", EXTRAS["train"]),
    "compare": ("train", EXTRAS["train"]),
    "score": ("scores", ("pystoi",)),
    "evaluate": ("scores", ("matplotlib", "pesq", "pystoi")),
    "report": ("train", ("matplotlib",)),
    "rooms": ("rooms", EXTRAS["rooms"]),
}
# The yaml that has all keys of a training.
TRAININGS = {
    "train-gan": "resize.yaml",
    "train-enhance": "enhance.yaml",
    "train-restore": "restore.yaml",
    "train-vocoder": "vocoder.yaml",
}

USAGE = f"""\
Adversarial speech generation without upsampling artefacts, for SpeechBrain.

    {PROGRAM} train-gan resize.yaml --data_folder MY_SPEECH
    {PROGRAM} train-enhance enhance.yaml --clean SPEECH --noise NOISE
    {PROGRAM} train-vocoder vocoder.yaml --data_folder MY_SPEECH
    {PROGRAM} enhance noisy.wav FOLDER/ -o OUT/

usage: {PROGRAM} COMMAND ...        {PROGRAM} COMMAND --help        {PROGRAM} --version

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand.

    Arguments
    ---------
    arguments : sequence of str, optional
        The command line, the subcommand first; that of the process by default.

    Returns
    -------
    int
        The exit status.

    Example
    -------
    >>> main(["--version"]) == 0
    sb-resizegan ...
    True
    """
    # OpenMP threads wait for each other by spinning. Where other programs share the cores, that makes a step
    # many times as long; a short spin costs little where none does. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(COMMANDS)}"
        complain(f"no such command: {name!r}; {hint}")
        return 2
    try:
        return run(name, rest)
    except MissingExtraError as error:
        return complain(error)
    except ModuleNotFoundError as error:  # what only some options of a command need
        extra = extra_of(error.name or "")
        if extra is None:
            raise
        return complain(f"{PROGRAM} {name} needs {error.name} here: pip install 'sb_resizegan[{extra}]'")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # of `| head`; Python would complain once more when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run(name: str, arguments: list[str]) -> int:
    """Runs a subcommand's module; None, which it may return, stands for success."""
    if name in TRAININGS and {"-h", "--help"} & set(arguments):
        return show_training_help(name, arguments)
    if name in NEEDED and not {"-h", "--help"} & set(arguments):
        extra, modules = NEEDED[name]
        require(modules, extra, f"{PROGRAM} {name}")
    return importlib.import_module(f"sb_resizegan.commands.{name.replace('-', '_')}").main(arguments) or 0


def show_training_help(name: str, arguments: list[str]) -> int:
    """Prints the help of a training, for the yaml that is named or else the one with all keys."""
    from sb_resizegan.commands.training_help import training_help
    from sb_resizegan.utils.yaml_files import HparamsError

    yaml = next((word for word in arguments if word.endswith((".yaml", ".yml"))), TRAININGS[name])
    try:
        text = training_help(name, yaml)
    except HparamsError as error:
        return complain(error)
    print(text, flush=True)
    return 0


def usage() -> str:
    """The help of the command as a whole."""
    width = max(map(len, COMMANDS))
    return USAGE + "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
