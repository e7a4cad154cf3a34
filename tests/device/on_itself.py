"""The device itself: it holds what a CPU holds, refuses what a GPU refuses, and counts copies and waits.

Without these tests, a device that checks nothing would pass all others.
"""

import copy

import pytest
import torch
from torch.nn import functional as F

from sb_resizegan.losses import WassersteinGP
from sb_resizegan.metrics.pesq import perceptual, pesq
from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.nnet import Upsample1d
from tests.device.virtual import recorded


@pytest.fixture
def x(device):
    return torch.arange(6.0).view(2, 3).to(device)


MIXED = {
    "sum": lambda x, y: x + y,
    "matrix product": lambda x, y: x @ y.t(),
    "concatenation": lambda x, y: torch.cat([x, y]),
    "in place": lambda x, y: x.add_(y),
    "choice": lambda x, y: torch.where(y > 1, x, y),
    "convolution": lambda x, y: F.conv1d(x[None], y[None]),
    "gather": lambda x, y: x.gather(0, torch.zeros(1, 3, dtype=torch.long)),
    "index_select": lambda x, y: x.index_select(0, torch.zeros(1, dtype=torch.long)),
    "mask": lambda x, y: x.masked_fill(y > 1, 0),
    "generator": lambda x, y: torch.randn(3, device=x.device, generator=torch.Generator()),
    "numpy": lambda x, y: x.numpy(),
}


@pytest.mark.parametrize("name", MIXED)
def test_it_refuses_what_a_gpu_refuses(name, x):
    with pytest.raises((RuntimeError, TypeError)):
        MIXED[name](x, torch.ones(2, 3))


def test_it_takes_what_a_gpu_takes(x):
    number = torch.tensor(2.0)
    assert (x * number)[1].tolist() == [6.0, 8.0, 10.0]
    assert x[torch.tensor([1])].tolist() == [[3.0, 4.0, 5.0]]
    x[0] = 7.0
    assert x.masked_fill(x > 6, number).tolist() == [[2.0, 2.0, 2.0], [3.0, 4.0, 5.0]]


READS = {
    "item": lambda x: x.sum().item(),
    "truth": lambda x: bool((x > 0).any()),
    "float": lambda x: float(x[0, 0]),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to("cpu", torch.float64),
    "copy_": lambda x: torch.zeros(2, 3).copy_(x),
    "tolist": lambda x: x.tolist(),
    "mask as index": lambda x: x[x > 1],
    "assignment by mask": lambda x: x.__setitem__(x > 1, 0.0),
    "nonzero": lambda x: x.nonzero(),
    "unique": lambda x: x.unique(),
    "equal": lambda x: torch.equal(x, x),
    "istft": lambda x: torch.istft(
        torch.ones(5, 9, dtype=torch.complex64, device=x.device), 8, 2, window=torch.ones(8, device=x.device)
    ),
}


@pytest.mark.parametrize("name", READS)
def test_it_counts_what_the_host_waits_for(name, x):
    with recorded() as traffic:
        READS[name](x)
    assert len(traffic.to_host) == 1 and not traffic.to_device, str(traffic)


def test_it_counts_what_the_host_sends(x):
    with recorded() as traffic:
        torch.ones(3).to(x.device)
        torch.tensor([1.0, 2.0], device=x.device)
        x[torch.tensor([1])]
        torch.ones(3).to(x.device, non_blocking=True)  # of no use without pinned memory
    assert [copy.blocking for copy in traffic.to_device] == [True] * 4 and not traffic.to_host
    with recorded() as traffic:
        torch.ones(3).pin_memory().to(x.device, non_blocking=True)
    assert [copy.blocking for copy in traffic.to_device] == [False]


def test_what_stays_on_the_device_is_not_counted(x):
    with recorded() as traffic:
        y = torch.zeros(2, 3, device=x.device, requires_grad=True)
        (F.pad(x, (1, 1)).sum() * y.exp()).sum().backward()
        torch.optim.Adam([y]).step()
        x.to(torch.float64).to(x.device)
    assert not traffic.to_host and not traffic.to_device, str(traffic)


def test_its_random_numbers_are_its_own(device):
    torch.manual_seed(0)
    ours = torch.randn(4, device=device).cpu()
    torch.manual_seed(0)
    assert not torch.equal(ours, torch.randn(4))
    torch.manual_seed(0)
    assert torch.equal(ours, torch.randn(4, device=device).cpu())


def test_views_copies_and_files(x, tmp_path):
    x[0].mul_(2)
    x.transpose_(0, 1)
    assert x.shape == (3, 2) and x.tolist() == [[0.0, 3.0], [2.0, 4.0], [4.0, 5.0]]
    again = copy.deepcopy(x)
    again.zero_()
    torch.save({"x": x}, tmp_path / "x.pt")
    torch.testing.assert_close(torch.load(tmp_path / "x.pt", weights_only=True)["x"], x.cpu())


# Mistakes as one makes them, planted into code that the other files run.


def plant_cpu_shifts(monkeypatch, device):
    """A critic whose shifts stay where they were drawn."""
    from sb_resizegan.nnet import phase_shuffle

    monkeypatch.setattr(phase_shuffle.PhaseShuffle, "_checked", lambda self, shift, x: shift)
    critic = WindowCritic(channels=(2, 4, 4, 8)).to(device)
    critic(torch.randn(2, 2048, device=device), torch.zeros(2, 3, dtype=torch.long))


def plant_cpu_buffer(monkeypatch, device):
    """A layer with a table that is no buffer."""
    layer = Upsample1d(2, 3, 5, 2, "nearest")
    table = layer.table.clone()
    del layer._buffers["table"]
    layer.table = table
    layer.to(device)(torch.randn(1, 2, 9, device=device))


def plant_cpu_latent(monkeypatch, device):
    """A generator that leaves its latent on the CPU."""
    monkeypatch.setattr(WindowGenerator, "sample_latent", lambda self, n, g=None: torch.rand(n, 8))
    generator = WindowGenerator(channels=(8, 4, 4, 2), latent_dim=8).to(device)
    generator(generator.sample_latent(2))


def plant_cpu_epsilon(monkeypatch, device):
    """A penalty whose points are drawn on the CPU, and not moved."""
    loss = WassersteinGP()
    real = torch.randn(2, 9, device=device)
    score = lambda x: x.sum(1)  # noqa: E731
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *args, **kwargs: self)
    loss.critic_loss(score, real, real + 1, torch.rand(2))


def plant_cpu_range(monkeypatch, device):
    """A range that the perceptual model of PESQ makes without a device."""
    arange = torch.arange
    monkeypatch.setattr(perceptual.torch, "arange", lambda *args, device=None, **kw: arange(*args, **kw))
    pesq(torch.randn(1, 16000, device=device), torch.randn(1, 16000, device=device))


PLANTED = [plant_cpu_shifts, plant_cpu_buffer, plant_cpu_latent, plant_cpu_epsilon, plant_cpu_range]


@pytest.mark.parametrize("mistake", PLANTED, ids=lambda mistake: mistake.__name__)
def test_planted_mistakes_are_found(mistake, monkeypatch, device):
    with pytest.raises(RuntimeError, match="expected all tensors on one device"):
        mistake(monkeypatch, device)
