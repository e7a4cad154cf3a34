"""Cycles of both trainings for `benchmarks/gpu.py`: by the Brains, and by hand."""

import copy
from pathlib import Path

import speechbrain as sb
import torch

from benchmarks.train_step import PlainCritic, PlainGenerator, PlainLoss
from sb_resizegan.brains import EnhancementBrain, WGANBrain, frozen
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.utils.hparams import load_hparams

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    "resize.yaml": {"generator_channels": [16, 8, 8, 4], "critic_channels": [4, 8, 8, 16], "batch_size": 2},
    "enhance.yaml": {"channels": 8, "time_units": 8, "band_units": 8, "blocks": 1, "batch_size": 2},
}
BRAINS = {"resize.yaml": WGANBrain, "enhance.yaml": EnhancementBrain}


def settings(name, folder, tiny):
    """Hyperparameters of a training."""
    changes = {"output_folder": folder, **(TINY[name] if tiny else {})}
    if tiny and name == "enhance.yaml":
        changes |= {"critic_channels": [4, 8, 8, 8], "segment_seconds": 0.5}
    if name == "resize.yaml":
        changes["penalty_interval"] = 1
    return load_hparams(ROOT / "hparams" / name, changes)[0]


def noise_batches(hparams, count, device):
    """Batches of noise as a loader hands them over: pinned, for a GPU."""
    random = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(count):
        if "window_samples" in hparams:
            batch = 0.1 * torch.randn(hparams["batch_size"], hparams["window_samples"], generator=random)
        else:
            samples = round(hparams["segment_seconds"] * hparams["sample_rate"])
            clean = 0.1 * torch.randn(hparams["batch_size"], samples, generator=random)
            noisy = clean + 0.05 * torch.randn(clean.shape, generator=random)
            batch = NoisyBatch(noisy, clean, torch.ones(len(clean)))
            if device.type != "cpu":
                batch = batch.joined()
                batch = batch._replace(samples=batch.samples.pin_memory())
        batches.append(
            batch.pin_memory() if isinstance(batch, torch.Tensor) and device.type != "cpu" else batch
        )
    return batches


class BrainCycles:
    """Cycles of a Brain."""

    def __init__(self, name, hparams, options, device):
        hparams["modules"] = {key: copy.deepcopy(module) for key, module in hparams["modules"].items()}
        self.steps = hparams["critic_steps"] + 1
        self.brain = BRAINS[name](
            hparams["modules"], hparams, self.steps, run_opts={"device": str(device), **options}
        )
        self.brain.on_fit_start()
        self.brain.on_stage_start(sb.Stage.TRAIN, 1)
        self.brain.modules.train()

    def __call__(self, batches):
        for batch in batches:
            self.brain.step += 1
            self.brain.fit_batch(batch)


class PlainCycles:
    """The same by hand, as PyTorch's examples do it."""

    def __init__(self, name, hparams, device):
        generator, critic = (copy.deepcopy(hparams["modules"][key]) for key in ("generator", "critic"))
        self.windows = name == "resize.yaml"
        if self.windows:
            generator, critic = PlainGenerator(generator), PlainCritic(critic)
        self.source = hparams["modules"]
        self.generator, self.critic = generator.to(device), critic.to(device)
        self.loss, self.hparams, self.device = PlainLoss(hparams["loss"].weight), hparams, device
        self.optimizers = [
            hparams[f"{key}_optimizer"](module.parameters())
            for key, module in (("generator", generator), ("critic", critic))
        ]
        self.read = []

    def __call__(self, batches):
        *critics, last = batches
        for batch in critics:
            real, noisy, lengths = self.parts(batch)
            with torch.no_grad():
                fake = self.make(real, noisy)
            epsilon = torch.rand(len(real)).to(self.device)
            loss, _ = self.loss.critic_loss(lambda x, n=noisy: self.score(x, n), real, fake, epsilon)
            self.step(loss, self.optimizers[1])
        real, noisy, lengths = self.parts(last)
        fake = self.make(real, noisy)
        with frozen(self.critic):
            loss = -self.score(fake, noisy).mean()
            if not self.windows:
                loss = self.hparams["adversarial_weight"] * loss
                loss = loss + self.hparams["objective"](fake, real, lengths)[0]
            self.step(loss, self.optimizers[0])

    def parts(self, batch):
        if self.windows:
            return batch.to(self.device), None, None
        noisy, clean, lengths = batch.to("cpu")
        return clean.to(self.device), noisy.to(self.device), lengths.to(self.device)

    def make(self, real, noisy):
        if self.windows:
            return self.generator(self.source["generator"].sample_latent(len(real)).to(self.device))
        return self.generator(noisy)

    def score(self, candidates, noisy):
        shifts = self.source["critic"].draw_shifts(len(candidates)).to(self.device)
        return self.critic(candidates, *([shifts] if self.windows else [noisy, None, shifts]))

    def step(self, loss, optimizer):
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        self.read.append(loss.item())
