"""The waveform generator: lengths, levels, latents, and the imprint of its upsampling."""

import math

import pytest
import torch

from sb_resizegan.metrics.stride_tones import stride_tone_prominence, worst_prominence
from sb_resizegan.models.waveform_generator import WaveformGenerator
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES

SMALL = {"latent_dim": 3, "channels": (4, 6, 8), "factors": (2, 4, 4), "kernel_size": 9}


def small_generator(**settings):
    return WaveformGenerator(**{**SMALL, **settings})


@pytest.mark.parametrize("downsampling", DOWNSAMPLING_MODES)
@pytest.mark.parametrize("upsampling", UPSAMPLING_MODES)
def test_every_mode_keeps_every_length(upsampling, downsampling):
    generator = small_generator(upsampling=upsampling, downsampling=downsampling)
    for time in (1, 31, 32, 33, 1000):
        noisy = torch.randn(2, time)
        latent = generator.sample_latent(2, time)
        assert latent.shape == (2, 3, math.ceil(time / 32)) == (2, 3, generator.latent_frames(time))
        enhanced = generator(noisy, latent)
        assert enhanced.shape == noisy.shape
        assert torch.isfinite(enhanced).all()
        assert (enhanced - noisy).abs().max() > 0


@pytest.mark.parametrize("settings", [{}, {"factors": (8,), "channels": (4,)}, {"kernel_size": 16}])
def test_every_parameter_gets_a_gradient(settings):
    generator = small_generator(**settings)
    noisy, clean = torch.randn(2, 2, 500)
    (generator(noisy) - clean).abs().mean().backward()
    for name, parameter in generator.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("upsampling", ["nearest", "linear", "sinc"])
def test_fused_stages_equal_the_two_step_ones(upsampling):
    fused, plain = (
        small_generator(upsampling=upsampling, downsampling="blur", fused=flag) for flag in (True, False)
    )
    plain.load_state_dict(fused.state_dict())
    noisy = torch.randn(2, 700)
    latent = fused.sample_latent(2, 700)
    torch.testing.assert_close(fused(noisy, latent), plain(noisy, latent), rtol=0, atol=1e-5)


def test_gradients_with_respect_to_input_and_latent_agree_with_finite_differences():
    generator = small_generator().double()
    noisy = torch.randn(2, 45, dtype=torch.float64, requires_grad=True)
    latent = generator.sample_latent(2, 45).double().requires_grad_()
    assert torch.autograd.gradcheck(generator, (noisy, latent))


def test_a_latent_gives_one_output_and_another_latent_another():
    generator = small_generator()
    noisy = torch.randn(2, 1000)
    latents = [generator.sample_latent(2, 1000, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    outputs = [generator(noisy, latent) for latent in latents]
    assert torch.equal(outputs[0], outputs[1])
    assert (outputs[0] - outputs[2]).std() > 1e-3 * noisy.std()
    assert not torch.equal(generator(noisy), generator(noisy))
    torch.manual_seed(5)
    drawn = generator(noisy)
    torch.manual_seed(5)
    assert torch.equal(drawn, generator(noisy, generator.sample_latent(2, 1000)))


def test_the_latent_is_standard_normal():
    latent = small_generator().sample_latent(20, 32000)
    assert latent.mean().item() == pytest.approx(0, abs=0.02)
    assert latent.var().item() == pytest.approx(1, abs=0.03)


def test_without_latent_the_model_is_deterministic_and_draws_nothing():
    generator = small_generator(latent_dim=0)
    noisy = torch.randn(2, 1000)
    state = torch.get_rng_state()
    assert torch.equal(generator(noisy), generator(noisy))
    assert torch.equal(torch.get_rng_state(), state)
    assert generator.sample_latent(2, 1000) is None
    with pytest.raises(ValueError, match="latent: expected none"):
        generator(noisy, torch.zeros(2, 1, 32))


def test_silence_stays_silence_and_trains_nothing():
    generator = small_generator()
    noisy = torch.stack([torch.zeros(1000), torch.randn(1000)]).requires_grad_()
    enhanced = generator(noisy)
    assert enhanced[0].abs().max() == 0
    assert enhanced[1].abs().max() > 0
    enhanced[0].sum().backward()
    assert torch.isfinite(noisy.grad).all()
    assert all(p.grad.abs().max() == 0 for p in generator.parameters())


@pytest.mark.parametrize("gain", [1e-6, 0.03, 3e4])
def test_level_in_is_level_out(gain):
    generator = small_generator()
    noisy = torch.randn(2, 1000)
    latent = generator.sample_latent(2, 1000)
    expected = gain * generator(noisy, latent)
    torch.testing.assert_close(generator(gain * noisy, latent), expected, rtol=1e-4, atol=1e-5 * gain)


def test_one_utterance_does_not_change_another():
    generator = small_generator()
    noisy = torch.randn(3, 1000)
    latent = generator.sample_latent(3, 1000)
    together = generator(noisy, latent)
    alone = torch.cat([generator(noisy[i : i + 1], latent[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    noisy[2] = math.nan
    torch.testing.assert_close(generator(noisy, latent)[:2], together[:2], rtol=1e-5, atol=1e-6)


def test_a_part_with_the_level_of_the_whole_is_part_of_the_whole():
    generator = small_generator()
    noisy = torch.randn(1, 6400) * torch.linspace(0.1, 1, 6400)
    latent = generator.sample_latent(1, 6400)
    whole = generator(noisy, latent)
    start, stop, margin = 1600, 4800, 320  # from one frame of the latent to another
    part = generator(
        noisy[:, start:stop], latent[..., start // 32 : stop // 32], noisy.square().mean(1).sqrt()
    )
    inner = slice(start + margin, stop - margin)
    torch.testing.assert_close(part[:, margin:-margin], whole[:, inner], rtol=1e-4, atol=1e-5)


def test_time_behind_an_utterance_is_as_good_as_none():
    """What is appended as zeros changes no more than the end, if the level is told."""
    generator = small_generator()
    noisy = torch.randn(1, 1600)
    latent = generator.sample_latent(1, 3200)
    level = noisy.square().mean(1).sqrt()
    padded = generator(torch.nn.functional.pad(noisy, (0, 1600)), latent, level)
    alone = generator(noisy, latent[..., :50])
    torch.testing.assert_close(padded[:, :1200], alone[:, :1200], rtol=1e-4, atol=1e-5)


def test_stride_tones_of_transposed_convolutions_and_their_absence_with_nearest():
    noise = 0.1 * torch.randn(32, 8192)
    worst = {"transpose": [], "nearest": []}
    for mode, values in worst.items():
        for seed in range(5):
            torch.manual_seed(seed)
            generator = WaveformGenerator(upsampling=mode, latent_dim=0)
            added = []
            generator.decoder[-1].register_forward_hook(
                lambda *call, added=added: added.append(call[2][:, 0])
            )
            with torch.no_grad():
                generator(noise)
            values.append(worst_prominence(stride_tone_prominence(added[0], generator.factors[::-1])))
    assert sorted(worst["transpose"])[2] > 8
    assert max(worst["nearest"]) < 1.5


def test_the_default_size_is_stated():
    assert 200e3 < sum(p.numel() for p in WaveformGenerator().parameters()) < 300e3


def test_it_learns_to_remove_noise():
    generator = small_generator(latent_dim=0)
    optimizer = torch.optim.Adam(generator.parameters(), 5e-3)
    time = torch.arange(1024)

    def batch():
        phase = 6.28 * torch.rand(8, 1)
        clean = torch.sin(0.05 * time + phase)
        return clean, clean + 0.5 * torch.randn(8, 1024)

    for _ in range(80):
        clean, noisy = batch()
        loss = (generator(noisy) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    clean, noisy = batch()
    assert (generator(noisy) - clean).square().mean() < 0.3 * (noisy - clean).square().mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upsampling": "cubic"}, r"mode.*transpose.*nearest.*linear.*sinc.*subpixel.*'cubic'"),
        ({"downsampling": "max"}, r"mode.*strided.*blur.*'max'"),
        ({"channels": (4, 4)}, r"one entry per stage .*channels=\(4, 4\) and factors=\(2, 4, 4\)"),
        ({"factors": (2, 4, 0)}, r"factors: expected integers of at least 1, but got \[2, 4, 0\]"),
        ({"latent_dim": -1}, "latent_dim: expected at least 0, but got -1"),
        ({"upsampling": "transpose", "kernel_size": 3}, r"kernel_size.*at least factor.*3"),
        ({"upsampling": "sinc", "attenuation": -3.0}, r"attenuation.*-3"),
    ],
)
def test_a_generator_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small_generator(**settings)


def test_wrong_inputs_are_named():
    generator = small_generator()
    with pytest.raises(ValueError, match=r"noisy: expected shape \(batch, time\).*\(100,\)"):
        generator(torch.zeros(100))
    with pytest.raises(ValueError, match=r"noisy: .*at least one sample.*\(2, 0\)"):
        generator(torch.zeros(2, 0))
    with pytest.raises(ValueError, match=r"latent: expected shape \(2, 3, 4\), but got \(2, 3, 3\)"):
        generator(torch.zeros(2, 100), torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match=r"level: expected shape \(2,\), but got \(2, 1\)"):
        generator(torch.zeros(2, 100), level=torch.ones(2, 1))
