"""Agreement of sb_resizegan's PESQ with the ``pesq`` package 0.0.4, by type of degradation.

python benchmarks/pesq_agreement.py                          # the default corpus, 10 pairs a type
python benchmarks/pesq_agreement.py --speech DIR --pairs 30 --seed 1
python benchmarks/pesq_agreement.py --golden DIR             # pairs with recorded scores (golden.json)
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import torch

# The folder of this script holds a file of the package's name: look in the project's folder instead.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pesq as official
from tqdm import tqdm

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.metrics.pesq import pesq_details
from tests.metrics.degradations import DEGRADATIONS, make_pair

REFUSALS = (official.BufferTooShortError, official.NoUtterancesError, ValueError)


def official_score(reference, degraded):
    """Score of the ``pesq`` package; NaN where it refuses."""
    try:
        return official.pesq(16000, reference, degraded, "wb")
    except REFUSALS:
        return float("nan")


def own_scores(pairs, batch_size, device):
    """Scores in padded batches of pairs of similar length."""
    scores = np.empty(len(pairs))
    order = np.argsort([len(reference) for reference, _ in pairs])
    for part in np.split(order, range(batch_size, len(order), batch_size)):
        signals, lengths = [], []
        for side in (0, 1):
            samples = [len(pairs[i][side]) for i in part]
            padded = [
                np.pad(pairs[i][side], (0, max(samples) - n)) for i, n in zip(part, samples, strict=True)
            ]
            signals.append(torch.from_numpy(np.stack(padded)).to(device))
            lengths.append(torch.tensor(samples, dtype=torch.float64, device=device) / max(samples))
        details = pesq_details(*signals, lengths=lengths[0], degraded_lengths=lengths[1])
        scores[part] = details.mos_lqo.double().cpu().numpy()
    return scores


def golden_pairs(folder):
    """Names, pairs and recorded scores of a folder with golden.json."""
    for entry in json.loads((folder / "golden.json").read_text())["pairs"]:
        pair = [soundfile.read(folder / entry[side], dtype="float32")[0] for side in ("ref", "deg")]
        yield entry["type"], pair, entry["mos_lqo"]


def made_pairs(recordings, count, seed):
    """Names, pairs and scores of the package for degradations of speech."""
    jobs = [(name, number) for name in DEGRADATIONS for number in range(count)]
    for name, number in tqdm(jobs, desc="official", disable=None):
        pair = make_pair(name, recordings, 1000 * seed + number)
        yield name, pair, official_score(*pair)


def odd_pairs(recordings):
    """Pairs that are, or might be, refused."""
    speech = recordings[0]
    silence, broken = np.zeros_like(speech), speech.copy()
    broken[len(speech) // 2] = np.nan
    infinite = np.where(np.isnan(broken), np.inf, broken).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    pairs = {
        "3999 samples": (speech[:3999], speech[:3999]),
        "4000 samples": (speech[8000:12000], speech[8000:12000]),
        "silent reference": (silence, speech),
        "silent degraded": (speech, silence),
        "both silent": (silence, silence),
        "NaN in degraded": (speech, broken),
        "NaN in reference": (broken, speech),
        "infinity in degraded": (speech, infinite),
        "infinity in reference": (infinite, speech),
        "noise": (noise, noise[::-1].copy()),
        "inverted": (speech, -speech),
        "one bit of noise": (np.sign(noise) / 32768, np.sign(noise[::-1]).copy() / 32768),
    }
    return [(name, pair, official_score(*pair)) for name, pair in pairs.items()]


def report(names, expected, scores):
    """Prints one row a type and one for all."""
    rows = defaultdict(list)
    for name, a, b in zip(names, expected, scores, strict=True):
        rows[name].append((a, b))
        rows["all"].append((a, b))
    rows["all"] = rows.pop("all")
    print("| degradation | pairs | mean | 99 % | max | refused by both | by one |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, values in rows.items():
        a, b = np.array(values, dtype=np.float64).T
        gone = np.isnan(a), np.isnan(b)
        both, one = int((gone[0] & gone[1]).sum()), int((gone[0] ^ gone[1]).sum())
        difference = np.abs(a - b)[~gone[0] & ~gone[1]]
        figures = (
            (difference.mean(), np.quantile(difference, 0.99), difference.max()) if len(difference) else ()
        )
        cells = [f"{figure:.6f}" for figure in figures] or ["–"] * 3
        print(f"| {name} | {len(a)} | {' | '.join(cells)} | {both} | {one} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--golden", type=Path, help="folder with golden.json instead of pairs made here")
    parser.add_argument("--speech", type=Path, help="folder of 16 kHz speech (default: the default corpus)")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of each type of degradation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--worst", type=int, default=0, help="print that many of the worst pairs")
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)
    if arguments.golden:
        entries = list(golden_pairs(arguments.golden))
    else:
        folder = arguments.speech or prepare_default_corpus("en")
        paths = sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".flac", ".ogg"))
        lasting = [p for p in paths if 2 < soundfile.info(p).duration < 10]
        chosen = np.random.default_rng(arguments.seed).permutation(len(lasting))[:100]
        recordings = [soundfile.read(lasting[i], dtype="float32")[0] for i in chosen]
        entries = list(made_pairs(recordings, arguments.pairs, arguments.seed)) + odd_pairs(recordings)
    names, pairs, expected = zip(*entries, strict=True)
    scores = own_scores(pairs, arguments.batch_size, arguments.device)
    report(names, expected, scores)
    difference = np.nan_to_num(np.abs(scores - np.array(expected, dtype=np.float64)))
    for i in np.argsort(-difference)[: arguments.worst]:
        print(f"{names[i]} pair {i}: {expected[i]:.5f} {scores[i]:.5f} ({len(pairs[i][0]) / 16000:.1f} s)")


if __name__ == "__main__":
    main()
