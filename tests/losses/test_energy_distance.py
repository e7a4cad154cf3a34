"""The spectral energy distance: a proper scoring rule, its two forms, its gradients."""

import pytest
import torch

from sb_resizegan.losses import SpectralEnergyDistance


def rng(seed):
    return torch.Generator().manual_seed(seed)


def tones(hertz, seed, noise=0.01):
    """``(batch, 1024)``: a tone with a random phase in faint noise."""
    phase = torch.rand(len(hertz), 1, generator=rng(seed))
    time = torch.arange(1024) / 16000
    wave = 0.1 * torch.sin(2 * torch.pi * (hertz[:, None] * time + phase))
    return wave + noise * torch.randn(len(hertz), 1024, generator=rng(seed + 1))


def pitches(count, seed, low=150.0, high=350.0):
    return low + (high - low) * torch.rand(count, generator=rng(seed))


distance = SpectralEnergyDistance(scales=(64, 256, 1024))


def test_smallest_where_the_distributions_agree():
    real, same = tones(pitches(256, 0), 1), tones(pitches(256, 2), 3)
    least = distance.over_batch(real, same)
    assert distance.over_batch(real, 2 * same) > least  # level
    assert distance.over_batch(real, tones(pitches(256, 2, 150, 250), 3)) > least  # half the pitches
    assert distance.over_batch(real, tones(pitches(256, 2), 3, noise=0.04)) > least
    one = same[:1].expand(256, -1) + 0.01 * torch.randn(256, 1024, generator=rng(9))
    assert distance.over_batch(real, one) > least  # one window again and again


def test_without_the_repulsive_term_a_collapse_would_win():
    """The mean of d(real, fake) alone is smaller for a median signal than for the true distribution."""
    real = torch.cat([torch.full((64, 1024), 0.1), torch.full((64, 1024), -0.1)])
    real = real * torch.sin(torch.arange(1024) * 0.3) * torch.rand(128, 1, generator=rng(0))
    same = real[torch.randperm(128, generator=rng(1))]
    median = real[real.abs().amax(dim=1).argsort()[64]].expand(128, -1)
    pairs = [(fake, fake.roll(1, 0)) for fake in (same, median)]
    # Two equal draws leave twice the distance, so this is d(real, fake) + d(real, other).
    attraction = [
        distance(real, fake, other).mean() + distance(fake, other, other).mean() / 2 for fake, other in pairs
    ]
    assert attraction[1] < attraction[0]
    assert distance.over_batch(real, same) < distance.over_batch(real, median)


def test_all_pairs_are_the_mean_of_single_pairs():
    real, fake = tones(pitches(4, 0), 1), tones(pitches(5, 2), 3)
    expected, pairs = 0.0, 0
    for x in real:
        for i in range(5):
            for j in range(5):
                if i != j:
                    expected += distance(x[None], fake[i][None], fake[j][None]).item()
                    pairs += 1
    assert distance.over_batch(real, fake).item() == pytest.approx(expected / pairs, rel=1e-4)


def test_nothing_above_max_hz_counts():
    real, fake = tones(pitches(4, 0), 1), tones(pitches(4, 2), 3)
    hiss = 0.1 * torch.sin(2 * torch.pi * 5000 * torch.arange(1024) / 16000)
    narrow = SpectralEnergyDistance(scales=(64, 256), max_hz=2000.0)
    expected = narrow.over_batch(real, fake).item()
    assert narrow.over_batch(real, fake + hiss).item() == pytest.approx(expected, rel=1e-2)
    wide = SpectralEnergyDistance(scales=(64, 256))
    assert wide.over_batch(real, fake + hiss) > 2 * wide.over_batch(real, fake)


def test_two_equal_draws_leave_twice_the_distance_to_the_real_signal():
    real, fake = tones(pitches(3, 0), 1), tones(pitches(3, 2), 3)
    single = distance(real, fake, fake)
    assert (single > 0).all()
    assert distance(real, real, real).abs().max() < 1e-4


def test_gradients_agree_with_finite_differences():
    real, fake = tones(pitches(3, 0), 1).double(), tones(pitches(3, 2), 3).double().requires_grad_()
    direction = torch.randn(fake.shape, generator=rng(5), dtype=torch.float64)
    distance.over_batch(real, fake).backward()
    step = 1e-3
    with torch.no_grad():
        change = distance.over_batch(real, fake + step * direction) - distance.over_batch(
            real, fake - step * direction
        )
    expected = change.item() / (2 * step)
    assert (fake.grad * direction).sum().item() == pytest.approx(expected, rel=0.05)


def test_gradients_are_finite_at_silence_and_at_equal_signals():
    fake = torch.zeros(3, 1024, requires_grad=True)
    (distance.over_batch(torch.zeros(2, 1024), fake) + distance(fake, fake, fake).sum()).backward()
    assert torch.isfinite(fake.grad).all()


def test_minimising_it_finds_level_and_pitch():
    """A generator of two numbers, the level and the highest pitch, learns both from the distance alone."""
    torch.manual_seed(0)
    level, top = torch.tensor(0.03, requires_grad=True), torch.tensor(250.0, requires_grad=True)
    optimizer = torch.optim.Adam([{"params": level, "lr": 0.003}, {"params": top, "lr": 4.0}])
    time = torch.arange(1024) / 16000
    for step in range(150):
        hertz = 150 + (top - 150) * torch.rand(32, 1)
        fake = level * torch.sin(2 * torch.pi * (hertz * time + torch.rand(32, 1)))
        fake = fake + 0.01 * torch.randn(32, 1024)
        loss = distance.over_batch(tones(pitches(32, 100 + step), 300 + step), fake)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert level.item() == pytest.approx(0.1, abs=0.02)
    assert top.item() == pytest.approx(350, abs=40)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="scales: expected at least one"):
        SpectralEnergyDistance(scales=())
    with pytest.raises(ValueError, match="scales: expected at least 4"):
        SpectralEnergyDistance(scales=(2,))
    with pytest.raises(ValueError, match="level: expected an amplitude above 0"):
        SpectralEnergyDistance(level=0.0)
    with pytest.raises(ValueError, match="at least 2 signals"):
        distance.over_batch(torch.zeros(2, 1024), torch.zeros(1, 1024))


def test_a_narrow_band_counts_by_itself():
    """A faint hum, of three bins among five hundred, is hardly seen in the whole and plainly in its band."""
    real, fake = tones(pitches(256, 0), 1), tones(pitches(256, 2), 3)
    hum = 0.001 * torch.sin(0.0185 * torch.arange(1024) + torch.rand(256, 1, generator=rng(7)))  # at 47 Hz
    rise = {}
    for bands in (None, [94.0]):
        seen = SpectralEnergyDistance((1024,), floor_db=-80.0, bands_hz=bands)
        least = seen.over_batch(real, fake)
        rise[bands is None] = seen.over_batch(real, fake + hum) - least
    assert rise[False] > 20 * rise[True].abs()


def test_bands_without_bins_and_short_spectra_have_no_part():
    seen = SpectralEnergyDistance((64, 256), max_hz=2000.0, bands_hz=[10.0, 500.0, 3000.0])
    assert seen.parts == {64: [slice(0, 9)], 256: [slice(0, 33), slice(0, 1), slice(1, 8), slice(8, 33)]}
    with pytest.raises(ValueError, match="bands_hz: expected rising frequencies, but got"):
        SpectralEnergyDistance(bands_hz=[500.0, 100.0])


@pytest.mark.parametrize("scale", [128, 256, 1024])
def test_both_ways_to_a_spectrum_agree_with_torch(scale):
    wave = tones(pitches(2, 0), 1)
    expected = torch.stft(
        wave, scale, scale // 4, window=torch.hann_window(scale), center=False, return_complex=True
    )
    magnitude = SpectralEnergyDistance((scale,), level=1.0, floor_db=-200.0)._spectra(wave)[0]
    bins = scale // 2 + 1
    torch.testing.assert_close(
        magnitude * bins**0.5, expected.abs().transpose(1, 2) * 4 / scale, atol=1e-6, rtol=1e-4
    )
