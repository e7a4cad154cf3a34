"""The Brain of enhancers takes batches as SpeechBrain collates them."""

import pytest
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.nnet.schedulers import LinearScheduler
from speechbrain.utils.epoch_loop import EpochCounter
from torch.utils.data import DataLoader

from sb_resizegan.brains import EnhancementBrain
from sb_resizegan.dataio.noisy_batch import NoisyBatch, as_noisy_batch
from sb_resizegan.losses import EnhancementObjective, WassersteinGP
from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.models.spectral_generator import SpectralGenerator


def examples(number):
    """Two utterances of unlike lengths, as SpeechBrain's data pipeline hands them out."""
    random = torch.Generator().manual_seed(number)
    for time in (6000, 8000):
        clean = 0.1 * torch.randn(time, generator=random)
        noisy = clean + 0.05 * torch.randn(time, generator=random)
        yield {"id": str(time), "noisy_sig": noisy, "clean_sig": clean}


def padded(number):
    return PaddedBatch(list(examples(number)))


def noisy_batch(number):
    batch = padded(number)
    return NoisyBatch(batch.noisy_sig.data, batch.clean_sig.data, batch.noisy_sig.lengths)


def trained(make):
    torch.manual_seed(0)
    modules = {
        "generator": SpectralGenerator(8, 8, 8, blocks=1),
        "critic": ConditionalCritic(channels=(2, 4, 4, 4)),
    }
    optimizer = lambda parameters: torch.optim.Adam(parameters, 1e-3)  # noqa: E731
    hparams = {
        "seed": 3,
        "loss": WassersteinGP(),
        "objective": EnhancementObjective(pesq=0.0),
        "adversarial_weight": 0.1,
        "critic_steps": 1,
        "critic_optimizer": optimizer,
        "generator_optimizer": optimizer,
        "learning_rate_schedule": LinearScheduler(1e-3, 1e-3, 1),
        "average_decay": 0.9,
    }
    brain = EnhancementBrain(modules, hparams, 2, run_opts={"device": "cpu", "noprogressbar": True})
    train, valid = (
        DataLoader([make(number) for number in numbers], batch_size=None, collate_fn=lambda batch: batch)
        for numbers in ((0, 1), (9,))
    )
    brain.fit(EpochCounter(1), train, valid)
    return torch.cat([p.detach().flatten() for p in brain.modules.generator.parameters()]), brain.train_stats


def test_a_padded_batch_trains_as_a_noisy_batch_does():
    ours, our_figures = trained(noisy_batch)
    theirs, their_figures = trained(padded)
    assert torch.equal(ours, theirs) and our_figures == their_figures


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        ({"noisy": torch.zeros(2, 8)}, TypeError, "a PaddedBatch with noisy_sig and clean_sig, but got dict"),
        (PaddedBatch([{"noisy_sig": torch.zeros(8)}]), TypeError, "noisy_sig and clean_sig"),
        (
            PaddedBatch([{"noisy_sig": torch.zeros(8), "clean_sig": torch.zeros(9)}]),
            ValueError,
            r"of equal lengths, but got \(1, 8\) and \(1, 9\)",
        ),
        (
            PaddedBatch([{"noisy_sig": torch.zeros(8, 2), "clean_sig": torch.zeros(8, 2)}]),
            ValueError,
            r"one shape \(batch, time\)",
        ),
    ],
)
def test_another_batch_is_named(batch, error, words):
    with pytest.raises(error, match=words):
        as_noisy_batch(batch)
