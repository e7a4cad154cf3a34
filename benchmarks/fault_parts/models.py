"""Exported models: damaged ones, and those of strangers that want to run something."""

import shutil
from pathlib import Path

import numpy as np
import torch

from benchmarks.fault_parts.material import model_folder
from benchmarks.fault_parts.tally import Tally
from benchmarks.fault_parts.trials import in_child
from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError

__all__ = ["models", "strangers"]

MARKER = "MARKER"


def load_and_enhance(folder: Path) -> str | bytes:
    """What a model makes of a noise, or why it is refused."""
    torch.set_num_threads(1)
    try:
        model = GenerativeEnhancement.from_hparams(source=folder, run_opts={"device": "cpu"})
    except ModelSourceError as error:
        return str(error)
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    return model.enhance_batch(noise).numpy().tobytes()


def break_model(folder: Path, rng: np.random.Generator) -> str:
    """Damages one of the two files that count; returns how."""
    name = ("hyperparams.yaml", "generator.safetensors")[rng.integers(2)]
    path = folder / name
    content = bytearray(path.read_bytes())
    way = ("cut", "flipped bits", "bytes", "line lost")[rng.integers(4 if name.endswith("yaml") else 3)]
    if way == "cut":
        content = content[: rng.integers(0, len(content))]
    elif way == "flipped bits":
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] ^= 1 << rng.integers(8)
    elif way == "bytes":
        last = len(content) if rng.random() < 0.5 else min(2000, len(content))
        for place in rng.integers(0, last, rng.integers(1, 9)):
            content[place] = rng.integers(256)
    else:
        lines = content.splitlines(keepends=True)
        del lines[rng.integers(len(lines))]
        content = b"".join(lines)
    path.write_bytes(content)
    return f"{name}, {way}"


def models(tally: Tally, count: int, folder: Path) -> None:
    """``count`` damaged exports: each is refused, or is the same model still."""
    expected = in_child(load_and_enhance, model_folder(folder / "whole")).value
    for number, rng in tally.trials(range(count)):
        broken = model_folder(folder / f"broken{number}")
        way = break_model(broken, rng)
        ended = in_child(load_and_enhance, broken)
        fault = ended.fault()
        if fault is None and isinstance(ended.value, bytes) and ended.value != expected:
            fault = "loaded, and is another model"
        if fault is None and isinstance(ended.value, str) and str(broken) not in ended.value:
            fault = f"refused without its name: {ended.value}"
        outcome = "the same model" if isinstance(ended.value, bytes) else "refused"
        tally.add(number, f"seed {tally.seed}, number {number}, {way}", ended, outcome, fault)
        shutil.rmtree(broken)


def load_in(folder: Path, model: Path) -> str | bytes:
    """As `load_and_enhance`, with the folder in which a marker would appear as the current one."""
    import os

    os.chdir(folder)
    return load_and_enhance(model)


def strangers(tally: Tally, count: int, folder: Path) -> None:
    """Models of every kind of attack, ``count`` in all: none is loaded, and no marker appears."""
    from tests.inference.test_untrusted import ATTACKS

    attacks = list(ATTACKS.items())
    for number, _ in tally.trials(range(count)):
        name, attack = attacks[(tally.seed + number) % len(attacks)]
        home = folder / f"stranger{number}"
        home.mkdir()
        model = model_folder(home / "model")
        yaml = model / "hyperparams.yaml"
        text = yaml.read_text()
        yaml.write_text(f"{attack}\n{text}" if attack.startswith("%TAG") else f"{text}\n{attack}\n")
        (model / "other.yaml").write_text(f'x: !apply:os.system ["touch {MARKER}"]')
        ended = in_child(load_in, home, model)
        fault = ended.fault()
        if list(home.rglob(MARKER)):
            fault = "CODE WAS RUN"
        elif fault is None and not isinstance(ended.value, str):
            fault = "loaded"
        tally.add(number, f"number {number}, {name}", ended, "refused", fault)
        shutil.rmtree(home)
