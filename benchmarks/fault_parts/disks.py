"""Disks that are full after any number of bytes: one line with the reason, nothing half, nothing lost."""

import shutil
from pathlib import Path

import soundfile

from benchmarks.fault_parts.kills import begin_whole, kept, material_for, start
from benchmarks.fault_parts.tally import Tally

__all__ = ["disks"]

KINDS = ("enhance", "export", "cache", "train-gan")
REASON = "File too large"  # the system's words beyond RLIMIT_FSIZE


def disks(tally: Tally, count: int, folder: Path) -> None:
    """``count`` sizes, shared by the kinds of command."""
    material = material_for(folder / "material")
    begin_whole(KINDS, folder, material)
    for number, rng in tally.trials(range(count)):
        kind = KINDS[number % len(KINDS)]
        place = folder / f"{kind}-{number}"
        size = int(10 ** rng.uniform(0, 5.3))
        ended = start(kind, place, material, file_limit=size)
        is_refused = bool(ended.value) or ended.how == "raised"
        fault = None if kind == "cache" and ended.how == "raised" else ended.fault()
        text = ended.text if ended.how == "returned" else str(ended.value)
        if fault is None and is_refused and REASON not in text:
            fault = f"the reason is not said: {text[-300:]!r}"
        if fault is None:
            fault = half(kind, place)
        if fault is None and not is_refused and kept(kind, place) != kept(kind, folder / kind):
            fault = "said to be done, and is not"
        if fault is None and is_refused:
            again = start(kind, place, material)
            if again.fault() or again.value or kept(kind, place) != kept(kind, folder / kind):
                fault = f"does not go on with room: {again.text[-300:]!r}"
        label = f"seed {tally.seed}, number {number}, {kind}, {size} bytes"
        tally.add(number, label, ended, outcome(is_refused), fault)
        shutil.rmtree(place, ignore_errors=True)


def outcome(is_refused: bool) -> str:
    return "refused in words, and went on with room" if is_refused else "had room"


def half(kind: str, place: Path) -> str | None:
    """A file that looks done and is half."""
    if kind != "enhance":
        return None
    for path in place.glob("*.wav"):
        if soundfile.info(path).frames != 32000:
            return f"{path.name} is half"
    return None
