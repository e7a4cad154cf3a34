"""What became of trials: counted, and kept in a file from which an interrupted campaign goes on."""

import hashlib
import json
import time
import zlib
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fault_parts.trials import Ended

__all__ = ["Journal", "Tally", "digest_of_code"]


def digest_of_code() -> str:
    """Tells one state of the package and of the campaign from another."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in ("sb_resizegan", "hparams", "benchmarks/fault_parts"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".yaml"):
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Journal:
    """The records of a campaign, a line of json each.

    Arguments
    ---------
    path : Path or None
        The file; a campaign of another seed or of other code is not gone on with, it begins anew. None keeps
        them in memory alone.
    seed : int
        Of the campaign.
    """

    def __init__(self, path: Path | None, seed: int):
        self.path = path
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        if path is None:
            return
        heading = json.dumps({"seed": seed, "code": digest_of_code()})
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if not lines or lines[0] != heading:
            path.write_text(f"{heading}\n", encoding="utf-8")
            return
        for line in lines[1:]:
            try:
                record = json.loads(line)
            except ValueError:  # half a line, of a campaign that was killed
                continue
            self.records[record["part"], record["key"]] = record

    def add(self, record: dict[str, Any]) -> None:
        """Keeps a record."""
        self.records[record["part"], record["key"]] = record
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(f"{json.dumps(record)}\n")


class Tally:
    """Counts of what was tried and survived in a part, and the faults in words.

    Arguments
    ---------
    name : str
        Of the part.
    seed : int
        Of the campaign.
    journal : Journal, optional
        What was tried before.
    until : float
        Time of ``time.monotonic()`` after which no trial begins.
    """

    def __init__(self, name: str, seed: int = 0, journal: Journal | None = None, until: float = float("inf")):
        self.name, self.seed, self.until = name, seed, until
        self.journal = journal or Journal(None, seed)

    def trials(self, keys: Iterable[Hashable]) -> Iterator[tuple[Any, np.random.Generator]]:
        """The trials that are left, each with the random numbers that are its own, as long as there is time.

        Arguments
        ---------
        keys : iterable
            Names or numbers of all trials, unlike each other.

        Yields
        ------
        key, rng
        """
        for key in keys:
            if time.monotonic() > self.until:
                return
            if (self.name, str(key)) not in self.journal.records:
                yield key, np.random.default_rng([self.seed, zlib.crc32(f"{self.name} {key}".encode())])

    def add(
        self,
        key: Hashable,
        label: str,
        ended: Ended | None,
        outcome: str,
        fault: str | None = None,
        times: int = 1,
    ) -> None:
        """Counts a trial: what became of it, and what is wrong with that, if anything is."""
        seconds, mb = (0.0, 0.0) if ended is None else (ended.seconds, ended.mb)
        said = None if fault is None else f"{self.name}, {label}: {fault}"
        record = {"part": self.name, "key": str(key), "outcome": outcome, "fault": said, "times": times}
        self.journal.add({**record, "seconds": round(seconds, 2), "mb": round(mb, 1)})

    @property
    def records(self) -> list[dict[str, Any]]:
        """Those of this part."""
        return [record for (part, _), record in self.journal.records.items() if part == self.name]

    @property
    def tried(self) -> int:
        """How many trials there were."""
        return sum(record["times"] for record in self.records)

    @property
    def faults(self) -> list[str]:
        """What was not survived."""
        return [record["fault"] for record in self.records if record["fault"] is not None]

    def count(self, outcome: str) -> int:
        """How many trials came to an outcome."""
        well = (record for record in self.records if record["fault"] is None)
        return sum(record["times"] for record in well if record["outcome"] == outcome)

    def row(self) -> str:
        """A line of the table."""
        well = [record for record in self.records if record["fault"] is None]
        said = ", ".join(
            f"{self.count(outcome)} {outcome}" for outcome in sorted({record["outcome"] for record in well})
        )
        longest, largest = (
            max((record[key] for record in self.records), default=0) for key in ("seconds", "mb")
        )
        survived = self.tried - len(self.faults)
        return f"| {self.name} | {self.tried} | {survived} | {said} | {longest:.1f} | {largest:.0f} |"
