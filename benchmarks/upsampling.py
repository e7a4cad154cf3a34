"""Times forward and backward of one upsampling layer computed in three ways, side by side in one run.

    PYTHONPATH=. python benchmarks/upsampling.py [--threads 2] [--rounds 15] [--csv FILE]

For every mode, layer of the window generator, kernel and factor: the plain two steps (interpolate, then
convolve), the composite kernel, and a `torch.nn.ConvTranspose1d` of the same kernel and factor. Each round
times the three in turn, so that they meet the same machine; a ratio is the median of the rounds' ratios, a
column's last line is the geometric mean. The composite kernel includes the composition of the weights.
"""

import argparse
import csv
import math
import statistics
import time

import torch

from sb_resizegan.nnet.interpolation import RESIZE_MODES
from sb_resizegan.nnet.upsampling import Upsample1d

# input channels, output channels, output samples: the generator's four layers
LAYERS = ((128, 64, 32), (64, 32, 128), (32, 16, 512), (16, 1, 2048))
WAYS = ("two-step", "composite", "transposed")


def build(mode, in_channels, out_channels, kernel_size, factor):
    """The three layers to be compared, by name."""
    padding = math.ceil((kernel_size - factor) / 2)
    two_step = Upsample1d(in_channels, out_channels, kernel_size, factor, mode, fused=False)
    composite = Upsample1d(in_channels, out_channels, kernel_size, factor, mode)
    composite.load_state_dict(two_step.state_dict())
    transposed = torch.nn.ConvTranspose1d(
        in_channels,
        out_channels,
        kernel_size,
        factor,
        padding,
        output_padding=2 * padding - (kernel_size - factor),
    )
    return dict(zip(WAYS, (two_step, composite, transposed), strict=True))


def seconds(layer, x, gradient):
    """Time of one forward and backward pass, gradients of input, weight and bias included."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    start = time.perf_counter()
    layer(x).backward(gradient)
    return time.perf_counter() - start


def compare(layers, batch, time_in, rounds):
    """Times of each way, a list for each, one entry a round."""
    x = torch.randn(batch, layers["composite"].in_channels, time_in)
    gradient = torch.randn_like(layers["composite"](x)).contiguous()
    # the composite layer works in time-major memory, and so do its neighbours in a network
    inputs = {
        way: tuple(
            t.transpose(1, 2).contiguous().transpose(1, 2) if way == "composite" else t for t in (x, gradient)
        )
        for way in WAYS
    }
    times = {way: [] for way in WAYS}
    for round_number in range(rounds + 2):
        for way, layer in layers.items():
            elapsed = seconds(layer, *inputs[way])
            if round_number >= 2:
                times[way].append(elapsed)
    return times


def median_ratio(a, b):
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--csv", help="also write the table there")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    header = ["mode", "layer", "kernel", "factor", *(f"{way}_ms" for way in WAYS)]
    header += ["speedup_over_two-step", "time_over_transposed"]
    print(("{:8s} {:16s} {:>6s} {:>6s}" + " {:>13s}" * 3 + " {:>22s} {:>21s}").format(*header))
    rows = []
    for mode in RESIZE_MODES:
        for kernel_size in (22, 25):
            for factor in (2, 4):
                for in_channels, out_channels, time_out in LAYERS:
                    layers = build(mode, in_channels, out_channels, kernel_size, factor)
                    times = compare(layers, args.batch, time_out // factor, args.rounds)
                    row = [mode, f"{in_channels}->{out_channels} @{time_out}", kernel_size, factor]
                    row += [1000 * statistics.median(times[way]) for way in WAYS]
                    row.append(median_ratio(times["two-step"], times["composite"]))
                    row.append(median_ratio(times["composite"], times["transposed"]))
                    rows.append(row)
                    print(
                        ("{:8s} {:16s} {:6d} {:6d}" + " {:13.2f}" * 3 + " {:22.2f} {:21.2f}").format(*row),
                        flush=True,
                    )
    print(f"\ngeometric means ({args.threads} threads, batch {args.batch}, torch {torch.__version__})")
    for mode in (*RESIZE_MODES, "all"):
        chosen = [row for row in rows if mode in (row[0], "all")]
        speedup, cost = (statistics.geometric_mean(row[i] for row in chosen) for i in (-2, -1))
        print(f"{mode:8s} {speedup:5.2f} times as fast as two-step, {cost:5.2f} times the transposed's time")
    if args.csv:
        with open(args.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
