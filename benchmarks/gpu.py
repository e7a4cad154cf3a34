"""What one GPU makes of all this: one command, a table in markdown that names the card.

    python benchmarks/gpu.py                        # all parts, minutes on a GPU
    python benchmarks/gpu.py --parts training pesq  # some of them
    python benchmarks/gpu.py --device cpu --tiny    # seconds, to see that it runs; its figures mean nothing

Training: cycles a second (the critic's steps and one of the generator) of both Brains in float32, bfloat16
and with a compiled generator, beside a plain PyTorch loop of the same networks, which reads its losses in
every step as such loops do; how often the host waited in a cycle, by the profiler; and the highest memory.
All rows take turns, and the fastest round of each counts. PESQ: seconds of audio a second, beside the `pesq`
package on all cores. Enhancement: seconds of audio a second by batch size. Agreement: how far results are
from the CPU's.
"""

import argparse
import concurrent.futures
import os
import sys
import tempfile
import time
from pathlib import Path

# The folder of this script holds a file of the name of the package `pesq`.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import speechbrain as sb
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.training_cycles import BRAINS, BrainCycles, PlainCycles, noise_batches, settings
from sb_resizegan.inference import GenerativeEnhancement
from sb_resizegan.metrics.pesq import pesq

PARTS = ("training", "pesq", "enhancement", "agreement")
VARIANTS = {"float32": {}, "bfloat16": {"precision": "bf16"}, "compiled generator": {"compile": True}}
WAITS = ("Synchronize", "Memcpy DtoH")


def synchronise(device):
    if device.type != "cpu":
        torch.accelerator.synchronize()


def waits_of(run, device):
    """How often the host waited, by the profiler; None on a CPU."""
    if device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
        run()
    # The one at the end is ours.
    return sum(e.count for e in record.key_averages() if any(wait in e.key for wait in WAITS))


def time_training(arguments, device):
    """Rows of both trainings."""
    rows = []
    for name in BRAINS:
        with tempfile.TemporaryDirectory() as folder:
            hparams = settings(name, folder, arguments.tiny)
            runs = {"plain PyTorch": PlainCycles(name, hparams, device)}
            for variant in arguments.variants:
                runs[variant] = BrainCycles(name, dict(hparams), VARIANTS[variant], device)
            batches = noise_batches(hparams, hparams["critic_steps"] + 1, device)
            best, memory = dict.fromkeys(runs, float("inf")), dict.fromkeys(runs, 0)
            for repeat in range(arguments.repeats + 1):
                for variant, run in runs.items():
                    if device.type == "cuda":
                        torch.cuda.reset_peak_memory_stats()
                    synchronise(device)
                    begin = time.perf_counter()
                    for _ in range(arguments.cycles):
                        run(batches)
                    synchronise(device)
                    if repeat:  # the first warms up
                        best[variant] = min(best[variant], (time.perf_counter() - begin) / arguments.cycles)
                    if device.type == "cuda":
                        memory[variant] = torch.cuda.max_memory_allocated() / 2**30
            for variant, run in runs.items():
                waits = waits_of(lambda run=run, batches=batches: run(batches), device)
                ratio = best["plain PyTorch"] / best[variant]
                rows.append(
                    [name, variant, f"{1 / best[variant]:.2f}", f"{ratio:.2f}", waits, memory[variant]]
                )
    rows = [[*row[:4], "–" if row[4] is None else row[4], f"{row[5]:.2f}" if row[5] else "–"] for row in rows]
    return ["training", "variant", "cycles a second", "times plain", "waits a cycle", "GiB"], rows


def official_seconds(pair):
    """Time that the `pesq` package takes for a pair."""
    import pesq as official

    begin = time.perf_counter()
    official.pesq(16000, *pair, "wb")
    return time.perf_counter() - begin


def speech_like(batch, seconds):
    """Bursts of noise with pauses, and a noisy copy."""
    random = torch.Generator().manual_seed(0)
    clock = torch.arange(round(16000 * seconds)) / 16000
    clean = 0.1 * (clock % 1.4 < 1.0) * torch.randn(batch, len(clock), generator=random)
    return clean, clean + 0.03 * torch.randn(clean.shape, generator=random)


def time_pesq(arguments, device):
    """Rows of PESQ by batch size, and of the package."""
    seconds = 1.0 if arguments.tiny else 8.0
    rows = []
    for batch in (2,) if arguments.tiny else (1, 16, 128):
        pair = [signal.to(device) for signal in speech_like(batch, seconds)]
        rows.append(
            [
                f"ours, batch of {batch}",
                f"{batch * seconds / fastest(lambda p=pair: pesq(*p), arguments):.0f}",
            ]
        )
    cores = len(os.sched_getaffinity(0))
    pairs = [
        (clean.numpy(), noisy.numpy()) for clean, noisy in zip(*speech_like(4 * cores, seconds), strict=True)
    ]
    with concurrent.futures.ProcessPoolExecutor(cores) as pool:
        list(pool.map(official_seconds, pairs[:cores]))
        begin = time.perf_counter()
        list(pool.map(official_seconds, pairs))
        took = time.perf_counter() - begin
    rows.append([f"`pesq` package, {cores} cores", f"{len(pairs) * seconds / took:.0f}"])
    return ["PESQ", "seconds of audio a second"], rows


def fastest(run, arguments):
    """Shortest time of several, in seconds, until the host has the result."""
    times = []
    for _ in range(arguments.repeats + 1):
        begin = time.perf_counter()
        run().cpu()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def time_enhancement(arguments, device):
    """Rows of the shipped enhancer by batch size."""
    model = GenerativeEnhancement.from_hparams("enhance-base", run_opts={"device": str(device)})
    seconds = 1.0 if arguments.tiny else 10.0
    rows = []
    for batch in (1, 2) if arguments.tiny else (1, 4, 16, 64):
        noisy = speech_like(batch, seconds)[1].to(device)
        took = fastest(lambda noisy=noisy: model.enhance_batch(noisy), arguments)
        rows.append([batch, f"{batch * seconds / took:.0f}", f"{took / (batch * seconds):.5f}"])
    return ["`enhance-base`, batch", "seconds of audio a second", "real-time factor"], rows


def agreement(arguments, device):
    """Largest differences from the CPU's results."""
    clean, noisy = speech_like(2, 2.0)
    results = {}
    for place in (torch.device("cpu"), device):
        model = GenerativeEnhancement.from_hparams("enhance-base", run_opts={"device": str(place)})
        found = {"enhanced speech, of its peak": model.enhance_batch(noisy.to(place))}
        found["PESQ"] = pesq(clean.to(place), noisy.to(place))
        with tempfile.TemporaryDirectory() as folder:
            modules = settings("resize.yaml", folder, arguments.tiny)["modules"]
        torch.manual_seed(0)
        modules = {key: module.to(place).eval() for key, module in modules.items()}
        latent = modules["generator"].sample_latent(2, torch.Generator().manual_seed(0))
        found["generated windows, of their peak"] = windows = modules["generator"](latent)
        found["scores of a critic, of the largest"] = modules["critic"](windows)
        results[place.type] = {key: value.detach().cpu() for key, value in found.items()}
    rows = []
    for key, expected in results["cpu"].items():
        scale = 1.0 if key == "PESQ" else expected.abs().max()
        rows.append([key, f"{float((results[device.type][key] - expected).abs().max() / scale):.1e}"])
    return ["agreement with the CPU", "largest difference"], rows


def table(header, rows):
    """A table in markdown."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main(arguments=None):
    """Runs the parts and prints their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=10, help="of a training, in each repeat")
    parser.add_argument("--tiny", action="store_true", help="small models and signals, once")
    arguments = parser.parse_args(arguments)
    if arguments.tiny:
        arguments.repeats = arguments.cycles = 1
    device = torch.device(arguments.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{name}, torch {torch.__version__}, speechbrain {sb.__version__}" + ", tiny" * arguments.tiny)
    run = dict(zip(PARTS, (time_training, time_pesq, time_enhancement, agreement), strict=True))
    for part in arguments.parts:
        print(f"\n{table(*run[part](arguments, device))}")


if __name__ == "__main__":
    main()
