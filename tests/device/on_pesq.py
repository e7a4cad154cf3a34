"""PESQ on the device: alignment, splitting, bad intervals, its loss and statistics, waits."""

import numpy as np
import pytest
import torch

from sb_resizegan.metrics.pesq import PesqStats, pesq, pesq_details, pesq_loss
from tests.device.virtual import recorded


@pytest.fixture(scope="module")
def pairs():
    """Bursts of coloured noise with pauses, and copies with jumps of the delay, gaps and inserted sound."""
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(16000 * 8) / 16000
    gate = (time % 2.6 < 2.2).float()
    noise = torch.randn(3, len(time), generator=generator)
    reference = gate * (noise + noise.roll(1, 1) + noise.roll(2, 1))
    degraded = reference + 0.1 * torch.randn(reference.shape, generator=generator)
    for place, jump in ((50000, 1300), (90000, 2100)):
        degraded[:2, place:] = degraded[:2, place:].roll(jump, 1)
    degraded[1, 20000:24000] += 3 * torch.randn(4000, generator=generator)
    degraded[2, 60000:61500] = 0
    return reference, degraded


def test_every_stage_as_on_the_cpu(pairs, device):
    lengths = torch.tensor([1.0, 0.9, 0.8])
    expected = pesq_details(*pairs, lengths=lengths)
    found = pesq_details(*(signal.to(device) for signal in pairs), lengths=lengths.to(device))
    # The data reaches the branches.
    before, after = expected.alignment.before_splitting, expected.alignment.utterances
    assert any(len(b) < len(a) for b, a in zip(before, after, strict=True))
    assert len(expected.bad_intervals.item)
    assert found.alignment.utterances == after
    np.testing.assert_array_equal(found.status, expected.status)
    for name in ("mos_lqo", "raw", "symmetric", "asymmetric", "total_symmetric"):
        ours = getattr(found, name)
        assert ours.device.type == device.type
        torch.testing.assert_close(ours.cpu(), getattr(expected, name), rtol=1e-3, atol=1e-3)


def test_refused_pairs(device):
    signals = torch.randn(3, 8000)
    signals[1] = 0
    lengths = torch.tensor([1.0, 1.0, 0.1])
    scores = pesq(signals.to(device), signals.to(device), lengths=lengths.to(device))
    assert scores.isnan().cpu().tolist() == [False, True, True]


@pytest.mark.parametrize("align", [False, True])
def test_loss_and_its_gradient(align, pairs, device):
    def gradient(reference, degraded):
        degraded = degraded.clone().requires_grad_()
        loss = pesq_loss(reference, degraded, align=align)
        loss.backward()
        return loss.detach().cpu(), degraded.grad.cpu()

    loss, slope = gradient(*pairs)
    own_loss, own_slope = gradient(*(signal.to(device) for signal in pairs))
    torch.testing.assert_close(own_loss, loss, rtol=1e-3, atol=1e-3)
    assert (own_slope - slope).norm() < 1e-2 * slope.norm()


def test_statistics(pairs, device):
    summaries = []
    for place in ("cpu", device):
        stats = PesqStats()
        reference, degraded = (signal.to(place) for signal in pairs)
        stats.append(["a", "b", "c"], predict=degraded, target=reference)
        summaries.append(stats.summarize())
    ours, theirs = (summary["average"] for summary in summaries)
    assert abs(ours - theirs) < 1e-3 and summaries[0]["min_id"] == summaries[1]["min_id"]


def test_waits_do_not_grow_with_the_batch(pairs, device):
    waits = []
    for rows in (1, 3):
        reference, degraded = (signal[:1].repeat(rows, 1).to(device) for signal in pairs)
        with recorded() as traffic:
            pesq(reference, degraded)
        waits.append(len(traffic.to_host))
    assert waits[0] == waits[1], str(traffic)
