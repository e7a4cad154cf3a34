"""Cost of a hop of a stream: PyTorch, onnxruntime, and onnxruntime with weights of 8 bits, on one core.

    python benchmarks/streaming.py                               # the size of enhance_causal.yaml, untrained
    python benchmarks/streaming.py --model results/causal/1986/export --pairs ../shared/data/valid_pairs
    python benchmarks/streaming.py --window 256                  # a window of 16 ms

Times are CPU times of this process. With --pairs, wide-band PESQ of the three on so many pairs (--count).
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from sb_resizegan.inference import GenerativeEnhancement, StreamingEnhancement
from sb_resizegan.inference.stream_steps import OnnxStep, StreamStep, TorchStep
from sb_resizegan.metrics import pesq
from sb_resizegan.training.onnx_export import export_onnx, quantise_onnx
from sb_resizegan.utils.hparams import load_hparams
from sb_resizegan.utils.shipped import find_yaml


def cost(step: StreamStep, hops: int) -> float:
    """CPU milliseconds of a hop: the median of ten stretches."""
    states, random = step.initial(1), np.random.default_rng(0)
    latent = np.zeros((1, step.latent_dim), np.float32) if step.latent_dim else None
    samples = (0.1 * random.standard_normal((1, step.hop))).astype(np.float32)
    times = []
    for _ in range(11):  # the first warms up
        began = time.process_time()
        for _ in range(hops // 10):
            _, states = step(samples, latent, states)
        times.append((time.process_time() - began) / (hops // 10))
    return 1000 * float(np.median(times[1:]))


def score(stream: StreamingEnhancement, pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean wide-band PESQ of a stream's output."""
    scores = []
    for clean, noisy in pairs:
        stream.reset()
        enhanced = np.concatenate([stream.push(noisy), stream.flush()])
        scores.append(float(pesq(torch.from_numpy(clean)[None], torch.from_numpy(enhanced)[None])))
    return float(np.mean(scores))


def untrained(name: str, window: int) -> torch.nn.Module:
    """A generator of a yaml's size."""
    with tempfile.TemporaryDirectory() as folder:
        keys, _ = load_hparams(find_yaml(name), {"output_folder": folder})
    torch.manual_seed(0)
    sizes = {key: keys[key] for key in ("channels", "time_units", "band_units", "blocks", "kernel_size")}
    return type(keys["generator"])(
        **sizes, factors=keys["band_factors"], latent_dim=keys["latent_dim"], causal=True, n_fft=window
    )


def main() -> None:
    """Prints a row for each of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="causal model; untrained of the yaml's size by default")
    parser.add_argument("--yaml", default="enhance_causal.yaml", help="whose size an untrained one has")
    parser.add_argument("--window", type=int, default=512, help="samples, of an untrained one (default: 512)")
    parser.add_argument("--hops", type=int, default=2000)
    parser.add_argument("--pairs", type=Path, help="folder with clean/ and noisy/")
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rate = 16000
    if options.model:
        model = GenerativeEnhancement.from_hparams(options.model, run_opts={"device": "cpu"})
        generator, rate = model.mods.generator, model.sample_rate
    else:
        generator = untrained(options.yaml, options.window)
    pairs = []
    if options.pairs:
        for path in sorted((options.pairs / "clean").iterdir())[: options.count]:
            both = path, options.pairs / "noisy" / path.name
            pairs.append(tuple(soundfile.read(side, dtype="float32")[0] for side in both))
    with tempfile.TemporaryDirectory() as folder:
        whole = export_onnx(generator, rate, Path(folder) / "whole.onnx")
        small = quantise_onnx(whole, Path(folder) / "int8.onnx")
        rows = {
            "PyTorch": (TorchStep(generator, rate), None),
            "onnxruntime": (OnnxStep(whole), whole),
            "onnxruntime, int8": (OnnxStep(small), small),
        }
        print(
            f"parameters: {sum(p.numel() for p in generator.parameters())}, window {generator.n_fft} samples"
        )
        for name, (step, path) in rows.items():
            milliseconds = cost(step, options.hops)
            line = f"{name:18} {milliseconds:6.2f} ms a hop of {1000 * step.hop / rate:.0f} ms"
            line += f", {milliseconds * rate / 1000 / step.hop:.3f} of real time"
            if path:
                line += f", {path.stat().st_size / 1e6:.2f} MB"
            if pairs:
                line += f", PESQ {score(StreamingEnhancement(step), pairs):.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
