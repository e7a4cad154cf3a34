#!/usr/bin/env python3
"""One short training of a vocoder for a given processor time, scored on recordings that it never heard.

    PYTHONPATH=. python benchmarks/vocoder_trial.py vocoder_regression.yaml --seconds 40
    PYTHONPATH=. python benchmarks/vocoder_trial.py vocoder_regression.yaml --seconds 40 --pesq_weight 0

Trials of equal time tell which term of the objective, or which network, is worth a long training; all keys
of the yaml can follow. It is the recipe's own Brain that trains, but with the learning rate falling to zero
over the time and an average that forgets the beginning sooner. A line of figures is printed. Wall-clock time
plays no part: other work may go on beside it.
"""

import argparse
import copy
import json
import math
import tempfile
import time

import torch

from sb_resizegan.brains.vocoder_brain import VocoderBrain
from sb_resizegan.evaluation.copying import copier, score_copies
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.settings_file import load_training
from sb_resizegan.training.vocoder_data import load_speech
from sb_resizegan.utils.command_line import Word

MEASURES = ("pesq_wb", "estoi", "mcd_db", "lsd_db", "f0_cents", "voicing_f1", "periodicity_error")
WARM = 30  # steps until the learning rate is reached


def train(brain, source, hparams, seconds):
    """Trains for the processor time; returns the averaged generator and the number of its steps."""
    average, steps, number, start = copy.deepcopy(hparams["generator"]).eval(), 0, 0, time.process_time()
    brain.init_optimizers()
    while (done := (time.process_time() - start) / seconds) < 1:
        for name, optimizer in brain.optimizers_dict.items():
            factor = hparams["critic_learning_rate_factor"] if name == "critic" else 1.0
            for group in optimizer.param_groups:
                rate = hparams["learning_rate"] * min(1, (steps + 1) / WARM)
                group["lr"] = factor * rate * (1 + math.cos(math.pi * done)) / 2
        brain.step = number + 1
        batch = source.batch(number, hparams["batch_size"], hparams["seed"])
        active = brain.active
        brain.fit_batch(batch)
        number += 1
        if active == "generator":
            steps += 1
            kept = min(0.99, steps / (steps + 9))
            with torch.no_grad():
                pairs = zip(average.parameters(), hparams["generator"].parameters(), strict=True)
                for mean, weight in pairs:
                    mean.lerp_(weight, 1 - kept)
    return average, steps


@torch.no_grad()
def scored(generator, utterances):
    """Mean figures of the copies."""
    recordings = [utterance.clean for utterance in utterances]
    copies = enhance_utterances(copier(generator.in_chunks, generator.analysis), recordings)
    scores = score_copies(recordings, copies, ScoringOptions(("intelligibility",), jobs=0))
    found = {}
    for name in MEASURES:
        values = [score[name] for score in scores if math.isfinite(score[name])]
        found[name] = round(sum(values) / len(values), 3)
    return found


def main():
    """Trains, scores, prints a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("yaml", help="of train-vocoder")
    parser.add_argument("--seconds", type=float, default=90, help="processor time")
    options, others = parser.parse_known_args()
    if len(others) % 2 or not all(word.startswith("--") for word in others[::2]):
        parser.error(f"expected --KEY VALUE ..., but got {others}")
    words = dict(zip([word[2:] for word in others[::2]], map(Word, others[1::2]), strict=True))
    keep_cpu_fast()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        hparams, _ = load_training(options.yaml, "vocoder", {"output_folder": folder, **words})
    source, utterances, _ = load_speech(hparams)
    del hparams["checkpointer"]
    brain = VocoderBrain(
        hparams["modules"],
        hparams,
        hparams["critic_steps"] + 1,
        run_opts={"device": "cpu", "noprogressbar": True},
    )
    brain.begin_figures()
    average, steps = train(brain, source, hparams, options.seconds)
    count = sum(parameter.numel() for parameter in average.parameters())
    print(json.dumps({**words, "parameters": count, "steps": steps, **scored(average, utterances)}))


if __name__ == "__main__":
    main()
