"""Fused layers where a GPU rounds matrix products to TF32, which is simulated here on the CPU."""

import contextlib

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sb_resizegan.nnet import precision
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES, Downsample1d
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES, Upsample1d

PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.bmm.default, torch.ops.aten.addmm.default)


def to_tf32(x):
    """Rounds float32 to ten bits of fraction, to the nearest, ties to even."""
    if not isinstance(x, torch.Tensor) or x.dtype != torch.float32:
        return x
    bits = x.contiguous().view(torch.int32)
    odd = (bits >> 13) & 1
    return ((bits + 0xFFF + odd) & ~0x1FFF).view(torch.float32)


class Tf32(TorchDispatchMode):
    """Every float32 matrix product reads rounded factors while TF32 is allowed, as tensor cores do."""

    def __init__(self):
        super().__init__()
        self.rounded = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in PRODUCTS and torch.backends.cuda.matmul.allow_tf32 and args[-1].dtype == torch.float32:
            self.rounded += 1
            args = tuple(to_tf32(x) for x in args)
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def tf32_allowed(allowed):
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@pytest.fixture(params=(False, True), ids=("exact", "tf32"))
def device_with_tf32(request, monkeypatch):
    """The CPU is taken for a device that has TF32, which is allowed or not."""
    monkeypatch.setattr(precision, "has_tf32", lambda device: True)
    with tf32_allowed(request.param), Tf32() as mode:
        yield mode


def pair(layer, *arguments, **options):
    fused, steps = (layer(*arguments, **options, fused=fused) for fused in (True, False))
    steps.load_state_dict(fused.state_dict())
    return fused, steps


def results(layer, x):
    """Output, and the gradients of input, weight and bias."""
    x = x.clone().requires_grad_()
    y = layer(x)
    return y, *torch.autograd.grad(y.tanh().sum(), (x, layer.weight, layer.bias))


def test_the_simulation_rounds():
    torch.testing.assert_close(
        to_tf32(torch.tensor([1 + 2**-10, 1 + 2**-12])), torch.tensor([1 + 2**-10, 1.0])
    )
    a, b = torch.randn(20, 50), torch.randn(50, 20)
    with tf32_allowed(True), Tf32() as mode:
        error = (a @ b - (a.double() @ b.double())).abs().max()
    assert mode.rounded == 1
    assert error > 1e-4


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
@pytest.mark.parametrize(("kernel_size", "factor"), ((25, 4), (22, 2), (7, 3)))
def test_upsampling_keeps_its_precision(mode, kernel_size, factor, device_with_tf32):
    fused, steps = pair(Upsample1d, 8, 4, kernel_size, factor, mode)
    x = torch.randn(3, 8, 12)
    for a, b in zip(results(fused, x), results(steps, x), strict=True):
        assert (a - b).abs().max() < 1e-5 * max(1, b.abs().max())
    assert device_with_tf32.rounded == 0


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_downsampling_keeps_its_precision(mode, device_with_tf32):
    fused, steps = pair(Downsample1d, 8, 4, 25, 4, mode)
    x = torch.randn(3, 8, 48)
    for a, b in zip(results(fused, x), results(steps, x), strict=True):
        assert (a - b).abs().max() < 1e-5 * max(1, b.abs().max())
    assert device_with_tf32.rounded == 0


def test_gpus_have_tf32():
    assert precision.has_tf32(torch.device("cuda", 0))
