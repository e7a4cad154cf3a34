"""Training of vocoders: what is compared with what, that it learns, and that it resumes bit for bit."""

import math

import pytest
import torch
from speechbrain.nnet.schedulers import LinearScheduler
from speechbrain.utils.epoch_loop import EpochCounter

from sb_resizegan.brains.vocoder_brain import VocoderBrain
from sb_resizegan.losses import Hinge, RelativisticR1R2, VocoderObjective
from sb_resizegan.models.random_window_critic import RandomWindowCritic
from sb_resizegan.models.spectral_critic import SpectralCritic
from sb_resizegan.models.vocoder_critic import VocoderCritic
from sb_resizegan.models.vocoder_generator import VocoderGenerator
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.training.checkpoints import AtomicCheckpointer
from sb_resizegan.training.loader import WindowStream

FRAMES = 10
TIME = 768 + 256 * FRAMES


class Tones:
    """Numbered batches of harmonic tones in noise."""

    def batch(self, n, batch_size, seed, rank=0, world_size=1):
        random = torch.Generator().manual_seed(1000 * seed + n)
        hertz = 100 + 200 * torch.rand(batch_size, 1, 1, generator=random)
        phase = 2 * math.pi * torch.rand(batch_size, 1, 1, generator=random)
        harmonics = torch.arange(1, 8)[None, :, None]
        time = torch.arange(TIME) / 16000
        waves = (torch.sin(harmonics * (2 * math.pi * hertz * time + phase)) / harmonics).sum(1)
        return 0.1 * waves + 0.01 * torch.randn(batch_size, TIME, generator=random)


def make(folder=None, epochs=2, steps=2, critic_steps=1, loss=None, features=1.0, energy=0.0, latent=3):
    torch.manual_seed(0)
    generator = VocoderGenerator(channels=(8, 8), factors=(4,), dilations=(1,), latent_dim=latent)
    spectral = SpectralCritic(256 * FRAMES, scales=(256,), channels=(8,), factors=(1,))
    critic = VocoderCritic(RandomWindowCritic(frames=(1, 4), width=2), spectral)
    counter = EpochCounter(epochs)
    batches = steps * (critic_steps + 1)
    stream = WindowStream(Tones(), 4, batches, seed=3)
    checkpointer = None
    if folder is not None:
        recoverables = {"generator": generator, "critic": critic, "counter": counter, "stream": stream}
        checkpointer = AtomicCheckpointer(folder, recoverables)
    hparams = {
        "seed": 3,
        "loss": loss or Hinge(),
        "critic_steps": critic_steps,
        "critic_optimizer": lambda parameters: torch.optim.Adam(parameters, 2e-3),
        "generator_optimizer": lambda parameters: torch.optim.Adam(parameters, 2e-3),
        "learning_rate_schedule": LinearScheduler(2e-3, 1e-3, 2),
        "average_decay": 0.5,
        "max_grad_norm": -1,
        "objective": VocoderObjective(MelAnalysis(), scales=(512,), energy=energy),
        "adversarial_weight": 1.0,
        "feature_weight": features,
    }
    brain = VocoderBrain(
        {"generator": generator, "critic": critic},
        hparams,
        batches,
        run_opts={"device": "cpu", "noprogressbar": True},
        checkpointer=checkpointer,
    )
    return brain, counter, stream


def fit(brain, counter, stream):
    valid = torch.utils.data.DataLoader(Tones().batch(0, 4, seed=9), batch_size=4)
    brain.fit(counter, stream, valid)
    modules = (brain.modules.generator, brain.modules.critic, brain.generator_average)
    return {f"{i} {k}": v.clone() for i, module in enumerate(modules) for k, v in module.state_dict().items()}


def test_frames_and_samples_belong_together():
    brain, *_ = make()
    windows = Tones().batch(0, 2, seed=1)
    mel, waveforms = brain.condition(windows)
    assert mel.shape == (2, 80, FRAMES) and waveforms.shape == (2, 256 * FRAMES)
    # Centred frames of the waveform are the same but at its ends, where that is mirrored.
    own = MelAnalysis()(waveforms)[:, :, :FRAMES]
    torch.testing.assert_close(own[:, :, 2:-2], mel[:, :, 2:-2], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": RelativisticR1R2(gamma=0.1), "energy": 1.0},
        {"critic_steps": 0},
        {"features": 0.0, "latent": 0},
    ],
)
def test_both_networks_learn_from_every_choice(options):
    brain, counter, stream = make(epochs=1, **options)
    before = {k: v.clone() for k, v in brain.modules.state_dict().items()}
    fit(brain, counter, stream)
    changed = {
        k.split(".")[0] for k, v in brain.modules.state_dict().items() if not torch.equal(v, before[k])
    }
    assert changed == ({"generator"} if options.get("critic_steps") == 0 else {"generator", "critic"})
    assert {"mel", "stft"} <= set(brain.valid_figures[0])
    assert all(math.isfinite(value) for value in brain.train_stats.values())


def test_the_mel_distance_falls():
    brain, counter, stream = make(epochs=1, steps=1)
    fit(brain, counter, stream)
    early = float(brain.valid_figures[0]["mel"])
    brain, counter, stream = make(epochs=1, steps=40)
    fit(brain, counter, stream)
    assert float(brain.valid_figures[0]["mel"]) < 0.8 * early


def test_a_resumed_training_is_the_same_bit_for_bit(tmp_path):
    whole = fit(*make(tmp_path / "whole"))
    brain, counter, stream = make(tmp_path / "parts")
    counter.limit = 1
    fit(brain, counter, stream)
    resumed = fit(*make(tmp_path / "parts"))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("objective", None, "expected objective, but it is missing"),
        ("feature_weight", -1.0, "feature_weight: expected at least 0, but got -1.0"),
    ],
)
def test_what_is_missing_or_wrong_is_named(key, value, message):
    hparams = {"objective": 1, "adversarial_weight": 1.0, "feature_weight": 1.0}
    hparams = {k: v for k, v in {**hparams, key: value}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        VocoderBrain({}, hparams, 1)
