"""Finds the yaml files that come with the package: in the wheel inside it, in a checkout beside it."""

import os
from pathlib import Path

__all__ = ["find_yaml", "shipped_folder", "shipped_yamls"]

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder() -> Path:
    """Folder of the shipped yaml files.

    Returns
    -------
    Path
        ``hparams`` of the installed package, or of the checkout that it lies in.

    Raises
    ------
    FileNotFoundError
        If there is neither.

    Example
    -------
    >>> (shipped_folder() / "resize.yaml").is_file()
    True
    """
    for folder in (_PACKAGE / "hparams", _PACKAGE.parent / "hparams"):
        if (folder / "resize.yaml").is_file():
            return folder
    raise FileNotFoundError(f"{_PACKAGE}: expected the package's yaml files in hparams/, but there are none")


def shipped_yamls() -> list[str]:
    """Names of the shipped yaml files, as `find_yaml()` takes them.

    Example
    -------
    >>> {"enhance.yaml", "resize.yaml"} <= set(shipped_yamls())
    True
    """
    folder = shipped_folder()
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))


def find_yaml(name: str | os.PathLike, beside: Path | None = None) -> Path:
    """The file that a yaml's name stands for. A file at the path itself goes before a shipped one.

    Arguments
    ---------
    name : str or Path
        A path, or the name of a shipped file such as ``resize.yaml`` or ``models/wave.yaml``.
    beside : Path, optional
        Folder that a relative path is relative to; the working directory by default.

    Returns
    -------
    Path
        Of an existing file.

    Raises
    ------
    FileNotFoundError
        If there is no such file; it lists the shipped ones.

    Example
    -------
    >>> find_yaml("resize.yaml").name
    'resize.yaml'
    """
    path = Path(beside or "") / name
    if path.is_file():
        return path
    shipped = shipped_folder() / name
    if not Path(name).is_absolute() and ".." not in Path(name).parts and shipped.is_file():
        return shipped
    raise FileNotFoundError(f"no such yaml file: {path}; shipped with the package are {shipped_yamls()}")
