"""Speed of enhancement on one core, the memory that a long file takes, and what its chunks change.

    python benchmarks/enhance.py                                     # the models of the package
    python benchmarks/enhance.py --model results/enhance/adversarial/1986/export
    python benchmarks/enhance.py --model hparams/enhance.yaml        # untrained, as the yaml has it

The real-time factor is the time that enhancing takes, relative to the length of what is enhanced. Utterances
are enhanced one at a time; models take turns, and the fastest round of each counts. Files are enhanced in
processes of their own: the memory is what the process has at most, above what it had with the model loaded.
The last two columns compare a file of two minutes, in chunks of 40 s, with one pass: the energy of the
difference relative to that of the output, all over and more than 6 s from the joins.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Set before torch is loaded: all of this is about one core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import ruamel.yaml
import soundfile
import torch
from hyperpyyaml import load_hyperpyyaml, resolve_references

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.inference import GenerativeEnhancement, shipped_models
from sb_resizegan.utils.hparams import read_hparams

CPU = {"device": "cpu"}


def load(source):
    """A model by name or folder, or an untrained one by the yaml of its training."""
    if not source.endswith(".yaml"):
        return GenerativeEnhancement.from_hparams(source=source, run_opts=CPU)
    yaml = ruamel.yaml.YAML()
    resolved = yaml.load(resolve_references(read_hparams(source)).getvalue())
    text = io.StringIO()
    yaml.dump({key: resolved[key] for key in ("sample_rate", "generator")}, text)
    hparams = load_hyperpyyaml(text.getvalue())
    return GenerativeEnhancement({"generator": hparams["generator"]}, hparams, run_opts=CPU)


def noisy_speech(seconds, rate):
    """Prompts of the default corpus one after another, with noise."""
    paths = sorted(prepare_default_corpus("en").rglob("*.wav"))
    parts, missing = [], seconds * rate
    while missing > 0:
        for path in paths:
            parts.append(soundfile.read(path, dtype="float32")[0][:missing])
            missing -= len(parts[-1])
            if missing <= 0:
                break
    speech = np.concatenate(parts)
    return speech + 0.01 * np.random.default_rng(0).standard_normal(len(speech), dtype=np.float32)


def utterance_factors(models, seconds, repeats):
    """Real-time factor of each model for one utterance."""
    best = dict.fromkeys(models, float("inf"))
    for round_number in range(repeats + 1):  # the first does not count
        for name, model in models.items():
            noisy = torch.from_numpy(noisy_speech(seconds, model.sample_rate))[None]
            start = time.perf_counter()
            model.enhance_batch(noisy)
            if round_number:
                best[name] = min(best[name], (time.perf_counter() - start) / seconds)
    return best


def chunk_differences(model):
    """Level in dB of what chunks change, all over and away from the joins."""
    rate = model.sample_rate
    noisy = noisy_speech(120, rate)
    one_pass = model.enhance_batch(torch.from_numpy(noisy)[None])[0].numpy()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("noisy.wav", "enhanced.wav")]
        soundfile.write(paths[0], noisy, rate, "FLOAT")
        model.enhance_to_file(*paths, chunk_seconds=40)
        chunked = soundfile.read(paths[1], dtype="float32")[0]
    distance = np.abs(np.arange(len(noisy))[:, None] / rate - [40, 80]).min(axis=1)
    energy = np.square(chunked - one_pass) / np.square(one_pass).mean()
    return [10 * np.log10(energy[distance >= least].mean()) for least in (0, 6)]


def memory(key):
    """A line of the kernel's about this process, in MiB: ``VmRSS`` is what it has, ``VmHWM`` what it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1024


def enhance_file(source, folder, minutes):
    """Enhances a file in this process and prints what it took."""
    model = load(source)
    noisy = Path(folder) / f"noisy{minutes}.wav"
    before, start = memory("VmRSS"), time.perf_counter()
    model.enhance_to_file(noisy, Path(folder) / "enhanced.wav")
    spent = time.perf_counter() - start
    print(json.dumps([spent / (60 * minutes), before, memory("VmHWM") - before]))


def in_a_process(source, folder, minutes):
    """Real-time factor, memory with the model loaded, and growth in MiB."""
    command = [sys.executable, __file__, "--enhance_file", source, str(folder), str(minutes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", metavar="SOURCE", help="names, folders or yaml files")
    parser.add_argument("--seconds", type=int, nargs="+", default=[4, 16], help="lengths of the utterances")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 60], help="lengths of the files")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--enhance_file", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if arguments.enhance_file:
        source, folder, minutes = arguments.enhance_file
        enhance_file(source, folder, int(minutes))
        return
    names = arguments.model or [name for name in shipped_models() if name.startswith("enhance")]
    if not names:
        parser.error("--model: no enhancer comes with the package; expected a folder or a yaml file")
    models = {name: load(name) for name in names}
    factors = [utterance_factors(models, seconds, arguments.repeats) for seconds in arguments.seconds]
    heads = [f"{seconds} s" for seconds in arguments.seconds]
    heads += [f"{minutes} min | memory, MiB" for minutes in arguments.minutes]
    heads += ["chunks, dB", "away from joins, dB"]
    print("real-time factors on one core, and growth of memory above that with the model loaded\n")
    print(f"| model | parameters | {' | '.join(heads)} |")
    print("| --- " + "| ---: " * (len(heads) + 1 + len(arguments.minutes)) + "|")
    for name, model in models.items():
        cells = [str(sum(p.numel() for p in model.parameters()))]
        cells += [f"{factor[name]:.4f}" for factor in factors]
        with tempfile.TemporaryDirectory() as folder:
            for minutes in arguments.minutes:
                noisy = noisy_speech(60 * minutes, model.sample_rate)
                soundfile.write(Path(folder) / f"noisy{minutes}.wav", noisy, model.sample_rate)
                factor, before, growth = in_a_process(name, folder, minutes)
                cells.append(f"{factor:.4f} | {growth:.0f} above {before:.0f}")
        cells += [f"{difference:.1f}" for difference in chunk_differences(model)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
