"""Measures of windows, gradients and latents on the device."""

import math

import pytest
import torch

from sb_resizegan.metrics.distribution import frechet_log_mel, log_mel_statistics
from sb_resizegan.metrics.gradients import gradient_waveforms, measure_gradients, position_unevenness
from sb_resizegan.metrics.latents import latent_variation
from sb_resizegan.metrics.spectra import log_mel, mean_power_spectrum, power_spectra
from sb_resizegan.metrics.spectral_balance import out_of_band_energy, spectral_distance
from sb_resizegan.metrics.stride_tones import stride_tone_prominence
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.models.critic import WindowCritic
from tests.device.compared import check_same, moved
from tests.device.virtual import recorded
from tests.inference.small import small_generator


@pytest.fixture(scope="module")
def windows():
    """Generated, held-out and training windows."""
    generator = torch.Generator().manual_seed(0)
    generated, held_out, train = (torch.randn(n, 2048, generator=generator) for n in (16, 24, 32))
    return 0.5 * generated + 0.2 * torch.cos(torch.pi / 2 * torch.arange(2048)), held_out, train


def test_all_measures_of_windows(windows, device):
    rows = []
    for place in ("cpu", device):
        generated, held_out, train = moved(windows, place)
        with recorded() as traffic:
            rows.append(measure_windows(generated, held_out, (4, 4), 16000, 1800.0, train))
        assert len(traffic.to_host) == (place != "cpu") and not traffic.to_device, str(traffic)
    assert list(rows[0]) == list(rows[1])
    # A classifier that is trained on so few windows turns rounding into another network.
    for name in [name for name in rows[0] if name.startswith("c2st")]:
        assert all(0 <= row.pop(name) <= 1 for row in rows)
    assert rows[1] == pytest.approx(rows[0], rel=1e-6, nan_ok=True)
    # Noise has no pitch.
    assert {name for name, value in rows[0].items() if math.isnan(value)} == {"f0_w1", "f0_w1_floor"}


def test_single_measures(windows, device):
    def measures(generated, held_out):
        return [
            *stride_tone_prominence(generated, (4, 4)).values(),
            out_of_band_energy(generated, 1800.0),
            spectral_distance(generated, held_out),
            frechet_log_mel(generated, held_out),
        ]

    ours = measures(*moved(windows[:2], device))
    assert ours == pytest.approx(measures(*windows[:2]), rel=1e-6)


def test_spectra(windows, device):
    def spectra(generated):
        return (
            power_spectra(generated),
            log_mel(generated),
            out_of_band_energy(generated, 1800.0, reduce=False),
        )

    check_same(spectra, windows[:1], device)
    on_device = windows[0].to(device)
    torch.testing.assert_close(mean_power_spectrum(on_device), mean_power_spectrum(windows[0]))
    for ours, theirs in zip(
        log_mel_statistics(on_device)[:2], log_mel_statistics(windows[0])[:2], strict=True
    ):
        torch.testing.assert_close(torch.as_tensor(ours).cpu(), torch.as_tensor(theirs))


def test_gradients_of_a_critic(windows, device):
    critic = WindowCritic(channels=(2, 4, 4, 8)).eval()

    def gradients(critic, windows):
        found = gradient_waveforms(critic, windows)
        return found, measure_gradients(found, (4, 4))["prominence_worst_db"], position_unevenness(found, 4)

    expected = gradients(critic, windows[0])
    found = gradients(*moved((critic, windows[0]), device))
    assert found[0].device.type == device.type
    torch.testing.assert_close(found[0].cpu(), expected[0], rtol=1e-4, atol=1e-6)
    assert found[1] == pytest.approx(expected[1], abs=1e-2)


def test_variation_over_latents(device):
    noisy = [torch.randn(16000), torch.randn(12000)]
    generator = small_generator()

    def figures(place):
        enhance = moved(generator, place)
        return latent_variation(enhance, noisy, num_samples=3, device=place)

    assert figures(device) == pytest.approx(figures("cpu"), rel=1e-3)
