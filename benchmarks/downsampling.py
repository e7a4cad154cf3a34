"""Times a critic's step with gradient penalty: these layers and PyTorch's own, side by side in one run.

    PYTHONPATH=. python benchmarks/downsampling.py [--threads 2] [--rounds 15]

The critic has the default sizes: windows of 2048 samples, 1, 16, 32, 64, 128 channels, kernel 25, stride 4,
batch 64. A step is the score of a real and of a generated batch, the two-sided gradient penalty between them,
and one backward pass. Each round times all variants in turn; a ratio is the median of the rounds' ratios.
"""

import argparse
import statistics
import time
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.nnet.activations import LeakyReLU
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.phase_shuffle import PhaseShuffle

CHANNELS = (1, 16, 32, 64, 128)
KERNEL_SIZE, FACTOR, TIME = 25, 4, 2048


class GatherShuffle(nn.Module):
    """Phase shuffle by `torch.gather` and its automatic derivatives."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        shift = torch.randint(-self.n, self.n + 1, (len(x), 1, 1), device=x.device)
        last = x.shape[2] - 1
        index = last - (last - (torch.arange(last + 1, device=x.device) - shift).abs()).abs()
        return x.gather(2, index.expand_as(x))


def critic(mode, plain, shuffle):
    """The critic; a plain one consists of PyTorch's own operations alone."""
    torch.manual_seed(0)
    layers = nn.Sequential()
    for number, (a, b) in enumerate(pairwise(CHANNELS)):
        layers.append(Downsample1d(a, b, KERNEL_SIZE, FACTOR, mode, fused=not plain))
        layers.append(nn.LeakyReLU(0.2) if plain else LeakyReLU(0.2))
        if shuffle and number < len(CHANNELS) - 2:
            layers.append(GatherShuffle(2) if plain else PhaseShuffle(2))
    return layers.append(nn.Flatten()).append(nn.Linear(CHANNELS[-1] * TIME // FACTOR**4, 1))


def step(layers, real, fake):
    """One critic step but for the optimizer's part; returns the seconds it took."""
    start = time.perf_counter()
    layers.zero_grad()
    wasserstein = layers(fake).mean() - layers(real).mean()
    between = torch.lerp(real, fake, 0.3).requires_grad_()
    gradient = torch.autograd.grad(layers(between).sum(), between, create_graph=True)[0]
    penalty = (torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1).square().mean()
    (wasserstein + 10 * penalty).backward()
    return time.perf_counter() - start


def generator_step(layers, real, fake):
    """The gradient that a generator gets; returns the seconds it took."""
    start = time.perf_counter()
    fake = fake.detach().requires_grad_()
    torch.autograd.grad(layers(fake).mean(), fake)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    real, fake = (F.avg_pool1d(torch.randn(args.batch, 1, TIME + 4), 5, 1) for _ in range(2))
    pairs = {
        "strided": partial(critic, "strided", shuffle=False),
        "strided, phase shuffle": partial(critic, "strided", shuffle=True),
        "blur": partial(critic, "blur", shuffle=False),
    }
    networks = {(name, plain): build(plain=plain) for name, build in pairs.items() for plain in (True, False)}
    times = {key: ([], []) for key in networks}
    for round_number in range(args.rounds + 2):
        for key, layers in networks.items():
            measured = step(layers, real, fake), generator_step(layers, real, fake)
            if round_number >= 2:
                for record, elapsed in zip(times[key], measured, strict=True):
                    record.append(elapsed)
    print(f"{args.threads} threads, batch {args.batch}, torch {torch.__version__}; medians")
    for number, what in enumerate(("critic step", "generator's gradient")):
        for name in pairs:
            plain, ours = (times[name, key][number] for key in (True, False))
            ratio = statistics.median(a / b for a, b in zip(plain, ours, strict=True))
            print(
                f"{what:22s} {name:24s} PyTorch's operations {1000 * statistics.median(plain):8.1f} ms, "
                f"these layers {1000 * statistics.median(ours):7.1f} ms, {ratio:5.2f} times as fast"
            )


if __name__ == "__main__":
    main()
