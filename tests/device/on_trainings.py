"""Whole trainings, their checkpoints, exports and inference on the device."""

import numpy as np
import pytest
import soundfile
import torch
from speechbrain.nnet.schedulers import LinearScheduler
from speechbrain.utils.epoch_loop import EpochCounter
from torch.utils.data import DataLoader

from sb_resizegan.brains import EnhancementBrain
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.inference import SpeechWindowGenerator
from sb_resizegan.losses import EnhancementObjective, WassersteinGP
from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from sb_resizegan.training.window_monitor import WindowMonitor
from tests.inference.small import small_model
from tests.small_run import SmallRun


class NoiseWindows:
    """Windows of noise, numbered."""

    def batch(self, n, batch_size, seed, rank=0, world_size=1):
        generator = torch.Generator().manual_seed(1000 * seed + n)
        return (
            0.1
            * torch.randn(batch_size * world_size, 2048, generator=generator)[
                rank * batch_size : (rank + 1) * batch_size
            ]
        )

    def fixed(self, count, seed):
        return self.batch(2**20, count, seed)


class NoisyNoise:
    """Bursts of noise in more noise, numbered."""

    def batch(self, n, batch_size, seed, rank=0, world_size=1):
        generator = torch.Generator().manual_seed(1000 * seed + n)
        clean = 0.1 * torch.randn(batch_size, 8000, generator=generator)
        noisy = clean + 0.05 * torch.randn(batch_size, 8000, generator=generator)
        lengths = torch.linspace(0.6, 1, batch_size)
        valid = torch.arange(8000) < (lengths * 8000).round().unsqueeze(1)
        return NoisyBatch(noisy * valid, clean * valid, lengths)


class EnhancementRun(SmallRun):
    """The same for an enhancer."""

    def __init__(self, save_folder=None, options=None, critic_steps=1, on_epoch=None):
        torch.manual_seed(0)
        self.generator = SpectralGenerator(8, 8, 8, blocks=1, latent_dim=4)
        self.critic = ConditionalCritic(channels=(2, 4, 4, 4))
        self.epochs = EpochCounter(1)
        source = NoisyNoise()
        batches = 3 * (critic_steps + 1)
        self.stream, self.valid = (
            DataLoader([source.batch(first + n, 2, 3) for n in range(count)], batch_size=None)
            for first, count in ((0, batches), (100, 2))
        )
        optimizer = lambda parameters: torch.optim.Adam(parameters, 1e-3, betas=(0.5, 0.9))  # noqa: E731
        hparams = {
            "seed": 3,
            "loss": WassersteinGP(),
            "objective": EnhancementObjective(),
            "adversarial_weight": 0.1,
            "critic_steps": critic_steps,
            "critic_optimizer": optimizer,
            "generator_optimizer": optimizer,
            "learning_rate_schedule": LinearScheduler(1e-3, 1e-3, 1),
            "average_decay": 0.9,
            "max_grad_norm": -1,
        }
        modules = {"generator": self.generator, "critic": self.critic}
        if not critic_steps:
            del modules["critic"]
        options = {"device": "cpu", "noprogressbar": True, **(options or {})}
        self.brain = EnhancementBrain(modules, hparams, batches, on_epoch=on_epoch, run_opts=options)

    def fit(self):
        self.brain.fit(self.epochs, self.stream, self.valid)
        return self


def on(device):
    return {"device": str(device)}


def test_windows_are_trained_as_on_the_cpu(device):
    expected = SmallRun(NoiseWindows()).fit()
    found = SmallRun(NoiseWindows(), options=on(device)).fit()
    assert next(found.generator.parameters()).device.type == device.type
    torch.testing.assert_close(found.weights().cpu(), expected.weights(), rtol=1e-3, atol=1e-4)
    assert found.brain.train_stats == pytest.approx(expected.brain.train_stats, rel=1e-2)


@pytest.mark.parametrize("critic_steps", [0, 1])
def test_enhancers_are_trained_as_on_the_cpu(critic_steps, device):
    expected = EnhancementRun(critic_steps=critic_steps).fit()
    found = EnhancementRun(critic_steps=critic_steps, options=on(device)).fit()
    assert found.brain.train_stats == pytest.approx(expected.brain.train_stats, rel=1e-2, abs=1e-4)
    ours, theirs = (
        torch.cat([p.detach().cpu().flatten() for p in run.brain.generator_average.parameters()])
        for run in (found, expected)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-4)


def test_a_training_goes_on_bit_for_bit(device, tmp_path):
    whole = SmallRun(NoiseWindows(), options=on(device)).fit()

    class Ended(Exception):
        pass

    run = SmallRun(NoiseWindows(), tmp_path, on(device))
    before = run.brain.on_stage_start

    def ends(stage, epoch=None):
        if epoch == 2:
            raise Ended
        before(stage, epoch)

    run.brain.on_stage_start = ends
    with pytest.raises(Ended):
        run.fit()
    again = SmallRun(NoiseWindows(), tmp_path, on(device)).fit()
    assert torch.equal(again.weights().cpu(), whole.weights().cpu())


def test_monitors(device, tmp_path):
    clean = 0.1 * np.random.default_rng(0).standard_normal((2, 16000)).astype(np.float32)
    noisy = clean + 0.03 * np.random.default_rng(1).standard_normal((2, 16000)).astype(np.float32)
    pairs = [(str(n), noisy[n], clean[n], 10.0) for n in range(2)]
    model = small_model()
    rows = []
    for place in ("cpu", device):
        monitor = EnhancementMonitor(tmp_path / str(place), pairs, device=place, intelligibility=False)
        generator = model.mods.generator.to(place)
        latent = generator.sample_latent(1, 16000, torch.Generator().manual_seed(0))
        rows.append(monitor.epoch(1, lambda x, g=generator, z=latent: g(x, z.expand(len(x), -1, -1))))
    assert rows[1] == pytest.approx(rows[0], rel=1e-3)
    windows = NoiseWindows().fixed(32, 0)
    WindowMonitor(tmp_path, windows, windows, (4, 4), 16000).epoch(1, windows.to(device))


def test_inference(device, tmp_path):
    noisy = 0.1 * torch.randn(2, 9000)
    soundfile.write(tmp_path / "noisy.wav", noisy[0].numpy(), 16000)
    model = small_model()
    lengths = torch.tensor([1.0, 0.8])
    expected = model.enhance_batch(noisy, lengths, num_samples=2)
    model.enhance_file(
        tmp_path / "noisy.wav", tmp_path / "expected.wav", chunk_seconds=0.3, context_seconds=0.1
    )
    model = type(model)(
        {"generator": model.mods.generator}, {"sample_rate": 16000}, run_opts={"device": str(device)}
    )
    found = model.enhance_batch(noisy, lengths, num_samples=2)
    assert found.device.type == device.type
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-5)
    model.enhance_file(tmp_path / "noisy.wav", tmp_path / "found.wav", chunk_seconds=0.3, context_seconds=0.1)
    ours, theirs = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("found", "expected"))
    assert np.abs(ours - theirs).max() <= 2 / 32768


@pytest.mark.parametrize("source", ["windows-best", "windows-transpose"])
def test_shipped_generators(source, device, tmp_path):
    ours, theirs = (
        SpeechWindowGenerator.from_hparams(source, run_opts={"device": str(place)}).generate(4, seed=0)
        for place in (device, "cpu")
    )
    assert ours.device.type == device.type
    torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-3, atol=1e-4)
