"""Times one training iteration beside a straightforward PyTorch version of the same mathematics.

    PYTHONPATH=. python benchmarks/train_step.py [--threads 2] [--repeats 15] [--csv FILE]
    PYTHONPATH=. python benchmarks/train_step.py --upsampling transpose --downsampling blur --only plain ours

An iteration is `critic_steps` steps of the critic with gradient penalty and one of the generator, each with
its step of Adam, at the sizes of `hparams/resize.yaml`, but with the penalty in every step of the critic and
without the energy distance. The plain version interpolates and then convolves,
convolves with a stride, pads by reflection and gathers for the phase shuffle, and has PyTorch's own layers
and losses written out. Both are first shown to give the same losses and gradients. The other rows leave out,
or add, one change each. Every repeat times all rows in turn, so that they meet the same machine; a ratio is
the median over repeats of a repeat's ratio.
"""

import argparse
import contextlib
import copy
import csv
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.brains import frozen
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES, interpolate
from sb_resizegan.utils.hparams import load_hparams

YAML = Path(__file__).parents[1] / "hparams" / "resize.yaml"
TOLERANCE = 1e-4  # relative to the largest value of a tensor


class PlainGenerator(nn.Module):
    """The generator's layers one after the other, with the weights of a `WindowGenerator`."""

    def __init__(self, generator):
        super().__init__()
        self.dense = copy.deepcopy(generator.dense)
        self.stages = copy.deepcopy(generator.stages)
        self.blocks = copy.deepcopy(generator.blocks)
        self.noise = copy.deepcopy(generator.noise)
        self.first_shape = generator.first_shape
        self.latent_parts = generator.latent_parts

    def forward(self, latent):
        latent, *noises = latent.split(self.latent_parts, dim=1)
        x = self.dense(latent).view(-1, *self.first_shape)
        for index, (blocks, stage) in enumerate(zip(self.blocks, self.stages, strict=True)):
            if index and self.noise:
                x = self.add_noise(self.noise[index - 1], x, 3**0.5 * noises[index - 1])
            for block in blocks:
                x = x + self.residual(block, x)
            x = self.upsample(stage, torch.relu(x))
        return torch.tanh(x.squeeze(1))

    @staticmethod
    def add_noise(layer, x, noise):
        highpass = layer.highpass.view(1, 1, -1)
        return x + layer.gains * F.conv1d(noise[:, None], highpass, padding=highpass.shape[2] // 2)

    @staticmethod
    def residual(block, x):
        for convolution in block.convolutions:
            padding = (convolution.kernel_size - 1) // 2, convolution.kernel_size // 2
            x = F.conv1d(F.pad(torch.relu(x), padding), convolution.weight, convolution.bias)
        return x

    @staticmethod
    def upsample(stage, x):
        kernel_size, factor = stage.kernel_size, stage.factor
        padding = (kernel_size - 1) // 2, kernel_size // 2
        if stage.mode == "transpose":
            y = F.conv_transpose1d(x, stage.weight, stage.bias, stride=factor)
            cut = (kernel_size - factor) // 2
            return y[..., cut : cut + factor * x.shape[2]]
        if stage.mode == "subpixel":
            y = F.conv1d(F.pad(x, padding), stage.weight, stage.bias)
            batch, channels, time_in = y.shape
            y = y.view(batch, channels // factor, factor, time_in).transpose(2, 3)
            return y.reshape(batch, channels // factor, factor * time_in)
        if stage.mode == "sinc":
            x = interpolate(x, stage.phases)
        else:
            x = F.interpolate(x, scale_factor=factor, mode=stage.mode)
        return F.conv1d(F.pad(x, padding), stage.weight, stage.bias)


class PlainCritic(nn.Module):
    """The critic's layers one after the other, with the weights of a `WindowCritic`."""

    def __init__(self, critic):
        super().__init__()
        self.stages = copy.deepcopy(critic.stages)
        self.dense = copy.deepcopy(critic.dense)
        self.activation = nn.LeakyReLU(0.2)
        self.n = critic.shuffles[0].n if len(critic.shuffles) else 0

    def forward(self, windows, shifts):
        x = windows.unsqueeze(1)
        for index, stage in enumerate(self.stages):
            x = self.activation(self.downsample(stage, x))
            if index + 1 < len(self.stages) and self.n > 0:
                x = plain_shuffle(x, shifts[:, index], self.n)
        return self.dense(x.flatten(1)).squeeze(1)

    @staticmethod
    def downsample(stage, x):
        length = stage.kernel_size + len(stage.lowpass) - 1
        left = max(length - stage.factor, 0) // 2
        x = F.pad(x, (left, length - stage.factor - left))
        if stage.mode == "strided":
            return F.conv1d(x, stage.weight, stage.bias, stride=stage.factor)
        x = F.conv1d(x, stage.weight, stage.bias)
        lowpass = stage.lowpass.expand(stage.out_channels, 1, -1)
        return F.conv1d(x, lowpass, stride=stage.factor, groups=stage.out_channels)


def plain_shuffle(x, shift, n):
    """Phase shuffle: pad by reflection, then read each example from its own place on."""
    index = torch.arange(x.shape[2], device=x.device) + n - shift[:, None]
    return F.pad(x, (n, n), mode="reflect").gather(2, index[:, None].expand_as(x))


class PlainShuffle(nn.Module):
    """`plain_shuffle` in the place of a `PhaseShuffle`."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x, shift):
        return plain_shuffle(x, shift, self.n) if self.n else x


class PlainLoss:
    """Wasserstein loss with two-sided gradient penalty, written out."""

    def __init__(self, weight):
        self.weight = weight

    def critic_loss(self, critic, real, fake, epsilon):
        wasserstein = critic(real).mean() - critic(fake).mean()
        between = (epsilon[:, None] * real + (1 - epsilon[:, None]) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((gradient.norm(dim=1) - 1) ** 2).mean()
        return self.weight * penalty - wasserstein, {}

    def generator_loss(self, critic, fake):
        return -critic(fake).mean()


class Variant(NamedTuple):
    """What a row of the table times."""

    name: str
    generator: nn.Module
    critic: nn.Module
    loss: object
    optimizers: dict
    flush: bool = True
    bf16: bool = False


class Batch(NamedTuple):
    """All that is random in one step of the critic or of the generator."""

    real: torch.Tensor
    latent: torch.Tensor
    epsilon: torch.Tensor
    shifts: torch.Tensor
    """Of real, generated and interpolated windows, one after the other."""


class ShuffledCritic:
    """A critic bound to the shifts of a step, however many calls score them."""

    def __init__(self, critic, shifts):
        self.critic, self.shifts, self.used = critic, shifts, 0

    def __call__(self, windows):
        shifts = self.shifts[self.used : self.used + len(windows)]
        self.used += len(windows)
        return self.critic(windows, shifts)


def critic_loss(variant, batch):
    with torch.no_grad():
        fake = variant.generator(batch.latent)
    critic = ShuffledCritic(variant.critic, batch.shifts)
    return variant.loss.critic_loss(critic, batch.real, fake, batch.epsilon)[0]


def generator_loss(variant, batch):
    critic = ShuffledCritic(variant.critic, batch.shifts)
    with frozen(variant.critic):
        return variant.loss.generator_loss(critic, variant.generator(batch.latent))


def losses(variant, batches):
    """The loss of each step in turn: of the critic, and last of the generator."""
    for batch in batches[:-1]:
        yield "critic", critic_loss(variant, batch)
    yield "generator", generator_loss(variant, batches[-1])


def iterate(variant, batches):
    """One iteration; returns its time in seconds."""
    torch.set_flush_denormal(variant.flush)
    precision = torch.autocast("cpu", torch.bfloat16) if variant.bf16 else contextlib.nullcontext()
    start = time.perf_counter()
    steps = losses(variant, batches)
    for _ in batches:
        with precision:
            active, loss = next(steps)
        loss.backward()
        variant.optimizers[active].step()
        variant.optimizers[active].zero_grad()
    return time.perf_counter() - start


def check_same(reference, variant, batches):
    """Raises unless losses and gradients of a step of each kind agree, for networks not trained yet.

    In float64, for it is the mathematics that is compared: the sums of a batch's gradients may cancel to
    little, of which float32 leaves three digits on either side.
    """
    reference, variant = (
        v._replace(generator=copy.deepcopy(v.generator).double(), critic=copy.deepcopy(v.critic).double())
        for v in (reference, variant)
    )
    for batch, loss_of, active in (
        (batches[0], critic_loss, "critic"),
        (batches[-1], generator_loss, "generator"),
    ):
        batch = Batch(*(x.double() if x.is_floating_point() else x for x in batch))
        results = []
        for each in (reference, variant):
            loss = loss_of(each, batch)
            network = getattr(each, active)
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            results.append([loss.detach(), *gradients])
        names = ["loss", *(name for name, _ in getattr(reference, active).named_parameters())]
        # Some gradients, such as that of the critic's last bias, are zero but for rounding.
        least = 1e-3 * max(float(gradient.abs().max()) for gradient in results[0][1:])
        for name, expected, got in zip(names, *results, strict=True):
            error = float((got - expected).abs().max()) / max(float(expected.abs().max()), least)
            if not error < TOLERANCE:
                raise AssertionError(
                    f"{variant.name}, {active}, {name}: relative difference {error:.1e} from {reference.name}"
                )


def make_variants(hparams):
    """All rows, from the same weights."""
    generator, critic, loss = hparams["generator"], hparams["critic"], hparams["loss"]

    def variant(name, generator, critic, loss=loss, adam=None, **options):
        generator, critic = copy.deepcopy(generator), copy.deepcopy(critic)
        make = {key: hparams[f"{key}_optimizer"] for key in ("critic", "generator")}
        optimizers = {
            "critic": make["critic"](critic.parameters(), **(adam or {})),
            "generator": make["generator"](generator.parameters(), **(adam or {})),
        }
        return Variant(name, generator, critic, loss, optimizers, **options)

    def changed(network, **attributes):
        network = copy.deepcopy(network)
        for name, value in attributes.items():
            setattr(network, name, value)
        return network

    def stepwise(network):
        network = copy.deepcopy(network)
        for stage in network.stages:
            stage.fused = False
        return network

    plain = PlainGenerator(generator), PlainCritic(critic), PlainLoss(loss.weight)
    shuffles = nn.ModuleList(PlainShuffle(shuffle.n) for shuffle in critic.shuffles)
    return [
        variant("plain", *plain, flush=False),
        variant("ours", generator, critic),
        variant("ours, stages of the generator step by step", stepwise(generator), critic),
        variant("ours, stages of the critic step by step", generator, stepwise(critic)),
        variant("ours, PyTorch's LeakyReLU", generator, changed(critic, activation=nn.LeakyReLU(0.2))),
        variant(
            "ours, phase shuffle by padding and gathering", generator, changed(critic, shuffles=shuffles)
        ),
        variant("ours, real and generated scored apart", generator, critic, plain[2]),
        variant("ours, without flush-to-zero", generator, critic, flush=False),
        variant("ours and fused Adam", generator, critic, adam={"fused": True}),
        variant("ours and bfloat16 autocast", generator, critic, bf16=True),
        variant("plain with flush-to-zero", *plain),
        variant("plain with bfloat16 autocast", *plain, flush=False, bf16=True),
    ]


def make_batches(hparams, repeat, size):
    """Noise in the place of speech, and what else the steps of an iteration take."""
    random = torch.Generator().manual_seed(repeat)
    generator, critic = hparams["generator"], hparams["critic"]
    return [
        Batch(
            0.1 * torch.randn(size, hparams["window_samples"], generator=random),
            generator.sample_latent(size, random),
            torch.rand(size, generator=random),
            critic.draw_shifts(3 * size, random),
        )
        for _ in range(hparams["critic_steps"] + 1)
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--upsampling", default="nearest", choices=UPSAMPLING_MODES)
    parser.add_argument("--downsampling", default="strided", choices=DOWNSAMPLING_MODES)
    parser.add_argument("--only", nargs="+", metavar="ROW", help="rows to time (default: all)")
    parser.add_argument("--csv", help="also write the table there")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        hparams, _ = load_hparams(
            YAML,
            {
                "output_folder": folder,
                "upsampling": arguments.upsampling,
                "downsampling": arguments.downsampling,
                "penalty_interval": 1,
            },
        )
    variants = make_variants(hparams)
    names = [variant.name for variant in variants]
    unknown = sorted(set(arguments.only or ()) - set(names))
    if unknown:
        raise SystemExit(f"error: --only: expected some of {names}, but got {unknown}")
    chosen = [v for v in variants if v.name in (arguments.only or names) or v.name in names[:2]]
    few = make_batches(hparams, 0, size=4)
    for variant in chosen[1:]:
        check_same(chosen[0], variant, few)
    print(f"losses and gradients of all rows agree to {TOLERANCE:g} (before autocast)")
    times = {variant.name: [] for variant in chosen}
    for repeat in range(arguments.repeats + 2):
        batches = make_batches(hparams, repeat, arguments.batch_size)
        for variant in chosen:
            seconds = iterate(variant, batches)
            if repeat >= 2:
                times[variant.name].append(seconds)

    def ratio(a, b):
        return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))

    header = ["row", "median_ms", "of_plain", "of_ours"]
    rows = [
        [name, 1000 * statistics.median(seconds), ratio(name, "plain"), ratio(name, "ours")]
        for name, seconds in times.items()
    ]
    print(
        f"{arguments.upsampling} generator, {arguments.downsampling} critic, {hparams['critic_steps']} critic"
        f" steps and 1 generator step, batch {arguments.batch_size}, {arguments.threads} threads, "
        f"torch {torch.__version__}"
    )
    print("{:46s} {:>9s} {:>9s} {:>9s}".format(*header))
    for row in rows:
        print("{:46s} {:9.1f} {:9.2f} {:9.2f}".format(*row))
    if arguments.csv:
        with open(arguments.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
