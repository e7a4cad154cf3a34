"""SIGKILL at any moment: what was begun goes on, and ends as if nothing had been."""

import shutil
from pathlib import Path

import numpy as np

from benchmarks.fault_parts.material import (
    command_of,
    model_folder,
    pairs_folder,
    run_command,
    speech_folder,
    tree,
)
from benchmarks.fault_parts.trials import Ended, Tally, in_child
from sb_resizegan.dataio.recordings import Recordings

__all__ = ["kills", "material_for"]

KINDS = ("enhance", "export", "cache", "train-gan", "train-enhance")
PATIENCE = 300.0  # seconds that a whole command may take on a busy machine
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


def start(kind: str, folder: Path, material: Path, **limits: float) -> Ended:
    """Runs a command of a kind in a process of its own."""
    if kind == "cache":
        return in_child(build_cache, folder, material, seconds=PATIENCE, **limits)
    return in_child(run_command, command_of(kind, folder, material), seconds=PATIENCE, **limits)


def build_cache(folder: Path, material: Path) -> int:
    """Decodes the recordings once for all."""
    return 0 if len(Recordings(material / "speech", cache_folder=folder)) else 1


def kept(kind: str, folder: Path) -> dict[str, bytes]:
    """The files that count."""
    return {name: content for name, content in tree(folder).items() if RESULTS[kind](name)}


def kills(count: int, seed: int, folder: Path) -> Tally:
    """``count`` kills of each kind of command, one after the other, until one comes to its end."""
    tally = Tally("kills of enhance, export, cache, train-gan, train-enhance")
    rng = np.random.default_rng(seed)
    material = material_for(folder / "material")
    reference = start("train-gan", material / "run", material)
    if reference.fault():
        raise RuntimeError(f"the training that is exported: {reference}")
    for kind in KINDS:
        whole = start(kind, folder / f"{kind}-whole", material)
        if whole.fault() or whole.value:
            raise RuntimeError(f"{kind} without a kill: {whole}")
        expected = kept(kind, folder / f"{kind}-whole")
        done = 0
        while done < count:
            place = folder / f"{kind}-killed{done}"
            for _ in range(3):  # the same work is killed several times
                ended = start(kind, place, material, kill_after=float(rng.uniform(0, whole.seconds)))
                if ended.how == "SIGKILL":
                    done += 1
                    tally.add(f"seed {seed}, {kind}, kill {done}", None, f"{kind} killed")
            final = start(kind, place, material)
            found = kept(kind, place)
            fault = final.fault() or ("failed: " + final.text[-300:] if final.value else None)
            if fault is None and found != expected:
                names = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
                fault = f"other files than without kills: {names}"
            left = [
                name for name in tree(place) if name.endswith(LEFT_OVER) and kind in ("enhance", "export")
            ]
            if fault is None and left:
                fault = f"left over: {left}"
            tally.add(f"seed {seed}, {kind}, end after kills", final, f"{kind} ended as without kills", fault)
            shutil.rmtree(place, ignore_errors=True)
    return tally
