"""Two and three processes at once on one folder: nobody harms another, and who has to wait says so."""

import concurrent.futures
import shutil
from pathlib import Path

import numpy as np

from benchmarks.fault_parts.kills import kept, material_for, start
from benchmarks.fault_parts.trials import Tally

__all__ = ["crowds"]

KINDS = ("enhance", "cache", "export", "train-gan")
SAID = {"enhance": "Left to another process", "train-gan": "is already at work"}


def crowds(count: int, seed: int, folder: Path) -> Tally:
    """``count`` crowds, shared by the kinds of command."""
    tally = Tally("two and three at once: enhance, cache, export, train-gan")
    rng = np.random.default_rng(seed)
    material = material_for(folder / "material")
    for kind, place in (("train-gan", material / "run"), *((kind, folder / kind) for kind in KINDS)):
        whole = start(kind, place, material)
        if whole.fault() or whole.value:
            raise RuntimeError(f"{kind} alone: {whole}")
    for number in range(count):
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
        label = f"seed {seed}, number {number}, {size} of {kind}"
        tally.add(label, max(ends, key=lambda ended: ended.seconds), f"{kind} whole", (faults or [None])[0])
        shutil.rmtree(place, ignore_errors=True)
    return tally
