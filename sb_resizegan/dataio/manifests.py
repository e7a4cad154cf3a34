"""Manifests and reports as files: what they are made of, and reading them again."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from speechbrain.dataio.dataio import load_data_json
from speechbrain.utils.logger import get_logger

__all__ = ["read_manifest", "read_report", "stamp_files"]

logger = get_logger(__name__)


def stamp_files(
    names: Iterable[str],
    options: Sequence[object],
    folder: str | Path = "",
) -> str:
    """Digest of files' names, sizes and times, and of what is to be done with them.

    Arguments
    ---------
    names : iterable of str
        Paths; files that are missing count as such.
    options : list
        What ``json`` can write.
    folder : str or Path
        What the names are relative to; a corpus that moves keeps its digest.

    Returns
    -------
    str
        64 hexadecimal digits.

    Example
    -------
    >>> len(stamp_files(["missing.wav"], [16000]))
    64
    """
    digest = hashlib.sha256(json.dumps(options).encode())
    for name in names:
        try:
            status = os.stat(os.path.join(folder, name))
            facts = (status.st_size, status.st_mtime_ns)
        except OSError:
            facts = None
        digest.update(f"{name}\0{facts}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def read_report(path: Path, stamp: str) -> dict | None:
    """What an earlier preparation reported, if it was of the same files and options.

    Arguments
    ---------
    path : Path
        The report.
    stamp : str
        From ``stamp_files``.

    Returns
    -------
    dict or None
        None if there is no such report, or one of something else.

    Example
    -------
    >>> path = getfixture("tmp_path") / "report.json"
    >>> _ = path.write_text('{"stamp": "1f", "train": {"files": 3}}')
    >>> read_report(path, "1f")["train"], read_report(path, "2e")
    ({'files': 3}, None)
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        logger.warning("%s is not a report: preparing anew", path)
        return None
    return report if isinstance(report, dict) and report.get("stamp") == stamp else None


def read_manifest(manifest_json: str | Path, data_root: str | Path | None = None) -> dict:
    """Reads a SpeechBrain manifest and fills in its paths.

    Arguments
    ---------
    manifest_json : str or Path
        From ``prepare_speech`` or ``prepare_pairs``.
    data_root : str or Path, optional
        Stands for ``{data_root}``; ``{save_root}`` stands for the manifest's own folder.

    Returns
    -------
    dict
        Entry by id.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't a manifest, needs a ``data_root`` that wasn't given, or lists nothing.

    Example
    -------
    >>> path = getfixture("tmp_path") / "test.json"
    >>> _ = path.write_text('{"a": {"wav": "{data_root}/a.wav", "length": 1.0}}')
    >>> read_manifest(path, "/corpus")
    {'a': {'wav': '/corpus/a.wav', 'length': 1.0}}
    """
    manifest_json = Path(manifest_json)
    replacements = {"save_root": str(manifest_json.parent.absolute())}
    if data_root is not None:
        replacements["data_root"] = str(Path(data_root).absolute())
    try:
        recordings = load_data_json(manifest_json, replacements)
    except KeyError as error:
        raise ValueError(
            f"data_root: {manifest_json} needs {{{error.args[0]}}}, which was not given"
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{manifest_json} is not a json manifest: {error}") from error
    if not isinstance(recordings, dict):
        raise ValueError(f"{manifest_json} is not a manifest: expected entries by id, but got a list")
    if not recordings:
        raise ValueError(f"{manifest_json}: expected at least one recording, but it lists none")
    return recordings
