"""The upsampling layer against independent references, and what it does to constants, ramps and tones."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sb_resizegan.nnet.interpolation import interpolation_phases
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES, Upsample1d, interpolate

RESIZE = ("nearest", "linear", "sinc")


def conv_same(u, weight, bias):
    """TensorFlow's conv1d with 'same' padding and stride one, in loops."""
    out_channels, _, taps = weight.shape
    left = (taps - 1) // 2
    y = np.zeros((u.shape[0], out_channels, u.shape[2]))
    for n in range(u.shape[2]):
        for j in range(taps):
            if 0 <= n + j - left < u.shape[2]:
                y[:, :, n] += u[:, :, n + j - left] @ weight[:, :, j].T
    return y + bias[None, :, None]


def at(x, m):
    """Sample m of x, the first or last one beyond the edges."""
    return x[:, :, min(max(m, 0), x.shape[2] - 1)]


def interpolate_by_loops(x, mode, factor, attenuation, span):
    """Interpolation from the definitions: one weighted sum for each output sample."""
    u = np.zeros((*x.shape[:2], x.shape[2] * factor))
    for n in range(u.shape[2]):
        position = (n + 0.5) / factor - 0.5
        if mode == "nearest":
            u[:, :, n] = x[:, :, n // factor]
        elif mode == "linear":
            m = int(np.floor(position))
            u[:, :, n] = (1 - position + m) * at(x, m) + (position - m) * at(x, m + 1)
        else:
            m = np.arange(int(np.floor(position)) - span, int(np.floor(position)) + span + 2)
            distance = position - m
            beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
            inside = np.abs(distance) < span / 2 - 1e-9
            window = np.where(
                inside, np.i0(beta * np.sqrt(np.maximum(1 - (2 * distance / span) ** 2, 0))) / np.i0(beta), 0
            )
            weights = np.sinc(distance) * window
            # least change, in the window's measure, that keeps constants and ramps
            basis = np.stack([np.ones_like(distance), distance])
            multipliers = np.linalg.solve((basis * window) @ basis.T, np.array([1.0, 0.0]) - basis @ weights)
            weights = weights + window * (multipliers @ basis)
            for k, weight in zip(m, weights, strict=True):
                u[:, :, n] += weight * at(x, int(k))
    return u


@pytest.mark.parametrize("fused", (True, False))
@pytest.mark.parametrize("mode", RESIZE)
@pytest.mark.parametrize(("kernel_size", "factor"), ((22, 2), (25, 4), (22, 3), (3, 4)))
def test_resize_modes_agree_with_loops(mode, kernel_size, factor, fused):
    layer = Upsample1d(3, 2, kernel_size, factor, mode, fused=fused, attenuation=45.0, span=5)
    x = torch.randn(2, 3, 11)
    u = interpolate_by_loops(x.double().numpy(), mode, factor, 45.0, 5)
    expected = conv_same(u, layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
    assert np.abs(layer(x).detach().numpy() - expected).max() < 1e-5


def test_linear_agrees_with_torch():
    layer = Upsample1d(3, 2, 22, 4, "linear")
    x = torch.randn(2, 3, 16)
    u = F.interpolate(x, scale_factor=4, mode="linear", align_corners=False)
    assert (layer(x) - F.conv1d(F.pad(u, (10, 11)), layer.weight, layer.bias)).abs().max() < 1e-5


@pytest.mark.parametrize(("kernel_size", "factor"), ((25, 4), (24, 4), (22, 2), (5, 5), (7, 3)))
def test_transpose_agrees_with_torch(kernel_size, factor):
    layer = Upsample1d(3, 2, kernel_size, factor, "transpose")
    x = torch.randn(2, 3, 10)
    whole = F.conv_transpose1d(x, layer.weight, layer.bias, stride=factor)
    cut = (kernel_size - factor) // 2
    assert (layer(x) - whole[..., cut : cut + 10 * factor]).abs().max() < 1e-5


def test_subpixel_agrees_with_pixel_shuffle():
    layer = Upsample1d(3, 2, 5, 4, "subpixel")
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 10)
    y = F.conv1d(x, layer.weight, layer.bias, padding=2)
    expected = torch.empty(2, 2, 40)
    for phase in range(4):
        expected[..., phase::4] = y[:, phase::4]
    assert (layer(x) - expected).abs().max() < 1e-5


def test_subpixel_starts_as_nearest():
    y = Upsample1d(4, 3, 7, 5, "subpixel")(torch.randn(2, 4, 9))
    frames = y.unflatten(2, (9, 5))
    assert (frames - frames[..., :1]).abs().max() < 1e-6


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_fused_equals_two_steps_for_all_sizes(mode):
    sizes = itertools.product((1, 2, 3, 4, 7, 22, 25), (1, 2, 3, 4), (1, 2, 5, 9), (3, 4, 7))
    for kernel_size, factor, time, span in sizes:
        if (mode == "transpose" and kernel_size < factor) or (mode != "sinc" and span != 3):
            continue
        fused = Upsample1d(2, 3, kernel_size, factor, mode, span=span)
        steps = Upsample1d(2, 3, kernel_size, factor, mode, span=span, fused=False)
        steps.load_state_dict(fused.state_dict())
        x = torch.randn(2, 2, time)
        y = fused(x)
        assert y.shape == (2, 3, factor * time), (kernel_size, factor, time, span)
        assert (y - steps(x)).abs().max() < 1e-5, (kernel_size, factor, time, span)


def gradients(layer, x, direction):
    """First gradients of input and parameters, and second ones of a penalty on the input's gradient."""
    x = x.clone().requires_grad_()
    y = layer(x).tanh()
    parameters = [x, layer.weight, layer.bias]
    first = torch.autograd.grad((y * direction).sum(), parameters, create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), parameters)
    return *first, *second


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
@pytest.mark.parametrize(("kernel_size", "factor", "channels"), ((25, 4, (8, 16)), (22, 2, (16, 1))))
def test_fused_has_the_gradients_of_two_steps(mode, kernel_size, factor, channels):
    fused = Upsample1d(*channels, kernel_size, factor, mode)
    steps = Upsample1d(*channels, kernel_size, factor, mode, fused=False)
    steps.load_state_dict(fused.state_dict())
    x = torch.randn(3, channels[0], 12)
    direction = torch.randn(3, channels[1], 12 * factor)
    for a, b in zip(gradients(fused, x, direction), gradients(steps, x, direction), strict=True):
        assert (a - b).norm() < 1e-5 * b.norm()


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_derivatives_agree_with_finite_differences(mode):
    layer = Upsample1d(2, 1, 4, 2, mode, span=3).double()
    x = torch.randn(1, 2, 4, dtype=torch.double, requires_grad=True)

    def function(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)

    arguments = x, layer.weight, layer.bias
    assert torch.autograd.gradcheck(function, arguments)
    assert torch.autograd.gradgradcheck(function, arguments)


@pytest.mark.parametrize("mode", RESIZE)
@pytest.mark.parametrize("factor", (2, 3, 4))
def test_interpolation_keeps_constants_and_all_but_nearest_ramps(mode, factor):
    phases = interpolation_phases(mode, factor).float()
    assert (interpolate(torch.ones(1, 2, 20), phases) - 1).abs().max() < 1e-6
    if mode != "nearest":
        ramp = torch.arange(40.0).view(1, 1, -1)
        expected = (torch.arange(40.0 * factor) + 0.5) / factor - 0.5
        middle = slice(5 * factor, -5 * factor)
        assert (interpolate(ramp, phases)[0, 0] - expected)[middle].abs().max() < 1e-4


@pytest.mark.parametrize("factor", (2, 4))
@pytest.mark.parametrize(("attenuation", "span"), ((40.0, 9), (60.0, 13)))
def test_sinc_keeps_a_tone_and_kills_its_images(factor, attenuation, span):
    time = 512
    bins = 77  # of 256: well within the pass-band
    tone = torch.cos(2 * torch.pi * bins * torch.arange(time, dtype=torch.double) / time)
    u = interpolate(tone.view(1, 1, -1), interpolation_phases("sinc", factor, attenuation, span))[0, 0]
    # away from the edges, over whole periods of a window with low side lobes
    window = torch.kaiser_window(len(u), periodic=False, beta=20.0, dtype=torch.double)
    spectrum = torch.fft.rfft(u * window).abs()
    reference = torch.fft.rfft(torch.ones_like(u) * window).abs()[0] / 2
    level = 20 * torch.log10(spectrum / reference)
    assert abs(level[bins]) < 0.1
    images = torch.cat([level[: bins - 20], level[bins + 20 :]])
    assert images.max() < -(attenuation - 3)


def test_blocks_of_frames_need_not_divide_the_time():
    fused = Upsample1d(3, 1, 25, 2, "sinc")
    steps = Upsample1d(3, 1, 25, 2, "sinc", fused=False)
    steps.load_state_dict(fused.state_dict())
    for time in range(1, 20):
        x = torch.randn(2, 3, time)
        for a, b in zip(
            gradients(fused, x, torch.ones(())), gradients(steps, x, torch.ones(())), strict=True
        ):
            assert (a - b).norm() < 1e-4 * b.norm()


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_memory_layout_does_not_matter(mode):
    layer = Upsample1d(6, 4, 9, 2, mode)
    x = torch.randn(2, 6, 10)
    assert torch.equal(layer(x), layer(x.transpose(1, 2).contiguous().transpose(1, 2)))


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_autocast_computes_in_half_and_trains_in_single_precision(mode):
    layer = Upsample1d(8, 4, 25, 4, mode)
    x = torch.randn(2, 8, 16)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert (y - exact).norm() < 0.02 * exact.norm()
    gradient = torch.autograd.grad(exact.square().sum(), layer.weight)[0]
    coarse = torch.autograd.grad(y.float().square().sum(), layer.weight)[0]
    assert coarse.dtype == torch.float32
    assert (coarse - gradient).norm() < 0.02 * gradient.norm()


def test_state_holds_parameters_alone():
    for mode in UPSAMPLING_MODES:
        assert set(Upsample1d(2, 2, 5, 2, mode).state_dict()) == {"weight", "bias"}
    assert set(Upsample1d(2, 2, 5, 2, "sinc", bias=False).state_dict()) == {"weight"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    (
        ({"mode": "cubic"}, ValueError, "transpose, nearest, linear, sinc, subpixel.*'cubic'"),
        ({"factor": 0}, ValueError, "factor: expected at least 1, but got 0"),
        ({"factor": 2.0}, TypeError, "factor: expected an integer, but got 2.0"),
        ({"factor": True}, TypeError, "factor"),
        ({"kernel_size": 0}, ValueError, "kernel_size"),
        ({"kernel_size": "22"}, TypeError, "kernel_size"),
        ({"in_channels": -1}, ValueError, "in_channels"),
        ({"mode": "transpose", "kernel_size": 3}, ValueError, "at least factor = 4"),
        ({"mode": "sinc", "attenuation": 0}, ValueError, "attenuation"),
        ({"mode": "sinc", "attenuation": float("nan")}, ValueError, "attenuation"),
        ({"mode": "sinc", "attenuation": "50"}, TypeError, "attenuation"),
        ({"mode": "sinc", "span": 0}, ValueError, "span"),
    ),
)
def test_wrong_arguments_are_named(arguments, error, message):
    right = {"in_channels": 2, "out_channels": 2, "kernel_size": 25, "factor": 4, "mode": "nearest"}
    with pytest.raises(error, match=message):
        Upsample1d(**{**right, **arguments})


@pytest.mark.parametrize("shape", ((2, 5, 8), (2, 8), (3, 8, 1, 1), (2, 3, 0)))
def test_wrong_inputs_are_named(shape):
    with pytest.raises(ValueError, match="but got"):
        Upsample1d(3, 2, 5, 2, "linear")(torch.zeros(shape))
