"""GAN-TTS's critics: which windows they read, how they fit the losses, and what they refuse."""

import pytest
import torch

from sb_resizegan.losses import Hinge, NonSaturating, RelativisticR1R2
from sb_resizegan.models.random_window_critic import RandomWindowCritic

FRAMES = 10


def small(**settings):
    return RandomWindowCritic(frames=(1, 2, 8), width=2, **settings)


def example(batch=2):
    return torch.randn(batch, 256 * FRAMES), torch.randn(batch, 80, FRAMES)


def test_scores_are_those_of_each_example_and_each_critic():
    critic, (waveforms, mel) = small().eval(), example(3)
    starts = critic.draw_starts(3, FRAMES)
    together = critic(waveforms, mel, starts)
    assert together.shape == (3, 6)
    alone = [critic(waveforms[i : i + 1], mel[i : i + 1], starts[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_each_critic_reads_its_window_and_nothing_else():
    critic, (waveforms, mel) = small(normalise=False), example(1)
    starts = critic.draw_starts(1, FRAMES)
    waveforms.requires_grad_(), mel.requires_grad_()
    for index, (count, conditional) in enumerate(critic.members):
        score = critic(waveforms, mel, starts)[0, index]
        wave, bands = torch.autograd.grad(score, (waveforms, mel))
        first = int(starts[0, index])
        begin = first * 256 - 128 if conditional else first
        outside = torch.ones(256 * FRAMES, dtype=torch.bool)
        outside[begin : begin + count * 256] = False
        assert wave[0, outside].abs().max() == 0
        assert (wave[0, ~outside] != 0).float().mean() > 0.5
        if conditional:
            read = bands[0].abs().amax(dim=0).nonzero().squeeze(1)
            assert set(read.tolist()) <= set(range(first, first + count)) and len(read)
        else:
            assert bands.abs().max() == 0


def test_windows_lie_anywhere_within_and_nowhere_else():
    critic = small()
    starts = critic.draw_starts(4000, FRAMES, torch.Generator().manual_seed(0))
    for index, (count, conditional) in enumerate(critic.members):
        last = FRAMES - count if conditional else (FRAMES - count) * 256
        assert starts[:, index].min() <= (1 if conditional else 0.01 * last)
        assert 0.99 * last <= starts[:, index].max() <= last
        assert starts[:, index].min() >= (1 if conditional else 0)


def test_the_condition_counts():
    critic, (waveforms, mel) = small().eval(), example(2)
    starts = critic.draw_starts(2, FRAMES)
    change = critic(waveforms, mel + 1, starts) - critic(waveforms, mel, starts)
    conditional = torch.tensor([kind for _, kind in critic.members])
    assert (change[:, conditional].abs() > 1e-6).all()
    assert change[:, ~conditional].abs().max() == 0


@pytest.mark.parametrize("loss", [Hinge(), NonSaturating(), RelativisticR1R2(gamma=0.1)])
def test_the_losses_take_it_with_real_and_generated_in_one_call(loss):
    critic, (real, mel) = small(), example(2)
    fake, starts = torch.randn_like(real).requires_grad_(), critic.draw_starts(2, FRAMES)
    value, _ = loss.critic_loss(lambda x: critic(x, mel, starts), real, fake.detach(), torch.rand(2))
    value.backward()
    for name, parameter in critic.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0 or "bias" in name, name
    loss.generator_loss(lambda x: critic(x, mel, starts), fake, real).backward()
    assert fake.grad.abs().max() > 0


def test_weights_have_a_spectral_norm_of_one_where_it_is_asked_for():
    critic, (waveforms, mel) = small(), example(2)
    for _ in range(20):  # power iterations
        critic(waveforms, mel, critic.draw_starts(2, FRAMES))
    weight = critic.critics[0].blocks[1].first.weight.flatten(1)
    assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, abs=0.02)
    assert not any("parametrizations" in name for name in small(normalise=False).state_dict())


def test_features_are_those_of_all_blocks():
    critic, (waveforms, mel) = small(), example(2)
    scores, features = critic.scores_and_features(waveforms, mel, critic.draw_starts(2, FRAMES))
    assert len(features) == sum(len(member.blocks) for member in critic.critics)
    # The conditional ones end at the frames' rate.
    assert features[len(critic.critics[0].blocks) - 1].shape[2] == 1
    assert scores.shape == (2, 6)


def test_a_short_training_tells_noise_from_tones():
    critic = RandomWindowCritic(frames=(1, 2), width=4)
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.99))
    mel, loss = torch.zeros(8, 80, 4), Hinge()
    phase = 2 * torch.pi * torch.rand(8, 1)
    real = 0.5 * torch.sin(torch.arange(1024) / 8 + phase)
    for _ in range(60):
        starts, fake = critic.draw_starts(8, 4), 0.35 * torch.randn(8, 1024)
        value, _ = loss.critic_loss(lambda x, s=starts: critic(x, mel, s), real, fake, torch.rand(8))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    starts = critic.draw_starts(8, 4)
    assert (
        critic(real, mel, starts).mean(1) > critic(0.35 * torch.randn(8, 1024), mel, starts).mean(1)
    ).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": ()}, r"frames: expected lengths that divide hop_length = 256.*\[\]"),
        ({"frames": (1, 3)}, r"frames: .*\[1, 3\]"),
        ({"frames": (256,)}, r"frames: .*\[256\]"),
        ({"hop_length": 200}, "hop_length: expected a power of 2, but got 200"),
        ({"width": 0}, "width: expected at least 1, but got 0"),
        ({"conditional": False, "unconditional": False}, "expected at least one True"),
    ],
)
def test_a_critic_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomWindowCritic(**settings)


def test_wrong_inputs_are_named():
    critic, (waveforms, mel) = small(), example(2)
    starts = critic.draw_starts(2, FRAMES)
    with pytest.raises(ValueError, match="frames: expected more than the longest window's 8, but got 8"):
        critic.draw_starts(2, 8)
    for wave, bands in ((waveforms[:, 1:], mel), (waveforms[:1], mel), (waveforms, mel[:, :40])):
        with pytest.raises(ValueError, match=r"expected mel \(batch, 80, frames\) and waveforms"):
            critic(wave, bands, starts)
    with pytest.raises(ValueError, match=r"starts: expected shape \(2, 6\), but got \(2, 5\)"):
        critic(waveforms, mel, starts[:, :5])
