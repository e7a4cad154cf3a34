"""SIGKILL at any moment: what was begun goes on, and ends as if nothing had been."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.fault_parts.material import (
    command_of,
    model_folder,
    pairs_folder,
    run_command,
    speech_folder,
    tree,
)
from benchmarks.fault_parts.tally import Tally
from benchmarks.fault_parts.trials import Ended, in_child, in_warm_child
from sb_resizegan.dataio.recordings import Recordings

__all__ = ["begin_whole", "kept", "kills", "material_for", "start"]

# Cheap ones first; the trainings in turn.
TOGETHER = (("cache",), ("export",), ("enhance",), ("train-gan", "train-enhance"))
KINDS = tuple(kind for kinds in TOGETHER for kind in kinds)
PATIENCE = 120.0  # seconds that a whole command may take
KILLS, MOST_LIVES = 3, 20  # kills of the same work; lives for each that is to be killed
# Of each kind, what a killed run must leave as one that was never interrupted.
RESULTS = {
    "enhance": lambda name: name.endswith(".wav"),
    "export": lambda name: name.endswith((".safetensors", ".yaml")),
    "cache": lambda name: name.endswith((".i16", ".npz")),
    "train-gan": lambda name: name == "export/generator.safetensors",
    "train-enhance": lambda name: name == "export/generator.safetensors",
}
LEFT_OVER = (".partial", ".aside", ".lock")


def material_for(folder: Path) -> Path:
    """What the commands work on."""
    if not folder.exists():
        speech_folder(folder / "speech")
        pairs_folder(folder / "pairs")
        model_folder(folder / "model")
    return folder


def start(kind: str, folder: Path, material: Path, warm: bool = False, **limits: float) -> Ended:
    """Runs a command of a kind in a process of its own."""
    call = in_warm_child if warm else in_child
    if kind == "cache":
        return call(build_cache, folder, material, seconds=PATIENCE, **limits)
    return call(run_command, command_of(kind, folder, material), seconds=PATIENCE, **limits)


def build_cache(folder: Path, material: Path) -> int:
    """Decodes the recordings once for all."""
    return 0 if len(Recordings(material / "speech", cache_folder=folder)) else 1


def kept(kind: str, folder: Path) -> dict[str, bytes]:
    """The files that count."""
    return {name: content for name, content in tree(folder).items() if RESULTS[kind](name)}


def begin_whole(kinds: Iterable[str], folder: Path, material: Path) -> None:
    """Each kind of command without any fault, into ``folder / kind``; an export is made of a training."""
    places = {"train-gan": material / "run"} | {kind: folder / kind for kind in kinds if kind != "train-gan"}
    for kind, place in places.items():
        ended = start(kind, place, material, warm=True)
        if ended.fault() or ended.value:
            raise RuntimeError(f"{kind} without any fault: {ended}")
    shutil.copytree(material / "run", folder / "train-gan")


def kills(tally: Tally, count: int, folder: Path) -> None:
    """``count`` kills of each kind of command, some of the same work, and then its end."""
    material = material_for(folder / "material")
    begin_whole(KINDS, folder, material)
    expected = {kind: kept(kind, folder / kind) for kind in KINDS}
    # The first of each had everything to import; those that are killed have not.
    seconds = {kind: start(kind, folder / f"{kind}-again", material).seconds for kind in KINDS}

    def lives() -> Iterator[tuple[str, int]]:
        for kinds in TOGETHER:
            for life in range(MOST_LIVES * count):
                left = [kind for kind in kinds if tally.count(f"{kind} killed") < count]
                yield from ((kind, life) for kind in left)
                if not left:
                    break

    for (kind, life), rng in tally.trials(lives()):
        place = folder / f"{kind}-{life}"
        killed = 0
        for _ in range(KILLS):
            ended = start(kind, place, material, kill_after=float(rng.uniform(0, seconds[kind])))
            killed += ended.how == "SIGKILL"
        final = start(kind, place, material)
        found = kept(kind, place)
        fault = final.fault() or ("failed: " + final.text[-300:] if final.value else None)
        if fault is None and found != expected[kind]:
            every = expected[kind].keys() | found.keys()
            names = sorted(name for name in every if expected[kind].get(name) != found.get(name))
            fault = f"other files than without kills: {names}"
        left = [name for name in tree(place) if name.endswith(LEFT_OVER) and kind in ("enhance", "export")]
        if fault is None and left:
            fault = f"left over: {left}"
        label = f"seed {tally.seed}, {kind}, life {life}"
        if killed:
            tally.add(f"killed {kind} {life}", label, None, f"{kind} killed", times=killed)
        tally.add((kind, life), f"{label}, end", final, f"{kind} ended as without kills", fault)
        shutil.rmtree(place, ignore_errors=True)
