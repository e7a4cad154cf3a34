"""The critic on spectra: what it reads, its bounded slopes, both derivatives; the sum of critics."""

import pytest
import soundfile
import torch

from sb_resizegan.losses import RelativisticR1R2, gradient_norm
from sb_resizegan.models import CriticSum, SpectralCritic, WindowCritic

SMALL = {"window_samples": 512, "scales": (64, 256), "channels": (8, 8), "factors": (1, 2)}


def small(**options):
    torch.manual_seed(0)
    return SpectralCritic(**{**SMALL, **options})


def windows(count=4, level=0.1, samples=512):
    return level * torch.randn(count, samples, generator=torch.Generator().manual_seed(1))


def test_spectra_are_those_of_an_fft():
    resolution = small(inputs="complex").resolutions[1]
    x = windows()
    window = torch.hann_window(256)
    expected = torch.fft.rfft(x.unfold(1, 256, 64) * window) * 2 / window.sum()
    power = expected.abs().square() + 1e-6
    got = resolution.spectra(x).transpose(1, 2)
    log, real, imaginary = got.split(129, dim=2)
    torch.testing.assert_close(log, (0.5 * power.log() - torch.tensor(0.01).log()) / 2, rtol=1e-3, atol=1e-3)
    scale = (power / 1e-4).pow(-0.35) / 0.01
    torch.testing.assert_close(real, expected.real * scale, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(imaginary, expected.imag * scale, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("inputs", ["magnitude", "complex"])
def test_what_it_reads_of_speech_is_about_one_in_size(inputs, speech_files):
    speech = torch.from_numpy(soundfile.read(speech_files[0], dtype="float32")[0]).unfold(0, 2048, 2048)
    speech = speech[speech.std(dim=1) > 0.02]
    speech = speech * (0.1 / speech.square().mean().sqrt())
    for resolution in SpectralCritic(inputs=inputs, max_hz=2000.0).resolutions:
        spectra = resolution.spectra(speech)
        assert 0.3 < float(spectra.square().mean().sqrt()) < 3


def test_nothing_above_max_hz_is_read():
    critic = SpectralCritic(max_hz=1500.0)
    tone = 0.1 * torch.sin(2 * torch.pi * 4000 * torch.arange(2048) / 16000)
    x = windows(samples=2048)
    torch.testing.assert_close(critic(x + tone), critic(x), rtol=1e-3, atol=1e-4)
    assert (SpectralCritic()(x + tone) - SpectralCritic()(x)).abs().max() > 0.01


@pytest.mark.parametrize("inputs", ["magnitude", "complex"])
@pytest.mark.parametrize("downsampling", ["strided", "blur"])
def test_gradients_of_the_penalty_agree_with_finite_differences(inputs, downsampling):
    critic = small(inputs=inputs, downsampling=downsampling).double()
    real, fake = windows(2).double(), windows(2, 0.05).double()
    loss = RelativisticR1R2(gamma=1.0)

    def value():
        return loss.critic_loss(critic, real, fake, torch.rand(2))[0]

    value().backward()
    for name, parameter in critic.named_parameters():
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)).double()
        expected = float((parameter.grad * direction).sum())
        step = 1e-6
        with torch.no_grad():
            parameter.add_(step * direction)
        above = value().item()
        with torch.no_grad():
            parameter.sub_(2 * step * direction)
        below = value().item()
        with torch.no_grad():
            parameter.add_(step * direction)
        assert (above - below) / (2 * step) == pytest.approx(expected, rel=1e-4, abs=1e-7), name


def test_slopes_stay_bounded_at_silence_and_near_it():
    critic = SpectralCritic(inputs="complex")
    loud = float(gradient_norm(critic, windows(samples=2048)).mean().detach())
    for level in (0.0, 1e-6, 1e-4):
        quiet = gradient_norm(critic, windows(level=level, samples=2048))
        assert torch.isfinite(quiet).all()
        assert float(quiet.mean().detach()) < 100 * loud


def test_a_sum_is_the_sum_and_hands_each_critic_its_shifts():
    torch.manual_seed(0)
    wave, spectral = WindowCritic(window_samples=512, channels=(4, 8), factors=(4, 4)), small()
    critic = CriticSum(wave, spectral, wave)
    x = windows(5)
    shifts = critic.draw_shifts(5, torch.Generator().manual_seed(3))
    assert shifts.shape == (5, 2)
    expected = wave(x, shifts[:, :1]) + spectral(x) + wave(x, shifts[:, 1:])
    torch.testing.assert_close(critic(x, shifts), expected)
    torch.testing.assert_close(critic.eval()(x), 2 * wave(x) + spectral(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": (62,)}, "scales: expected multiples of 4"),
        ({"scales": ()}, "scales: expected multiples of 4"),
        ({"scales": (1024,)}, "scales: expected at most window_samples = 512"),
        ({"channels": (8,)}, "expected one entry per convolution"),
        ({"inputs": "phase"}, "inputs: expected one of magnitude, complex"),
        ({"max_hz": -1.0}, "max_hz: expected a finite number above 0"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_wrong_window():
    with pytest.raises(ValueError, match=r"windows: expected shape \(batch, 512\)"):
        small()(torch.zeros(2, 100))
