"""Two and three processes at once on one folder: nobody harms another, and who has to wait says so."""

import concurrent.futures
import shutil
from pathlib import Path

from benchmarks.fault_parts.kills import begin_whole, kept, material_for, start
from benchmarks.fault_parts.tally import Tally

__all__ = ["crowds"]

KINDS = ("enhance", "cache", "export", "train-gan")
SAID = {"enhance": "Left to another process", "train-gan": "is already at work"}


def crowds(tally: Tally, count: int, folder: Path) -> None:
    """``count`` crowds, shared by the kinds of command."""
    material = material_for(folder / "material")
    begin_whole(KINDS, folder, material)
    for number, rng in tally.trials(range(count)):
        kind, size = KINDS[number % len(KINDS)], int(rng.integers(2, 4))
        place = folder / f"{kind}-{number}"
        with concurrent.futures.ThreadPoolExecutor(size) as pool:
            ends = list(pool.map(lambda _, k=kind, p=place: start(k, p, material), range(size)))
        faults = [ended.fault() for ended in ends if ended.fault()]
        faults += [
            f"gave up without a word: {ended.text[-300:]!r}"
            for ended in ends
            if ended.value and SAID.get(kind, "\0") not in ended.text
        ]
        if not faults and all(ended.value for ended in ends):
            faults = ["nobody came to the end"]
        if not faults and kept(kind, place) != kept(kind, folder / kind):
            faults = ["other files than of one alone"]
        label = f"seed {tally.seed}, number {number}, {size} of {kind}"
        slowest = max(ends, key=lambda ended: ended.seconds)
        tally.add(number, label, slowest, f"{kind} whole", faults[0] if faults else None)
        shutil.rmtree(place, ignore_errors=True)
