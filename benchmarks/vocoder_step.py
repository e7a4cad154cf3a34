#!/usr/bin/env python3
"""Processor time of a vocoder: of a training step beside plain PyTorch code, and of synthesis.

    PYTHONPATH=. python benchmarks/vocoder_step.py [vocoder_regression.yaml] [--repeats 5] [--KEY VALUE ...]

A step is forward, objective and backward of the generator on one batch of noise. The plain version has the
same weights, layers that interpolate and then convolve, and a pass of the network for each draw of the noise;
it is shown to give the same waveforms first. All parts run in turn, so that they meet the same machine, on
one thread; a figure is the median over repeats, of process time: other work may go on beside it.
"""

import argparse
import statistics
import tempfile
import time

import torch

from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.settings_file import load_training
from sb_resizegan.utils.command_line import Word

SECONDS = 10  # of the synthesis


def plain_of(hparams, words, folder):
    """The generator with layers that are not fused, and the same weights."""
    plain, _ = load_training(hparams, "vocoder", {"output_folder": folder, **words})
    for stage in plain["generator"].stages:
        stage.fused = False
    return plain["generator"]


def main():
    """Times all parts and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("yaml", nargs="?", default="vocoder_regression.yaml")
    parser.add_argument("--repeats", type=int, default=5)
    options, others = parser.parse_known_args()
    words = dict(zip([word[2:] for word in others[::2]], map(Word, others[1::2]), strict=True))
    keep_cpu_fast()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        hparams, _ = load_training(options.yaml, "vocoder", {"output_folder": folder, **words})
        plain = plain_of(options.yaml, words, folder)
    generator, objective = hparams["generator"], hparams["objective"]
    plain.load_state_dict(generator.state_dict())
    analysis, frames = generator.analysis, hparams["segment_frames"]
    random = torch.Generator().manual_seed(0)
    real = 0.1 * torch.randn(hparams["batch_size"], 256 * frames, generator=random)
    mel, latent = analysis(real)[:, :, :frames], generator.sample_latent(len(real), random)
    with torch.no_grad():
        torch.testing.assert_close(generator(mel, latent), plain(mel, latent), rtol=1e-3, atol=1e-4)
    long = analysis(0.1 * torch.randn(1, 16000 * SECONDS, generator=random))

    with_energy = "energy" in objective.weights

    def step(network):
        if with_energy and network is generator and getattr(generator, "shares_draws", False):
            waveforms, second = network(mel, torch.cat([latent, -latent])).chunk(2)
        else:
            waveforms, second = network(mel, latent), network(mel, -latent) if with_energy else None
        objective(waveforms, real, second)[0].backward()

    def generate(network):
        network(mel, latent).square().mean().backward()

    parts = {
        "training step": lambda: step(generator),
        "the same, plain": lambda: step(plain),
        "generator alone": lambda: generate(generator),
        "the same, plain ": lambda: generate(plain),
        "synthesis": lambda: generator.in_chunks(long),
    }
    times = {name: [] for name in parts}
    for repeat in range(options.repeats + 1):
        for name, run in parts.items():
            begin = time.process_time()
            run()
            if repeat:  # the first warms up
                times[name].append(time.process_time() - begin)
    names = list(times)
    for name, values in times.items():
        print(f"{name:20s} {1e3 * statistics.median(values):8.1f} ms")
    for own, other in (names[:2], names[2:4]):
        ratio = statistics.median(a / b for a, b in zip(times[own], times[other], strict=True))
        print(f"{own} over plain: {ratio:.2f}")
    print(f"real-time factor: {statistics.median(times['synthesis']) / SECONDS:.4f}")


if __name__ == "__main__":
    main()
