"""Gradients through a critic: exact where they are known, telling for the critics that train generators."""

import math

import pytest
import torch
from torch.nn import functional as F

from sb_resizegan.metrics.gradients import gradient_waveforms, measure_gradients, position_unevenness
from sb_resizegan.metrics.stride_tones import stride_tone_prominence
from sb_resizegan.models.critic import WindowCritic


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_gradient_of_a_quadratic_score_in_parts():
    windows = noise(7, 50)
    matrix = noise(50, 50, seed=1)
    gradients = gradient_waveforms(lambda x: ((x @ matrix) * x).sum(dim=1), windows, batch_size=3)
    torch.testing.assert_close(gradients, windows @ (matrix + matrix.t()))
    assert not gradients.requires_grad


def test_it_works_without_a_graph_around_it_and_leaves_the_critic_alone():
    critic = WindowCritic()
    with torch.no_grad():
        gradients = gradient_waveforms(critic, noise(2, 2048))
    assert (gradients.flatten(1).norm(dim=1) > 0).all()
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_kernel_overlap_is_found_in_the_gradient():
    # 25 taps of one: every fourth sample is covered by 7 of them, the others by 6 (Odena et al.).
    def inner_gradient(taps):
        def score(x):
            return F.conv1d(x[:, None], torch.ones(1, 1, taps), stride=4).sum(dim=(1, 2))

        return gradient_waveforms(score, noise(4, 2048))[:, 64:-64]

    assert position_unevenness(inner_gradient(25), 4) == pytest.approx(20 * math.log10(7 / 6), abs=1e-3)
    assert min(stride_tone_prominence(inner_gradient(25), [4]).values()) > 60
    assert position_unevenness(inner_gradient(24), 4) < 1e-3


def test_independent_gradients_of_frames_show_unevenness_without_a_tone():
    # E|gradient|² at a position is the number of taps there, whatever the signs of the frames' gradients are.
    frames = noise(2000, 1, 512, seed=3)
    gradients = F.conv_transpose1d(frames, torch.ones(1, 1, 25), stride=4)[:, 0, 64:-61]
    assert position_unevenness(gradients, 4) == pytest.approx(10 * math.log10(7 / 6), abs=0.1)
    assert position_unevenness(noise(500, 2048), 16) < 0.15


@pytest.mark.parametrize("phase_shuffle", [0, 2])
def test_fresh_critics_bear_the_imprint_of_their_strides_unless_anti_aliased(phase_shuffle):
    windows = 0.1 * noise(4, 2048, seed=4)
    rows = {}
    for mode in ("strided", "blur"):
        gradients = []
        for seed in range(100):
            torch.manual_seed(seed)
            critic = WindowCritic(downsampling=mode, phase_shuffle=phase_shuffle)
            part = gradient_waveforms(critic, windows)
            gradients.append(part / part.square().mean().sqrt())
        rows[mode] = measure_gradients(torch.cat(gradients), (4, 4, 4, 4), cutoff_hz=4000.0)
    strided, blur = rows["strided"], rows["blur"]
    # Images: without a filter, half of the energy lies above half of the band.
    assert strided["out_of_band_db"] == pytest.approx(-3, abs=0.5)
    assert blur["out_of_band_db"] < -35
    # Checkerboard: 25 taps, stride 4.
    assert strided["unevenness_db"] == pytest.approx(10 * math.log10(7 / 6), abs=0.15)
    assert blur["unevenness_db"] < 0.03
    # But no tones: a fresh critic's gradient has no mean that the strides could shape.
    assert strided["prominence_worst_db"] < 1.5


def test_a_critic_with_a_steady_slope_has_tones():
    torch.manual_seed(0)
    layer = torch.nn.Conv1d(1, 8, 25, stride=4)
    gradients = gradient_waveforms(lambda x: layer(x[:, None]).sum(dim=(1, 2)), noise(16, 2048))
    row = measure_gradients(gradients[:, 100:-100], [4])
    assert row["prominence_worst_db"] > 40
    assert list(row) == ["prominence_worst_db", "unevenness_db"]


def test_mistakes():
    windows = noise(3, 64)
    with pytest.raises(ValueError, match=r"score: expected scores of shape \(3,\), but got \(3, 64\)"):
        gradient_waveforms(lambda x: x, windows)
    with pytest.raises(ValueError, match="don't depend on the windows"):
        gradient_waveforms(lambda x: torch.zeros(len(x)), windows)
    with pytest.raises(ValueError, match="windows: 1 of 3 waveforms hold NaN or Inf"):
        windows[1, 2] = math.nan
        gradient_waveforms(lambda x: x.sum(dim=1), windows)
    with pytest.raises(ValueError, match="period: expected at least 2 samples, but got 1"):
        position_unevenness(noise(3, 64), 1)
    with pytest.raises(ValueError, match="at least 65 samples"):
        position_unevenness(noise(3, 64), 65)
    assert math.isnan(position_unevenness(torch.zeros(3, 64), 4))
