#!/usr/bin/env python3
"""One short training of an enhancer for a given processor time, scored on what it never heard.

    python training/enhance-base/make_lists.py ../shared/data results/lists
    python benchmarks/enhance_trial.py results/lists --start_from enhance-base --seconds 110
    python benchmarks/enhance_trial.py results/lists --start_from enhance-base --seconds 110 --deletion 2.0

Trials of equal time tell which term of the objective, or which network, is worth a long training. They are
scored on 40 mixtures of 4 s from −3 to 17 dB without a room, and on 20 in measured rooms, always the same
ones; all of the voices, noises and rooms were held back. The line that is printed holds speech deleted in per
cent by band, noise left, ESTOI, SI-SDR and PESQ for both sets. Wall-clock time plays no part: other work may
go on beside it.
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.augment.mixture_options import grouped_options
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.voices import balanced
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.evaluation.systems import load_system
from sb_resizegan.losses.enhancement_objective import EnhancementObjective
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.training.cpu import keep_cpu_fast

SECONDS, BATCH, RATE = 4, 8, 16000
LEVEL_DB = (-45.0, -10.0)
WATCHED = {"dry": (40, 11, 0.0), "rooms": (20, 12, 1.0)}  # mixtures, seed, probability of a room
MEASURES = ("pesq_wb", "estoi", "si_sdr_db", "noise_left_db")


def mixtures(lists, part, snr_db, reverberation):
    """Mixtures of a part of the lists: ``train``, with voices balanced, or ``watch``."""
    cache = lists / "cache"
    speech = Recordings(lists / f"speech_{part}.csv", cache_folder=cache)
    if part == "train":
        speech = balanced(speech, [lists / f"speech_{part}.csv"])
    noise = Recordings(lists / f"noise_{part}.csv", cache_folder=cache)
    rooms = Recordings(lists / f"rir_{part}.csv", impulse_responses=True, cache_folder=cache)
    options = grouped_options(snr_db=snr_db, level_db=LEVEL_DB, reverberation=reverberation)
    return NoisyMixtures(speech, noise, rooms, SECONDS * RATE, **options)


def generator_of(options):
    """The generator to train: an exported one, or a new one of today's size."""
    if options.start_from:
        generator = load_system(options.start_from, "cpu").mods.generator
        return generator.train().requires_grad_(True)
    return SpectralGenerator(channels=64, time_units=96, band_units=48, factors=(4, 4), latent_dim=0)


def train(generator, source, objective, options):
    """Trains for the processor time; returns the averaged generator and the number of steps."""
    optimizer = torch.optim.AdamW(generator.parameters(), betas=(0.8, 0.99), weight_decay=0.01)
    average, steps, start = copy.deepcopy(generator).eval(), 0, time.process_time()
    while (done := (time.process_time() - start) / options.seconds) < 1:
        for group in optimizer.param_groups:
            warm = min(1, (steps + 1) / 50)
            group["lr"] = options.learning_rate * warm * (1 + math.cos(math.pi * done)) / 2
        batch = source.batch(steps, BATCH, options.seed)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            enhanced = generator(batch.noisy)
        value, _ = objective(enhanced, batch.clean, batch.lengths)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimizer.step()
        steps += 1
        # The average forgets the beginning of a short training sooner.
        kept = min(0.99, steps / (steps + 9))
        with torch.no_grad():
            for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
                mean.lerp_(weight, 1 - kept)
    return average, steps


@torch.no_grad()
def watched(generator, lists):
    """Mean scores on both watching sets."""
    found = {}
    for name, (count, seed, reverberation) in WATCHED.items():
        batch = mixtures(lists, "watch", (-3.0, 17.0), reverberation).fixed(count, seed)
        enhanced = [generator(noisy[None])[0].numpy() for noisy in batch.noisy]
        scores = score_utterances(
            batch.clean.numpy(),
            enhanced,
            ScoringOptions(("si_sdr", "intelligibility", "deletion"), jobs=0),
            noisy=batch.noisy.numpy(),
        )
        bands = [name for name in scores[0] if name.startswith("deleted")]
        means = {measure: _mean(scores, measure) for measure in (*bands, *MEASURES)}
        found[name] = {measure: round(value, 3) for measure, value in means.items()}
    return found


def _mean(scores, measure):
    values = [score[measure] for score in scores if math.isfinite(score[measure])]
    return sum(values) / len(values)


def main():
    """Trains, scores, prints a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lists", type=Path, help="folder of make_lists.py")
    parser.add_argument("--start_from", help="exported model (default: a new one)")
    parser.add_argument("--seconds", type=float, default=110, help="processor time; 0: score alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learning_rate", type=float, default=3e-4)
    parser.add_argument("--reverberation", type=float, default=0.0)
    for term, weight in (("magnitude", 1), ("complex", 2), ("waveform", 0.5), ("pesq", 0), ("deletion", 0)):
        parser.add_argument(f"--{term}", type=float, default=weight)
    options = parser.parse_args()
    keep_cpu_fast()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    terms = {
        name: getattr(options, name) for name in ("magnitude", "complex", "waveform", "pesq", "deletion")
    }
    generator, steps = generator_of(options), 0
    if options.seconds:
        source = mixtures(options.lists, "train", (-5.0, 20.0), options.reverberation)
        generator, steps = train(generator, source, EnhancementObjective(**terms), options)
    scores = watched(generator.eval(), options.lists)
    print(json.dumps({**terms, "seed": options.seed, "steps": steps, **scores}))


if __name__ == "__main__":
    main()
