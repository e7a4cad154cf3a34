"""Where models are found: folders, the Hugging Face Hub, and those that come with the package, by name."""

import difflib
import re
from pathlib import Path

PRETRAINED_FOLDER = Path(__file__).resolve().parents[1] / "pretrained"


class ModelSourceError(ValueError):
    """A model cannot be loaded from where it was said to be."""


def shipped_models():
    """The models that come with the package.

    Returns
    -------
    dict of str to Path
        Folder by name, in alphabetical order. A folder holds ``hyperparams.yaml``, ``generator.ckpt`` and the
        model card, ``README.md``.

    Example
    -------
    >>> all((folder / "README.md").is_file() for folder in shipped_models().values())
    True
    """
    return {path.parent.name: path.parent for path in sorted(PRETRAINED_FOLDER.glob("*/hyperparams.yaml"))}


def find_model(source, hparams_file="hyperparams.yaml"):
    """Resolves the source of a model.

    The name of a shipped model comes first, whatever the current folder holds: write ``./NAME`` for a folder
    of such a name.

    Arguments
    ---------
    source : str or Path
        A name, a folder, or ``user/model`` on the Hugging Face Hub.
    hparams_file : str
        Name of the yaml file that the folder has to hold.

    Returns
    -------
    str
        A folder, or what is to be sought on the Hub.

    Raises
    ------
    ModelSourceError
        If it is no model's name and no folder of a model; it says which names there are.

    Example
    -------
    >>> find_model("somebody/some-model")
    'somebody/some-model'
    >>> find_model("no-such-model")
    Traceback (most recent call last):
    sb_resizegan.inference.model_sources.ModelSourceError: no such model: 'no-such-model'...
    """
    shipped = shipped_models()
    if isinstance(source, str) and source in shipped:
        return str(shipped[source])
    folder = Path(source)
    if folder.is_dir():
        if not (folder / hparams_file).is_file():
            raise ModelSourceError(
                f"{folder}: expected an exported model, but it has no {hparams_file}; "
                "recipes/export.py makes one of a training's output folder"
            )
        if (folder / "save").is_dir():
            raise ModelSourceError(
                f"{folder} is the output folder of a training; load {folder / 'export'}, "
                "or make it with recipes/export.py"
            )
        return str(folder)
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(source)) and not folder.parent.is_dir():
        return str(source)
    if isinstance(source, str) and re.fullmatch(r"[\w.-]+", source):
        near = difflib.get_close_matches(source, shipped, n=1)
        raise ModelSourceError(
            f"no such model: {source!r}"
            + (f" (did you mean {near[0]!r}?)" if near else "")
            + f"; the models that come with the package are {sorted(shipped)}, and there is no such folder"
        )
    raise ModelSourceError(f"no such model folder: {folder}")
