"""Which model made which enhanced file of which input: kept beside the files, to be said when it matters."""

import contextlib
import hashlib
import json
import os
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sb_resizegan.inference.file_trees import Job

__all__ = ["RECORDS_NAME", "EnhancedRecords", "model_identity"]

RECORDS_NAME = ".enhanced.jsonl"


def model_identity(module: torch.nn.Module) -> str:
    """A digest of a model's weights and kind.

    Arguments
    ---------
    module : torch.nn.Module
        The model.

    Returns
    -------
    str
        32 hexadecimal digits.

    Example
    -------
    >>> layer = torch.nn.Linear(2, 2)
    >>> before = model_identity(layer)
    >>> _ = torch.nn.init.zeros_(layer.weight)
    >>> len(before), model_identity(layer) == before
    (32, False)
    """
    digest = hashlib.sha256(type(module).__name__.encode())
    for name, values in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


class EnhancedRecords:
    """A line for each file that was enhanced, in ``.enhanced.jsonl`` in the output folder.

    Lines are added, each in one step, so that several processes can share the file; of several lines for one
    output, the last one counts.

    Arguments
    ---------
    folder : str or Path
        Of the outputs.
    model : str
        From `model_identity`.
    seed : int
        Of the latents.
    reduced : str, optional
        What several results for a file are reduced to, in words.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> (folder / "noisy.wav").touch()
    >>> (folder / "out").mkdir()
    >>> job = Job(folder / "noisy.wav", folder / "out" / "noisy.wav", [folder / "out" / "noisy.wav"], 0.0)
    >>> job.target.touch()
    >>> EnhancedRecords(folder / "out", "abc", 0).add(job)
    >>> EnhancedRecords(folder / "out", "abc", 0).doubt(job)
    >>> EnhancedRecords(folder / "out", "def", 0).doubt(job)
    'another model made it'
    """

    def __init__(self, folder: str | os.PathLike, model: str, seed: int, reduced: str | None = None) -> None:
        self._folder = Path(folder)
        self._facts = {"model": model, "seed": seed, **({"reduced": reduced} if reduced else {})}
        # Of each line, a digest of the output's name, and where it lies: 16 bytes, however long it is.
        digests, places, place = array("q"), array("q"), 0
        with contextlib.suppress(OSError), open(self._folder / RECORDS_NAME, "rb") as stream:
            for line in stream:
                record = _record(line)
                if record is not None:
                    digests.append(_digest(record["output"]))
                    places.append(place)
                place += len(line)
        self._digests, self._places = np.array(digests, dtype=np.int64), np.array(places, dtype=np.int64)
        self._order = np.argsort(self._digests, kind="stable")

    def add(self, job: Job) -> None:
        """Notes that a file was enhanced.

        Arguments
        ---------
        job : Job
            The file.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        record = {"output": self._name(job), **self._facts, **self._input(job)}
        # A line feed in front: the end of a line that was left half belongs to nobody.
        line = f"\n{json.dumps(record)}\n".encode()
        handle = os.open(self._folder / RECORDS_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)

    def doubt(self, job: Job) -> str | None:
        """Why an output that is there may not be what enhancing its input now would give.

        Arguments
        ---------
        job : Job
            The file; all of its outputs are there.

        Returns
        -------
        str or None
        """
        record = self._find(self._name(job))
        try:
            own = self._input(job)
            made = min(path.stat().st_mtime_ns for path in job.outputs)
        except OSError as error:
            return f"the input cannot be looked at: {error.strerror}"
        if own["time"] > made:
            return "the input is newer"
        if record and {key: record.get(key) for key in own} != own:
            return "it was made of another input"
        if record and record.get("model") != self._facts["model"]:
            return "another model made it"
        if record and record.get("seed") != self._facts["seed"]:
            return "it was made with another seed"
        if record and record.get("reduced") != self._facts.get("reduced"):
            return "it was made of other draws"
        return None

    def _find(self, output: str) -> dict[str, Any]:
        """The last line about an output."""
        digest = _digest(output)
        first, end = (np.searchsorted(self._digests, digest, side, self._order) for side in ("left", "right"))
        for number in self._order[first:end][::-1]:
            with open(self._folder / RECORDS_NAME, "rb") as stream:
                stream.seek(int(self._places[number]))
                record = _record(stream.readline())
            if record is not None and record["output"] == output:
                return record
        return {}

    def _name(self, job: Job) -> str:
        return os.path.relpath(job.target, self._folder)

    @staticmethod
    def _input(job: Job) -> dict[str, Any]:
        status = job.source.stat()
        return {
            "source": os.path.realpath(job.source),
            "size": status.st_size,
            "time": status.st_mtime_ns,
        }


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line says; None for one that a full disk or a killed process left half."""
    try:
        record = json.loads(line)
        return record if isinstance(record["output"], str) else None
    except (ValueError, TypeError, KeyError):
        return None


def _digest(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
