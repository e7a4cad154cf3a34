"""Speed of PESQ: the ``pesq`` package and sb_resizegan side by side, in seconds of audio per second.

    python benchmarks/pesq.py                    # CPU: one core, then all of them
    python benchmarks/pesq.py --device cuda      # sb_resizegan on the GPU instead
    python benchmarks/pesq.py --compile          # with the perceptual model compiled, too

All ways score the same pairs in turn, several times over; the fastest round of each counts. Batches hold
pairs of similar length, as recipes/score.py makes them; padding is not counted as audio.
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import sys
import time
from pathlib import Path

# Threads that wait are to spin only shortly: beside other programs, a long spin is many times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import numpy as np
import soundfile
import torch

# The folder of this script holds a file of the package's name: look in the project's folder instead.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pesq as official

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.metrics.pesq.inputs import prepare
from sb_resizegan.metrics.pesq.pipeline import evaluate, first_pass
from tests.metrics.degradations import make_pair

SETS = {
    "aligned": ("white_noise", "babble", "ratio_mask", "griffin_lim"),
    "with delays": ("delay", "delay_and_noise", "delay_jumps", "delay_jumps_and_noise"),
}


def make_set(kinds, recordings, count):
    """Pairs sorted by length."""
    pairs = [make_pair(kinds[i % len(kinds)], recordings, i) for i in range(count)]
    return sorted(pairs, key=lambda pair: len(pair[0]))


def pack(pairs, size, device):
    """Padded batches with relative lengths."""
    packed = []
    for first in range(0, len(pairs), size):
        part = pairs[first : first + size]
        longest = max(len(reference) for reference, _ in part)
        padded = [[np.pad(s, (0, longest - len(s))) for s in side] for side in zip(*part, strict=True)]
        lengths = torch.tensor([len(reference) / longest for reference, _ in part], dtype=torch.float64)
        packed.append((*(torch.from_numpy(np.stack(side)).to(device) for side in padded), lengths.to(device)))
    return packed


def run_official(pairs, flush):
    """The package, file by file, in this process."""
    torch.set_flush_denormal(flush)
    for pair in pairs:
        official.pesq(16000, *pair, "wb")
    torch.set_flush_denormal(False)


def score_file(pair):
    """One file in a worker."""
    return official.pesq(16000, *pair, "wb")


def start_worker(flush):
    """Settings of a worker."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(flush)


def run_pool(pairs, pool):
    """The package, file by file, in as many processes as cores; the longest first."""
    list(pool.map(score_file, pairs[::-1]))


@torch.no_grad()
def run_own(batches, threads, perceptual=first_pass):
    """This package, batch by batch."""
    torch.set_num_threads(threads)
    for reference, degraded, lengths in batches:
        scores = evaluate(prepare(reference, degraded, lengths=lengths), perceptual=perceptual).mos_lqo
    scores.cpu()


def best_times(ways, repeats):
    """Fastest of several rounds in which all ways take turns, after one that does not count."""
    best = dict.fromkeys(ways, float("inf"))
    for round_number in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if round_number:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speech", type=Path, help="folder of 16 kHz speech (default: the default corpus)")
    parser.add_argument("--pairs", type=int, default=64, help="pairs of either set (default: 64)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="time the compiled perceptual model too")
    arguments = parser.parse_args()
    folder = arguments.speech or prepare_default_corpus("en")
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix in (".wav", ".flac", ".ogg")]
    recordings = [
        soundfile.read(p, dtype="float32")[0] for p in paths if 3 < soundfile.info(p).duration < 10
    ][:80]
    sets = {name: make_set(kinds, recordings, arguments.pairs) for name, kinds in SETS.items()}
    gpu = torch.device(arguments.device).type != "cpu"
    cores = sorted({1, arguments.cores})
    contexts = multiprocessing.get_context("spawn")
    pools = {
        flush: concurrent.futures.ProcessPoolExecutor(arguments.cores, contexts, start_worker, (flush,))
        for flush in ((False, True) if arguments.cores > 1 else ())
    }
    compiled = torch.compile(first_pass, dynamic=True, fullgraph=True) if arguments.compile else None
    results = {}
    for name, pairs in sets.items():
        ways = {}
        for count in cores:
            for flush in (False, True):
                label = (count, "pesq 0.0.4, flush-to-zero" if flush else "pesq 0.0.4 as called normally")
                if count == 1:
                    ways[label] = functools.partial(run_official, pairs, flush)
                else:
                    ways[label] = functools.partial(run_pool, pairs, pools[flush])
            for size in arguments.batches:
                batches = pack(pairs, size, arguments.device)
                label = f"sb_resizegan, batch {size}" + (f", {arguments.device}" if gpu else "")
                ways[count, label] = functools.partial(run_own, batches, count)
                if compiled:
                    ways[count, f"{label}, compiled"] = functools.partial(run_own, batches, count, compiled)
        seconds = sum(len(reference) for reference, _ in pairs) / 16000
        for label, spent in best_times(ways, arguments.repeats).items():
            results.setdefault(label, {})[name] = seconds / spent
    for pool in pools.values():
        pool.shutdown()
    print("| cores | | " + " | ".join(f"{name}, s/s | × | × flush" for name in sets) + " |")
    print("| --- | --- | " + " | ".join("---: | ---: | ---:" for _ in sets) + " |")
    for (count, label), speeds in results.items():
        cells = []
        for name, speed in speeds.items():
            plain = results[count, "pesq 0.0.4 as called normally"][name]
            flush = results[count, "pesq 0.0.4, flush-to-zero"][name]
            cells.append(f"{speed:.0f} | {speed / plain:.2f} | {speed / flush:.2f}")
        print(f"| {count} | {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
