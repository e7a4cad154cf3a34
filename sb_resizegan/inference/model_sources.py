"""Where models are found: folders, the Hugging Face Hub, and those that come with the package, by name."""

import difflib
import os
import re
from pathlib import Path

PRETRAINED_FOLDER = Path(__file__).resolve().parents[1] / "pretrained"
HUB = "hf:"
HUB_FILES = ("*.safetensors", "*.ckpt", "README.md")


class ModelSourceError(ValueError):
    """A model cannot be loaded from where it was said to be."""


def shipped_models() -> dict[str, Path]:
    """The models that come with the package.

    Returns
    -------
    dict of str to Path
        Folder by name, in alphabetical order. A folder holds ``hyperparams.yaml``, the weights and the model
        card, ``README.md``.

    Example
    -------
    >>> all((folder / "README.md").is_file() for folder in shipped_models().values())
    True
    """
    return {path.parent.name: path.parent for path in sorted(PRETRAINED_FOLDER.glob("*/hyperparams.yaml"))}


def find_model(
    source: str | os.PathLike, hparams_file: str = "hyperparams.yaml", revision: str | None = None
) -> Path:
    """Resolves the source of a model.

    The name of a shipped model comes first, whatever the current folder holds: write ``./NAME`` for a folder
    of such a name. Nothing is sought on the network unless the source begins with ``hf:``.

    Arguments
    ---------
    source : str or Path
        A name, a folder, or ``hf:user/model`` on the Hugging Face Hub.
    hparams_file : str
        Name of the yaml file that the folder has to hold.
    revision : str, optional
        Commit, tag or branch on the Hub, where it has to be stated; it may also follow the source, as in
        ``hf:user/model@REVISION``. Only a commit always names the same weights.

    Returns
    -------
    Path
        A folder; that of the download for a model on the Hub.

    Raises
    ------
    ModelSourceError
        If it is no model's name and no folder of a model; it says which names there are.

    Example
    -------
    >>> find_model("enhance-base").name
    'enhance-base'
    >>> find_model("somebody/some-model")
    Traceback (most recent call last):
    sb_resizegan.inference.model_sources.ModelSourceError: no such model folder: somebody/some-model; ...
    """
    if Path(hparams_file).name != hparams_file:
        raise ModelSourceError(f"hparams_file: expected the name of a file, but got {hparams_file!r}")
    shipped = shipped_models()
    if isinstance(source, str) and source.startswith(HUB):
        return _download(source, hparams_file, revision)
    if revision is not None:
        raise ModelSourceError(f"revision {revision!r}: only models on the Hub have one, {source} is none")
    if isinstance(source, str) and source in shipped:
        return shipped[source]
    folder = Path(source)
    if folder.is_dir():
        if (folder / "save").is_dir():
            raise ModelSourceError(
                f"{folder} is the output folder of a training; load {folder / 'export'}, "
                "or make it with `sb-resizegan export`"
            )
        if not (folder / hparams_file).is_file():
            raise ModelSourceError(
                f"{folder}: expected an exported model, but it has no {hparams_file}; "
                "`sb-resizegan export` makes one of a training's output folder"
            )
        return folder
    if isinstance(source, str) and re.fullmatch(r"[\w.-]+", source):
        near = difflib.get_close_matches(source, shipped, n=1)
        raise ModelSourceError(
            f"no such model: {source!r}"
            + (f" (did you mean {near[0]!r}?)" if near else "")
            + f"; the models that come with the package are {sorted(shipped)}, and there is no such folder"
        )
    raise ModelSourceError(
        f"no such model folder: {folder}; a model on the Hub is written hf:user/model@REVISION"
    )


def _download(source: str, hparams_file: str, revision: str | None) -> Path:
    name, _, stated = source.removeprefix(HUB).partition("@")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name):
        raise ModelSourceError(f"{source}: expected hf:user/model@REVISION")
    if not (stated or revision):
        raise ModelSourceError(
            f"{source}: expected a revision, for a model may change there; write {source}@REVISION"
        )
    if stated and revision and stated != revision:
        raise ModelSourceError(f"{source}: two revisions, {stated!r} and {revision!r}")
    import huggingface_hub  # only those who load from the Hub wait for it

    try:
        folder = huggingface_hub.snapshot_download(
            name, revision=stated or revision, allow_patterns=[hparams_file, *HUB_FILES]
        )
    except Exception as error:  # of the network, the Hub's client and the disk alike
        reason = " ".join(str(error).split())[:300]
        raise ModelSourceError(f"{source}: could not be fetched from the Hub: {reason}") from error
    if not (Path(folder) / hparams_file).is_file():
        raise ModelSourceError(f"{source}: expected an exported model, but it has no {hparams_file}")
    return Path(folder)
