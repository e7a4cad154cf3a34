"""Times the parts of an enhancement training step, as CPU time for each second of audio.

    PYTHONPATH=. python benchmarks/enhance_step.py [--threads 1] [--repeats 5] [--bf16] [--release_memory]
                                                  [--yaml YAML]

Every repeat runs all parts in turn on one batch of the yaml's size, so that they meet the same machine; a
figure is the median over repeats.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from sb_resizegan.brains import frozen
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.utils.hparams import load_hparams

YAML = Path(__file__).parents[1] / "hparams" / "enhance.yaml"


def parts_of(hparams, noisy, clean):
    """By name, functions that do a part of a step, in the order of a step."""
    generator, critic = hparams["generator"], hparams["critic"]
    objective, loss = hparams["objective"], hparams["loss"]
    lengths = torch.ones(len(noisy))
    unit = critic.distance_unit(noisy, lengths)
    kept = {}

    def forward():
        kept["enhanced"] = generator(noisy)

    def judge():
        kept["value"], _ = objective(kept["enhanced"], clean, lengths)

    def judge_backward():
        (kept["gradient"],) = torch.autograd.grad(kept["value"], kept["enhanced"], retain_graph=True)

    def backward():
        kept["enhanced"].backward(kept["gradient"])

    def generate():
        with torch.no_grad():
            kept["fake"] = generator(noisy)

    def score(candidates):
        calls = len(candidates) // len(noisy)
        return critic(candidates, (noisy / unit).repeat(calls, 1), lengths.repeat(calls))

    def critic_step():
        value, _ = loss.critic_loss(score, clean / unit, kept["fake"] / unit, torch.rand(len(noisy)))
        value.backward()

    def through_critic():
        with frozen(critic):
            candidates = (kept["fake"] / unit).requires_grad_()
            torch.autograd.grad(loss.generator_loss(score, candidates), candidates)

    return {
        "generator, forward": forward,
        "objective, forward": judge,
        "objective, backward": judge_backward,
        "generator, backward": backward,
        "critic step: generator without graph": generate,
        "critic step: critic with penalty": critic_step,
        "adversarial term of the generator": through_critic,
    }


def main():
    """Times all parts and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bf16", action="store_true", help="as with --precision bf16 in the training")
    parser.add_argument("--release_memory", action="store_true", help="give freed memory to the system")
    parser.add_argument("--yaml", type=Path, default=YAML)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.release_memory:
        torch.set_flush_denormal(True)
    else:
        keep_cpu_fast()
    with tempfile.TemporaryDirectory() as folder:
        hparams, _ = load_hparams(arguments.yaml, {"output_folder": folder})
    samples = round(hparams["segment_seconds"] * hparams["sample_rate"])
    random = torch.Generator().manual_seed(0)
    clean = 0.1 * torch.randn(hparams["batch_size"], samples, generator=random)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=random)
    parts = parts_of(hparams, noisy, clean)
    times = {name: [] for name in parts}
    for repeat in range(arguments.repeats + 1):
        for name, run in parts.items():
            begin = time.process_time()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.bf16):
                run()
            if repeat:  # the first warms up
                times[name].append(time.process_time() - begin)
    seconds = clean.numel() / hparams["sample_rate"]
    medians = {name: 1e3 * statistics.median(values) / seconds for name, values in times.items()}
    precision = "bfloat16" if arguments.bf16 else "float32"
    print(
        f"{arguments.yaml.name}: CPU milliseconds for a second of audio, {precision}, "
        f"{arguments.threads} thread(s)"
    )
    for name, median in medians.items():
        print(f"  {name:40s} {median:6.1f}")


if __name__ == "__main__":
    main()
