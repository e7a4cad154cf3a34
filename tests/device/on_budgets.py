"""How often a training makes the host wait for the device: the budgets of a cycle of steps."""

import pytest
import torch

from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.training.loader import WindowStream
from tests.device.on_trainings import EnhancementRun, NoiseWindows, NoisyNoise, SmallRun, on
from tests.device.virtual import Traffic, recorded

CRITIC_STEPS = 3
CYCLE = CRITIC_STEPS + 1


def traffic_of_a_cycle(run):
    """What the second cycle of steps copies."""
    fit_batch, found = run.brain.fit_batch, []

    def observed(batch):
        with recorded() as traffic:
            loss = fit_batch(batch)
            run.brain.update_average(loss, 0.0)
        found.append(traffic)
        return loss

    run.brain.fit_batch = observed
    run.brain.fit(run.epochs, run.stream, None)
    cycle = found[CYCLE : 2 * CYCLE]
    return Traffic(
        [copy for traffic in cycle for copy in traffic.to_host],
        [copy for traffic in cycle for copy in traffic.to_device],
    )


def check(traffic, to_host, to_device):
    assert len(traffic.to_host) <= to_host and len(traffic.to_device) <= to_device, str(traffic)
    assert not any(copy.blocking for copy in traffic.to_device), str(traffic)


def test_windows(device):
    run = SmallRun(NoiseWindows(), options=on(device), critic_steps=CRITIC_STEPS)
    run.stream = WindowStream(NoiseWindows(), 8, 3 * CYCLE, seed=3, pin_memory=True)
    check(traffic_of_a_cycle(run), to_host=2, to_device=4)


def test_enhancement_with_pesq(device):
    run = EnhancementRun(options=on(device), critic_steps=CRITIC_STEPS)
    run.stream = WindowStream(NoisyNoise(), 2, 3 * CYCLE, seed=3, pin_memory=True)
    check(traffic_of_a_cycle(run), to_host=3, to_device=6)


def test_figures_are_read_every_so_many_steps(device):
    run = SmallRun(NoiseWindows(), options=on(device))
    run.brain.hparams.log_every = 2
    reads = []
    fit_batch = run.brain.fit_batch

    def observed(batch):
        with recorded() as traffic:
            loss = fit_batch(batch)
        reads.append(len(traffic.to_host))
        return loss

    run.brain.fit_batch = observed
    run.fit()
    # Two epochs of three cycles; the last one's figures are read after it.
    assert reads == [0, 0, 0, 0, 0, 1, 0, 0, 0] * 2


class Poisoned(NoiseWindows):
    """NaN in the second and the sixth batch: a critic's and a generator's."""

    def batch(self, n, *arguments, **options):
        windows = super().batch(n, *arguments, **options)
        return windows * float("nan") if n in (1, 4) else windows


@pytest.mark.parametrize("patience", [1, 2])
def test_what_is_not_finite_is_taken_back(patience, device):
    options = {"nonfinite_patience": patience}
    run = SmallRun(Poisoned(), options={**options, **on(device)})
    if patience < 2:
        with pytest.raises(ValueError, match="patience is exhausted"):
            run.fit()
        return
    run.fit()
    assert run.weights().cpu().isfinite().all()
    expected = SmallRun(Poisoned(), options={**options, "device": "cpu"}).fit().weights()
    # But for the number of steps that Adam counts.
    torch.testing.assert_close(run.weights().cpu(), expected, rtol=0.05, atol=2e-3)


def test_a_joined_batch_is_one_copy(device):
    batch = NoisyNoise().batch(0, 3, 1)
    with recorded() as traffic:
        moved = batch.joined().to(device)
    assert len(traffic.to_device) == 1 and isinstance(moved, NoisyBatch)
    for ours, theirs in zip(moved, batch, strict=True):
        assert torch.equal(ours.cpu(), theirs)
