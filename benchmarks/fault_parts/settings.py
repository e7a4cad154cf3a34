"""Yamls of trainings with wrong values, and damaged ones: a line that says what is wrong, or a start."""

import re
import shutil
from pathlib import Path

import numpy as np
import torch

from benchmarks.fault_parts.kills import material_for
from benchmarks.fault_parts.material import SMALL_ENHANCE, SMALL_GAN, run_command
from benchmarks.fault_parts.tally import Tally
from benchmarks.fault_parts.trials import in_child, in_warm_child

__all__ = ["settings"]

WRONG = (
    *("-1", "0", "900", "1e99", ".nan", ".inf", "true", "null", "'many'", "[1, 2]", "{a: 1}", "''", "3.5"),
    *("'0.001'", "2024-01-01", "[]", "nowhere/at/all", "!ref <nothing>", "&a [*a]", "12_000", "0x10"),
)
KEY = re.compile(r"^(\w+):[ \t]+([^\s#!].*)$", re.M)
STARTED = "the training would begin now"


class _Started(Exception):
    """Takes the place of the training itself."""


def begin(words: list[str]) -> int:
    """A training up to its first step."""
    from sb_resizegan.brains.adversarial_brain import AdversarialBrain

    def fit(self: object, *arguments: object, **options: object) -> None:
        raise _Started

    AdversarialBrain.fit = fit
    torch.set_num_threads(1)
    try:
        return run_command(words)
    except _Started:
        print(STARTED)
        return 0


def break_yaml(text: str, rng: np.random.Generator) -> tuple[str, str]:
    """Breaks a yaml in one way; returns what was done and the text."""
    way = ("value", "value", "value", "line lost", "line twice", "bytes", "cut")[rng.integers(7)]
    if way == "value":
        keys = list(KEY.finditer(text))
        match, value = keys[rng.integers(len(keys))], WRONG[rng.integers(len(WRONG))]
        return f"{match[1]}: {value}", text[: match.start(2)] + value + text[match.end(2) :]
    if way == "cut":
        return way, text[: rng.integers(1, len(text))]
    if way == "bytes":
        letters = list(text)
        for place in rng.integers(0, len(letters), rng.integers(1, 4)):
            letters[place] = chr(rng.integers(32, 127))
        return way, "".join(letters)
    lines = text.splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    lines[place : place + 1] = [] if way == "line lost" else [lines[place]] * 2
    return f"{way} {place + 1}", "".join(lines)


def settings(tally: Tally, count: int, folder: Path) -> None:
    """``count`` yamls, of both trainings in turn."""
    material = material_for(folder / "material")
    kinds = (("train-gan", SMALL_GAN, "speech"), ("train-enhance", SMALL_ENHANCE, "pairs"))
    yamls = Path(__file__).parents[2] / "hparams"
    for kind, small, data in kinds:
        words = [kind, str(yamls / small[0]), f"--data_folder={material / data}", "--device=cpu"]
        whole = in_warm_child(begin, [*words, f"--output_folder={folder / kind}"])
        if whole.fault() or STARTED not in whole.text:
            raise RuntimeError(f"{kind} with its own yaml: {whole}")
    for number, rng in tally.trials(range(count)):
        kind, small, data = kinds[number % 2]
        way, text = break_yaml((yamls / small[0]).read_text(), rng)
        path = folder / f"broken{number}.yaml"
        path.write_text(text)
        # What the small training sets on the command line would hide what is wrong in the yaml.
        few = [
            f"--data_folder={material / data}",
            f"--output_folder={folder / f'out{number}'}",
            "--device=cpu",
        ]
        ended = in_child(begin, [kind, str(path), *few])
        fault = ended.fault()
        if fault is None and ended.value == 0 and STARTED not in ended.text:
            fault = f"neither begun nor refused: {ended.text[-200:]!r}"
        if fault is None and ended.value and not ended.text.strip():
            fault = f"refused without a word: {ended.text[-200:]!r}"
        outcome = "refused in words" if ended.value else "begun"
        tally.add(number, f"seed {tally.seed}, number {number}, {kind}, {way}", ended, outcome, fault)
        shutil.rmtree(folder / f"out{number}", ignore_errors=True)
