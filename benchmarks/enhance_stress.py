#!/usr/bin/env python3
"""What enhancers make of the same noisy speech when something happens around it.

    python benchmarks/enhance_stress.py enhance-base OTHER_EXPORT --data PAIRS.csv --pairs 30

Every condition leaves the noisy speech itself as it is, and only the speech itself is scored (PESQ, ESTOI,
speech deleted between 1 and 4 kHz), so that a model that minds its own business scores the same in all of
them. The exceptions are the last three: chirps, tones and motors come on top, 5 dB below the speech.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from sb_resizegan.augment.tonal import chirps, motor, tone
from sb_resizegan.commands.evaluate import find_utterances
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.evaluation.systems import as_system, load_system
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.utils.random import Draws

RATE = 16000
LOUDER_DB = 20
ADDED_SNR_DB = 5


def conditions(utterance, other, number):
    """By name, a recording with the noisy speech, where it begins, and the noisy speech to be scored."""
    noisy = utterance.noisy
    silence = np.zeros(RATE // 2, dtype=np.float32)
    loud = 10 ** (LOUDER_DB / 20) * np.sqrt(np.mean(noisy**2) / np.mean(other**2)) * other[: 3 * RATE]
    longer = np.zeros(3 * RATE, dtype=np.float32)
    yield "plain", noisy, 0, noisy
    yield "25 dB louder", 10 ** (25 / 20) * noisy, 0, noisy
    yield "25 dB fainter", 10 ** (-25 / 20) * noisy, 0, noisy
    yield "0.5 s of silence behind", np.concatenate([noisy, silence]), 0, noisy
    yield "0.5 s of silence before", np.concatenate([silence, noisy]), len(silence), noisy
    yield "3 s of silence on both sides", np.concatenate([longer, noisy, longer]), len(longer), noisy
    yield f"a talker {LOUDER_DB} dB louder before", np.concatenate([loud, noisy]), len(loud), noisy
    for name, make in (("chirps", chirps), ("tones", tone), ("a motor", motor)):
        added = make(Draws(seed=number, n=0), len(noisy), RATE)
        power = np.mean(utterance.clean**2) * 10 ** (-ADDED_SNR_DB / 10) / max(np.mean(added**2), 1e-12)
        mixture = (noisy + math.sqrt(power) * added).astype(np.float32)
        yield f"{name} on top", mixture, 0, mixture


def score(system, utterances):
    """Mean scores by condition."""
    cells = {}
    for number, utterance in enumerate(utterances):
        other = utterances[number - 1].noisy
        for name, recording, start, noisy in conditions(utterance, other, number):
            with torch.no_grad():
                enhanced = system(torch.from_numpy(np.asarray(recording, dtype=np.float32))[None])[0].numpy()
            # A gain of the recording is no deletion.
            gain = np.sqrt(np.mean(recording[start : start + len(noisy)] ** 2) / np.mean(noisy**2))
            part = enhanced[start : start + len(noisy)] / gain
            cells.setdefault(name, []).append((utterance.clean, part, noisy))
    rows = {}
    for name, triples in cells.items():
        clean, enhanced, noisy = zip(*triples, strict=True)
        options = ScoringOptions(("intelligibility", "deletion"), jobs=0)
        scores = score_utterances(clean, enhanced, options, noisy=noisy)
        rows[name] = [
            float(np.nanmean([found[measure] for found in scores]))
            for measure in ("pesq_wb", "estoi", "deleted_1_2khz_percent", "deleted_2_4khz_percent")
        ]
    return rows


def main():
    """Prints a table for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="exported models, by folder or name")
    parser.add_argument("--data", type=Path, required=True, help="corpus of pairs")
    parser.add_argument("--pairs", type=int, default=30, help="how many of them, evenly spread")
    parser.add_argument("--output", type=Path, default=Path("results/stress"), help="for manifests")
    options = parser.parse_args()
    keep_cpu_fast()
    torch.set_flush_denormal(True)
    utterances, _ = find_utterances(options.data, None, options.output)
    step = max(1, len(utterances) // options.pairs)
    utterances = utterances[::step][: options.pairs]
    for model in options.models:
        print(f"\n{model}, {len(utterances)} pairs")
        print("| | PESQ | ESTOI | deleted 1–2 kHz, % | 2–4 kHz, % |\n| --- | ---: | ---: | ---: | ---: |")
        for name, values in score(as_system(load_system(model, "cpu"), 0), utterances).items():
            print(
                f"| {name} | {values[0]:.2f} | {values[1]:.3f} | {values[2]:.1f} | {values[3]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
