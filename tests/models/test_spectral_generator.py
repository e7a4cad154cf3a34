"""The spectral generator: lengths, levels, latents, causality, size."""

import pytest
import torch

from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.nnet.upsampling import UPSAMPLING_MODES


def small(**changes):
    torch.manual_seed(0)
    options = {"channels": 8, "time_units": 8, "band_units": 8, "blocks": 1, "factors": (4, 4), **changes}
    generator = SpectralGenerator(**options).eval()
    # Beyond its first state, where the mask is nearly one.
    with torch.no_grad():
        generator.decoder[-1].weight.mul_(5)
    return generator


def test_with_a_mask_of_one_the_signal_comes_back():
    generator = small()
    with torch.no_grad():
        generator.decoder[-1].weight.zero_()
        generator.decoder[-1].bias.zero_()
    # White noise but for the bin at half the sampling rate, which the model leaves out.
    spectrum = torch.fft.rfft(torch.randn(2, 12345))
    spectrum[:, -300:] = 0
    signal = torch.fft.irfft(spectrum, 12345)
    difference = (generator(signal) - signal)[:, 512:-512]
    assert difference.square().mean() < 1e-6 * signal.square().mean()


@pytest.mark.parametrize("time", [1, 2, 255, 256, 257, 511, 513, 4096, 5001])
def test_any_length_in_is_the_same_length_out(time):
    generator = small()
    enhanced = generator(torch.randn(2, time))
    assert enhanced.shape == (2, time)
    assert torch.isfinite(enhanced).all()


@pytest.mark.parametrize("mode", UPSAMPLING_MODES)
def test_every_upsampling_trains(mode):
    generator = small(upsampling=mode)
    generator(torch.randn(2, 3000)).square().mean().backward()
    for name, parameter in generator.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("gain", [1e-5, 30.0])
def test_level_in_is_level_out(gain):
    generator = small()
    noisy = torch.randn(2, 3000)
    latent = generator.sample_latent(2, 3000)
    expected = gain * generator(noisy, latent)
    torch.testing.assert_close(generator(gain * noisy, latent), expected, rtol=1e-3, atol=1e-3 * gain)


def test_silence_stays_silence_and_spoils_no_gradient():
    generator = small()
    noisy = torch.stack([torch.zeros(3000), torch.randn(3000)])
    enhanced = generator(noisy)
    assert enhanced[0].abs().max() == 0
    enhanced.square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in generator.parameters())


def test_the_latent_decides_and_a_seed_decides_the_latent():
    generator = small()
    noisy = torch.randn(1, 3000)
    draws = [
        generator(noisy, generator.sample_latent(1, 3000, torch.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert (draws[0] - draws[2]).abs().max() > 1e-4
    deterministic = small(latent_dim=0)
    assert deterministic.sample_latent(1, 3000) is None
    assert torch.equal(deterministic(noisy), deterministic(noisy))


def test_one_utterance_does_not_change_another():
    generator = small()
    noisy = torch.randn(3, 3000)
    latent = generator.sample_latent(3, 3000)
    together = generator(noisy, latent)
    alone = torch.cat([generator(noisy[i : i + 1], latent[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_only_the_causal_model_looks_no_further_than_one_window_ahead(causal):
    generator = small(causal=causal)
    noisy = torch.randn(1, 8000)
    latent = generator.sample_latent(1, 8000)
    changed, place = noisy.clone(), 5000
    changed[:, place:] = torch.randn(1, 3000)
    difference = (generator(changed, latent) - generator(noisy, latent)).abs()
    before = difference[:, : place - generator.n_fft].max()
    if causal:
        assert before < 1e-6
    else:
        assert before > 1e-4
    assert difference[:, place:].max() > 1e-2


def test_a_delay_of_one_hop_delays_the_output_and_no_more():
    generator = small(causal=True)
    noisy = torch.cat([torch.zeros(1, 512), torch.randn(1, 4000), torch.zeros(1, 512)], dim=1)
    latent = torch.zeros(1, 4, generator.latent_frames(noisy.shape[1] + 256))
    early = generator(noisy, latent[..., :-1])
    late = generator(torch.nn.functional.pad(noisy, (256, 0)), latent)
    # A recurrent layer begins at zero and takes some frames to forget it.
    torch.testing.assert_close(late[:, 3000:4500], early[:, 2744:4244], atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fft": 500}, "n_fft: expected a power of two"),
        ({"factors": (3, 4)}, "factors: expected a product that divides"),
        ({"factors": ()}, "factors: expected a product that divides"),
        ({"time_units": 9}, "units: expected an even number"),
        ({"compression": 1.5}, "compression: expected at most 1"),
        ({"upsampling": "cubic"}, "transpose"),
        ({"latent_dim": -1}, "latent_dim: expected at least 0"),
    ],
)
def test_wrong_options_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_wrong_inputs_are_named():
    generator = small()
    with pytest.raises(ValueError, match="noisy: expected shape"):
        generator(torch.zeros(3000))
    with pytest.raises(ValueError, match=r"latent: expected shape \(1, 4, 12\)"):
        generator(torch.zeros(1, 3000), torch.zeros(1, 4, 11))
    with pytest.raises(ValueError, match=r"level: expected shape \(1,\)"):
        generator(torch.zeros(1, 3000), level=torch.ones(1, 1))


@pytest.mark.parametrize("time", [1, 256, 3000])
def test_overlap_add_is_the_inverse_of_the_spectrum_and_equals_istft(time):
    generator = small()
    waveform = torch.randn(2, time)
    spectrum = generator.spectrum(waveform)
    torch.testing.assert_close(generator.waveform(spectrum)[:, :time], waveform, rtol=1e-5, atol=1e-6)
    # also of what is no waveform's spectrum
    changed = spectrum * torch.randn(spectrum.shape, dtype=torch.complex64)
    expected = torch.istft(
        changed * generator.n_fft**0.5,
        generator.n_fft,
        generator.hop,
        window=generator.window,
        length=(spectrum.shape[2] - 1) * generator.hop,
    )
    torch.testing.assert_close(generator.waveform(changed), expected, rtol=1e-5, atol=1e-5)
