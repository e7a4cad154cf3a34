"""The objective of restoration: one right answer where all is there, many where something was lost."""

import pytest
import torch

from sb_resizegan.losses import RestorationObjective

TIME, FRAMES = 8192, 33
SHUT = torch.full((16, 256, FRAMES), -9.0)


def rng(seed):
    return torch.Generator().manual_seed(seed)


def noise(seed, batch=16):
    return 0.1 * torch.randn(batch, TIME, generator=rng(seed))


def lost(where=slice(0), batch=16):
    mask = torch.zeros(batch, 257, FRAMES)
    mask[:, :, where] = 1
    return mask


def terms(first, second, clean, mask, missing=SHUT, **weights):
    return RestorationObjective(scales=(64, 512), **weights)(first, second, clean, mask, missing)[1]


def test_draws_like_the_truth_beat_their_mean_and_twice_their_level():
    """Of noise, whose mean is silence."""
    found = {
        name: float(terms(gain * noise(1), gain * noise(2), noise(0), lost())["energy"])
        for name, gain in (("same", 1), ("faint", 0.1), ("loud", 2))
    }
    one = noise(1)
    found["one draw"] = float(terms(one, one, noise(0), lost())["energy"])
    assert found["same"] == min(found.values()), found


def test_of_two_draws_their_own_distance_counts_for_them():
    """2 d(x, y) of one draw in place of both; of two, less what they differ by."""
    clean, first, second = (x / x.square().mean(1, keepdim=True).sqrt() for x in map(noise, range(3)))

    def energy(one, other, truth):
        return float(terms(one, other, truth, lost())["energy"])

    alone = (energy(first, first, clean) + energy(second, second, clean)) / 2
    own = energy(second, second, first) / 2
    assert own > 0 and energy(first, second, clean) == pytest.approx(alone - own, rel=1e-4)


def test_what_was_kept_shall_stay_and_what_was_lost_is_free():
    clean = noise(0)
    changed = clean.clone()
    changed[:, 3000:4000] = noise(1)[:, 3000:4000]
    where = slice(3000 // 256 - 1, 4000 // 256 + 3)
    assert float(terms(changed, changed, clean, lost(where))["kept"]) < 1e-10
    assert float(terms(changed, changed, clean, lost())["kept"]) > 1e-3
    # Each of two draws counts.
    half = float(terms(changed, clean, clean, lost())["kept"])
    assert half == pytest.approx(float(terms(changed, changed, clean, lost())["kept"]) / 2, rel=1e-5)


def test_the_gate_learns_what_was_lost():
    mask, clean = lost(slice(5, 9)), noise(0)
    right = 20 * (mask[:, :256] - 0.5)
    gates = [float(terms(clean, clean, clean, mask, gate)["gate"]) for gate in (right, 0 * right, -right)]
    assert gates[0] < 1e-3 < gates[1] < gates[2]


def test_the_level_of_a_recording_does_not_matter():
    for name, value in terms(noise(1), noise(2), noise(0), lost()).items():
        scaled = terms(7 * noise(1), 7 * noise(2), 7 * noise(0), lost())[name]
        assert float(scaled) == pytest.approx(float(value), rel=1e-3), name


def test_silence_and_gradients_are_finite():
    silent = torch.zeros(2, TIME, requires_grad=True)
    objective = RestorationObjective(scales=(64, 512))
    missing = torch.zeros(2, 256, FRAMES, requires_grad=True)
    value, _ = objective(silent, silent, torch.zeros(2, TIME), lost(batch=2), missing)
    value.backward()
    assert value.isfinite() and silent.grad.isfinite().all() and missing.grad.isfinite().all()


def test_wrong_weights_and_shapes_are_named():
    with pytest.raises(ValueError, match="kept: expected a weight of at least 0, but got -1"):
        RestorationObjective(kept=-1)
    with pytest.raises(ValueError, match="all are 0"):
        RestorationObjective(energy=0, kept=0, gate=0)
    with pytest.raises(ValueError, match="two draws and clean speech of one shape"):
        terms(noise(1)[:, :-1], noise(2), noise(0), lost())
