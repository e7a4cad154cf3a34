"""What a generator of windows learns in equal time: short trainings compared by the CPU time of the process.

    python benchmarks/learning.py                                        # resize.yaml as it is, two minutes
    python benchmarks/learning.py --minutes 4 --energy_weight 0 --seed 2     # keys of the yaml

Steps are taken until the process has used so much CPU time, whatever else runs beside it; the learning rate
falls along a cosine to a tenth. Measures are those of the averaged generator, on 1024 windows against 2048 of
files that were not trained on, and do not count as training time. One thread, so that CPU time is time.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import torch

from sb_resizegan.brains import frozen
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.metrics.distribution import frechet_with_noise_floor
from sb_resizegan.metrics.periodicity import measure_periodicity, wasserstein_1d
from sb_resizegan.metrics.spectral_balance import low_frequency_energy, spectral_distance
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.training.cpu import keep_cpu_fast
from sb_resizegan.training.settings_file import load_training
from sb_resizegan.utils.command_line import Word

YAML = Path(__file__).parents[1] / "hparams" / "resize.yaml"
WARM_UP = 20  # steps in which the learning rate rises


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="CPU time of the training")
    parser.add_argument("--marks", type=int, default=2, help="how often it is measured, the end included")
    arguments, rest = parser.parse_known_args()
    if len(rest) % 2 or any(not key.startswith("--") for key in rest[::2]):
        parser.error(f"expected keys of {YAML.name} and their values, but got {rest}")
    return arguments, {key[2:]: Word(value) for key, value in zip(rest[::2], rest[1::2], strict=True)}


def load_windows(hparams, folder):
    """Windows to train on and 2048 of other files."""
    speech = prepare_default_corpus()
    prepare_speech(speech, folder, sample_rate=hparams["sample_rate"], seed=1986)
    train, valid = (
        SpeechWindows(
            Path(folder) / f"{name}.json",
            hparams["window_samples"],
            hparams["sample_rate"],
            hparams["lowpass_hz"],
            data_root=speech,
        )
        for name in ("train", "valid")
    )
    return train, valid.fixed(2048, seed=1986)


class Trial:
    """Networks, loss and optimizers of a yaml, and steps without SpeechBrain around them."""

    def __init__(self, hparams, windows):
        self.hparams, self.windows = hparams, windows
        self.generator, self.critic = hparams["generator"], hparams["critic"]
        self.average = exponential_average(self.generator, hparams["average_decay"])
        self.optimizers = {
            name: hparams[f"{name}_optimizer"](hparams[name].parameters()) for name in ("generator", "critic")
        }
        self.steps = self.batches = 0

    def iterate(self, share):
        """The critic's steps and one of the generator, ``share`` of the way through the training."""
        rate = self.hparams["learning_rate"] * (0.55 + 0.45 * math.cos(math.pi * share))
        rate *= min(1.0, (self.steps + 1) / WARM_UP)
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = rate
        size = self.hparams["batch_size"]
        for _ in range(self.hparams["critic_steps"]):
            real = self.real()
            with torch.autocast("cpu", torch.bfloat16):
                with torch.no_grad():
                    fake = self.generator(self.generator.sample_latent(size)).float()
                loss, _ = self.hparams["loss"].critic_loss(
                    self.critic, real, fake, torch.rand(size), self.steps
                )
            self.update("critic", loss)
        real, weight = self.real(), self.hparams["energy_weight"]
        with torch.autocast("cpu", torch.bfloat16), frozen(self.critic):
            fake = self.generator(self.generator.sample_latent(size)).float()
            loss = weight * self.hparams["energy_distance"].over_batch(real, fake) if weight else 0.0
            if self.hparams["critic_steps"]:
                loss = loss + self.hparams["loss"].generator_loss(self.critic, fake, real)
        self.update("generator", loss)
        self.average.update_parameters(self.generator)
        self.steps += 1

    def real(self):
        self.batches += 1
        return self.windows.batch(self.batches, self.hparams["batch_size"], self.hparams["seed"])

    def update(self, name, loss):
        self.optimizers[name].zero_grad()
        loss.backward()
        self.optimizers[name].step()


@torch.no_grad()
def measure(trial, real):
    """One row of figures."""
    latent = trial.generator.sample_latent(1024, torch.Generator().manual_seed(7))
    windows = torch.cat([trial.average(part) for part in latent.split(256)])
    own, other = measure_periodicity(windows), measure_periodicity(real)
    return {
        "steps": trial.steps,
        "pass_band_db": spectral_distance(windows, real, band_hz=(60.0, 1400.0)),
        "frechet": frechet_with_noise_floor(windows, real)[0],
        "voicing": float(own.strength.mean()),
        "voicing_w1": wasserstein_1d(own.strength, other.strength),
        "f0_w1": wasserstein_1d(own.f0, other.f0),
        "below_60hz_db": low_frequency_energy(windows) - low_frequency_energy(real),
    }


def main():
    arguments, overrides = parse_arguments()
    torch.set_num_threads(1)
    keep_cpu_fast()
    with tempfile.TemporaryDirectory() as folder:
        hparams, _ = load_training(YAML, "windows", {**overrides, "output_folder": folder})
        train, real = load_windows(hparams, folder)
    trial = Trial(hparams, train)
    total, used = 60 * arguments.minutes, 0.0
    for mark in range(1, arguments.marks + 1):
        begun = time.process_time() - used
        while used < total * mark / arguments.marks:
            trial.iterate(min(1.0, used / total))
            used = time.process_time() - begun
        row = " ".join(f"{name} {value:.4g}" for name, value in measure(trial, real).items())
        print(f"{used / 60:.1f} min: {row}", flush=True)


if __name__ == "__main__":
    main()
