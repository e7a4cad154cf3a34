"""The downsampling layer against independent references, and what its low-pass does to tones."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sb_resizegan.nnet.activations import LeakyReLU
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES, Downsample1d, lowpass_kernel


def strided_by_loops(x, kernel, factor):
    """TensorFlow's strided conv1d with 'same' padding, for a time that the factor divides."""
    taps = kernel.shape[2]
    left = max(taps - factor, 0) // 2
    y = np.zeros((x.shape[0], kernel.shape[0], x.shape[2] // factor))
    for m in range(y.shape[2]):
        for q in range(taps):
            if 0 <= factor * m + q - left < x.shape[2]:
                y[:, :, m] += x[:, :, factor * m + q - left] @ kernel[:, :, q].T
    return y


@pytest.mark.parametrize("fused", (True, False))
@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
@pytest.mark.parametrize(("kernel_size", "factor"), ((25, 4), (22, 2), (3, 4), (8, 3)))
def test_agrees_with_loops(mode, kernel_size, factor, fused):
    layer = Downsample1d(3, 2, kernel_size, factor, mode, fused=fused)
    x = torch.randn(2, 3, 12 * factor)
    kernel = layer.weight.detach().double().numpy()
    if mode == "blur":
        lowpass = lowpass_kernel(factor).numpy()
        kernel = np.stack([[np.convolve(taps, lowpass) for taps in row] for row in kernel])
    expected = strided_by_loops(x.double().numpy(), kernel, factor) + layer.bias.detach().numpy()[:, None]
    assert np.abs(layer(x).detach().numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_fused_equals_two_steps_for_all_sizes(mode):
    for kernel_size, factor, time, span in itertools.product(
        (1, 2, 3, 22, 25), (1, 2, 3, 4), (1, 2, 5, 33), (1, 2, 3)
    ):
        fused = Downsample1d(2, 3, kernel_size, factor, mode, span=span)
        steps = Downsample1d(2, 3, kernel_size, factor, mode, span=span, fused=False)
        steps.load_state_dict(fused.state_dict())
        x = torch.randn(2, 2, time)
        y = fused(x)
        assert y.shape == (2, 3, -(-time // factor)), (kernel_size, factor, time, span)
        assert (y - steps(x)).abs().max() < 1e-5, (kernel_size, factor, time, span)


def penalty_gradients(layers, x):
    """Gradients of a small critic's mean and gradient penalty, as WGAN-GP takes them."""
    x = x.clone().requires_grad_()
    score = layers(x).mean(2).sum(1)
    gradient = torch.autograd.grad(score.sum(), x, create_graph=True)[0]
    loss = score.mean() + 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return torch.autograd.grad(loss, [x, *layers.parameters()], allow_unused=True)


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_gradient_penalty_is_that_of_the_plain_operations(mode):
    sizes = ((1, 8), (8, 4), (4, 2))
    fused = torch.nn.Sequential()
    steps = torch.nn.Sequential()
    for a, b in sizes:
        fused.extend([Downsample1d(a, b, 25, 4, mode), LeakyReLU(0.2)])
        steps.extend([Downsample1d(a, b, 25, 4, mode, fused=False), torch.nn.LeakyReLU(0.2)])
    steps.load_state_dict(fused.state_dict())
    x = torch.randn(3, 1, 256)
    for a, b in zip(penalty_gradients(fused, x), penalty_gradients(steps, x), strict=True):
        assert (a - b).norm() < 1e-5 * b.norm()


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_derivatives_agree_with_finite_differences(mode):
    layer = Downsample1d(2, 1, 4, 2, mode).double()
    x = torch.randn(1, 2, 6, dtype=torch.double, requires_grad=True)

    def function(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)

    arguments = x, layer.weight, layer.bias
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments)


def test_leaky_relu_agrees_with_torch():
    x = torch.randn(50, dtype=torch.double, requires_grad=True)
    assert torch.equal(LeakyReLU(0.3)(x), F.leaky_relu(x, 0.3))
    assert torch.autograd.gradcheck(LeakyReLU(0.3), x)
    assert torch.autograd.gradgradcheck(LeakyReLU(0.3), x)


def test_leaky_relu_passes_no_second_derivative():
    x = torch.randn(5, requires_grad=True)
    direction = torch.randn(5, requires_grad=True)
    gradient = torch.autograd.grad(LeakyReLU(0.2)(x * 1), x, direction, create_graph=True)[0]
    assert torch.autograd.grad(gradient.sum(), x, allow_unused=True) == (None,)


@pytest.mark.parametrize("factor", (2, 3, 4))
def test_lowpass_passes_zero_frequency_and_stops_what_would_alias_there(factor):
    kernel = lowpass_kernel(factor)
    assert torch.allclose(kernel, kernel.flip(0))
    gain = torch.fft.rfft(kernel, n=1200 * factor).abs()
    assert abs(gain[0] - 1) < 1e-9
    # multiples of the output's sampling rate, and a tenth of it around them
    for multiple in range(1, factor // 2 + 1):
        around = gain[1200 * multiple - 120 : 1200 * multiple + 121]
        assert gain[1200 * multiple] < 1e-9
        assert 20 * torch.log10(around.max()) < -30


def test_blur_keeps_the_gradient_free_of_stride_tones():
    """A constant gradient at the output arrives at the input with the same value in every phase."""
    for mode, smooth in (("strided", False), ("blur", True)):
        x = torch.zeros(1, 1, 400, requires_grad=True)
        Downsample1d(1, 4, 25, 4, mode)(x).sum().backward()
        middle = x.grad[0, 0, 100:300]
        assert bool(middle.std() < 1e-5 * middle.abs().mean()) == smooth


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_gradient_penalty_in_bfloat16_is_that_of_single_precision(mode):
    torch.manual_seed(0)
    layer = Downsample1d(8, 16, 25, 4, mode)
    x = torch.randn(8, 8, 128)
    gradients = []
    for enabled in (False, True):
        layer.zero_grad()
        point = x.clone().requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            score = layer(point).float().pow(2).sum()
            (slope,) = torch.autograd.grad(score, point, create_graph=True)
        slope.pow(2).sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert (gradients[0] - gradients[1]).norm() < 0.03 * gradients[0].norm()


@pytest.mark.parametrize("mode", DOWNSAMPLING_MODES)
def test_autocast_computes_in_half_precision(mode):
    layer = Downsample1d(4, 8, 25, 4, mode)
    x = torch.randn(2, 4, 64)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert (y - layer(x)).norm() < 0.02 * layer(x).norm()


def test_state_holds_parameters_alone():
    for mode in DOWNSAMPLING_MODES:
        assert set(Downsample1d(2, 2, 5, 2, mode).state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    (
        ({"mode": "pool"}, ValueError, "strided, blur.*'pool'"),
        ({"factor": 0}, ValueError, "factor"),
        ({"kernel_size": 0}, ValueError, "kernel_size"),
        ({"kernel_size": 2.5}, TypeError, "kernel_size"),
        ({"mode": "blur", "attenuation": -3}, ValueError, "attenuation"),
        ({"mode": "blur", "span": 0}, ValueError, "span"),
    ),
)
def test_wrong_arguments_are_named(arguments, error, message):
    right = {"in_channels": 2, "out_channels": 2, "kernel_size": 25, "factor": 4, "mode": "strided"}
    with pytest.raises(error, match=message):
        Downsample1d(**{**right, **arguments})


@pytest.mark.parametrize("shape", ((2, 5, 8), (2, 8), (2, 3, 0)))
def test_wrong_inputs_are_named(shape):
    with pytest.raises(ValueError, match="but got"):
        Downsample1d(3, 2, 5, 2, "strided")(torch.zeros(shape))
