#!/usr/bin/env python3
"""What restorers make of speech that was degraded in one way after the other, from mild to strong.

    python benchmarks/restoration.py RESTORER --data SPEECH --compare regression=OTHER base=enhance-base
    python benchmarks/restoration.py RESTORER --data SPEECH --only packet_loss bandwidth_hz -o OUT.csv

Rows are the input as it is, repetition for lost packets, the models under --compare, and the restorer. What
is measured: PESQ, ESTOI and what --scores names (plcmos, dnsmos, distillmos, wer, speaker); the log-spectral
distance where something was lost, and elsewhere; how far draws differ, there and elsewhere; the rank
correlation of that spread with the actual error; how often the truth lies between the draws; how well a
classifier tells restored from clean speech.
"""

import argparse
import csv
import math
import sys

import torch

from sb_resizegan.augment.degradations import RANGES, Degradations
from sb_resizegan.augment.degraded_speech import DegradedSpeech
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.evaluation.restoration_scores import STRENGTHS, RestorationOptions, score_restoration
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.evaluation.systems import as_sampler, load_system
from sb_resizegan.metrics.measures import MEASURES, written
from sb_resizegan.training.cpu import keep_cpu_fast

RATE = 16000


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="exported restorer, by folder or name")
    parser.add_argument("--data", required=True, help="clean speech: a folder or a csv list")
    parser.add_argument("--noise", help="recorded noise (default: babble and coloured noise)")
    parser.add_argument("--rir", help="room responses (default: synthetic tails)")
    parser.add_argument("--compare", nargs="*", default=[], metavar="NAME=MODEL")
    parser.add_argument("--only", nargs="+", choices=list(RANGES), default=list(STRENGTHS), metavar="WORD")
    parser.add_argument("--scores", nargs="*", default=["intelligibility"], metavar="SCORE")
    parser.add_argument("--count", type=int, default=20, help="utterances for each row (default: 20)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each (default: 4)")
    parser.add_argument("--num_samples", type=int, default=8, help="draws for each (default: 8)")
    parser.add_argument("--burst_ms", type=float, nargs=2, default=(20.0, 200.0), help="of lost packets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", help="csv to write")
    options = parser.parse_args()
    keep_cpu_fast()
    recordings = {"clean": Recordings(options.data, RATE)}
    if options.noise:
        recordings["noise"] = Recordings(options.noise, RATE)
    if options.rir:
        recordings["rirs"] = Recordings(options.rir, RATE, impulse_responses=True, min_seconds=0.02)
    source = DegradedSpeech(
        **recordings,
        degradations=Degradations(packet_loss=(0.1, 0.1), burst_ms=tuple(options.burst_ms)),
        segment_samples=round(options.seconds * RATE),
    )
    names = dict(words.split("=", 1) for words in options.compare)
    systems = {name: as_sampler(load_system(model, "cpu"), options.seed) for name, model in names.items()}
    systems["restorer"] = as_sampler(load_system(options.model, "cpu"), options.seed)
    asked = RestorationOptions(
        options.count, options.num_samples, options.seed, ScoringOptions(scores=tuple(options.scores), jobs=0)
    )
    rows = []
    with torch.no_grad():
        for row in score_restoration(source, systems, {n: STRENGTHS[n] for n in options.only}, asked):
            rows.append(row)
            shown = [
                f"{MEASURES[name].label} {written(name, value)}"
                for name, value in row.figures.items()
                if math.isfinite(value)
            ]
            print(f"{row.degradation} {row.strength:g} {row.system}: {', '.join(shown)}", flush=True)
    if options.output:
        columns = list(dict.fromkeys(name for row in rows for name in row.figures))
        with open(options.output, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["degradation", "strength", "system", *columns])
            for row in rows:
                figures = [row.figures.get(name, math.nan) for name in columns]
                writer.writerow([row.degradation, row.strength, row.system, *figures])
    return 0


if __name__ == "__main__":
    sys.exit(main())
