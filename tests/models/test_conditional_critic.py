"""The conditional critic: what its scores and gradients depend on, and what they must not."""

import math

import pytest
import torch

from sb_resizegan.losses import WassersteinGP, gradient_norm, gradient_penalty
from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.nnet.downsampling import DOWNSAMPLING_MODES

LENGTHS = torch.tensor([1.0, 0.61, 0.3, 0.02])
TIME = 6000


def small_critic(downsampling="strided", **settings):
    return ConditionalCritic((4, 8, 8), (4, 4, 4), 9, downsampling, **settings)


def signals(time=TIME, batch=4):
    noisy = torch.randn(batch, time)
    return 0.7 * noisy + 0.2 * torch.randn(batch, time), noisy


def samples_of(lengths, time):
    return (lengths.double() * time).round().long()


@pytest.mark.parametrize("downsampling", DOWNSAMPLING_MODES)
@pytest.mark.parametrize("time", [1, 2, 63, 64, 1000, 4001])
def test_every_length_is_scored_with_and_without_shifts(downsampling, time):
    critic = small_critic(downsampling)
    candidate, noisy = signals(time)
    for mode in (critic.train(), critic.eval()):
        scores = mode(candidate, noisy)
        assert scores.shape == (4,)
        assert torch.isfinite(scores).all()
    assert len(set(scores.tolist())) == 4


@pytest.mark.parametrize("downsampling", DOWNSAMPLING_MODES)
def test_a_padded_utterance_scores_as_it_does_alone(downsampling):
    critic = small_critic(downsampling).eval()
    candidate, noisy = signals()
    together = critic(candidate, noisy, LENGTHS)
    for row, samples in enumerate(samples_of(LENGTHS, TIME)):
        alone = critic(candidate[row : row + 1, :samples], noisy[row : row + 1, :samples])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("filling", [1e3, math.inf, math.nan])
def test_nothing_depends_on_what_is_in_the_padding(filling):
    critic = small_critic()
    candidate, noisy = signals()
    shifts = critic.draw_shifts(4)
    padding = torch.arange(TIME) >= samples_of(LENGTHS, TIME).unsqueeze(1)
    results = []
    for value in (0.0, filling):
        filled = candidate.masked_fill(padding, value).requires_grad_()
        scores = critic(filled, noisy.masked_fill(padding, value), LENGTHS, shifts)
        (gradient,) = torch.autograd.grad(scores.sum(), filled)
        results.append((scores, gradient))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert gradient[padding].abs().max() == 0
    assert gradient[~padding].abs().max() > 0


def test_the_penalty_takes_no_part_in_the_padding_either():
    critic = small_critic()
    candidate, noisy = signals()
    shifts = critic.draw_shifts(4)
    padding = torch.arange(TIME) >= samples_of(LENGTHS, TIME).unsqueeze(1)
    gradients = []
    for value in (0.0, 5.0):
        critic.zero_grad()
        other, filled = noisy.masked_fill(padding, value), candidate.masked_fill(padding, -value)
        penalty = gradient_penalty(
            lambda x: critic(x, noisy, LENGTHS, shifts), filled, other, torch.full((4,), 0.3)
        )
        penalty.backward()
        gradients.append([p.grad.clone() for p in critic.parameters() if p.grad is not None])
    for first, second in zip(*gradients, strict=True):
        assert torch.equal(first, second)


def test_equal_lengths_of_one_are_no_lengths():
    critic = small_critic().eval()
    candidate, noisy = signals()
    torch.testing.assert_close(critic(candidate, noisy), critic(candidate, noisy, torch.ones(4)))


def test_one_example_does_not_change_another():
    critic = small_critic()
    candidate, noisy = signals()
    shifts = critic.draw_shifts(4)
    scores = critic(candidate, noisy, None, shifts)
    candidate[3], noisy[2] = math.nan, 100 * noisy[2]
    torch.testing.assert_close(critic(candidate, noisy, None, shifts)[:2], scores[:2])


def test_a_batch_of_real_and_generated_scores_like_two_batches():
    critic = small_critic()
    candidate, noisy = signals()
    shifts = critic.draw_shifts(4)

    def score(x):
        times = len(x) // 4
        return critic(x, noisy.repeat(times, 1), LENGTHS.repeat(times), shifts.repeat(times, 1))

    both = score(torch.cat([candidate, noisy]))
    torch.testing.assert_close(both, torch.cat([score(candidate), score(noisy)]), rtol=1e-4, atol=1e-6)


def test_the_score_depends_on_the_condition_and_not_on_the_level_of_both():
    critic = small_critic().eval()
    candidate, noisy = signals()
    scores = critic(candidate, noisy)
    for gain in (1e-4, 3e3):
        torch.testing.assert_close(critic(gain * candidate, gain * noisy), scores, rtol=1e-4, atol=1e-6)
    assert (critic(candidate, noisy.roll(1, dims=0)) - scores).abs().min() > 1e-4
    assert (critic(2 * candidate, noisy) - scores).abs().min() > 1e-4


@pytest.mark.parametrize(("time", "gain"), [(8192, 1e-3), (8192, 50.0), (65536, 1.0), (65536, 0.01)])
def test_gradients_in_units_of_the_noisy_signal_do_not_depend_on_level_and_length(time, gain):
    critic = ConditionalCritic().eval()
    norms = []
    for signal in (signals(16384), [gain * x for x in signals(time)]):
        unit = critic.distance_unit(signal[1])
        candidate, noisy = (x / unit for x in signal)
        torch.testing.assert_close(noisy.norm(dim=1), torch.ones(4))
        torch.testing.assert_close(critic(*signal), critic(candidate, noisy), rtol=1e-4, atol=1e-6)
        norms.append(gradient_norm(lambda x, noisy=noisy: critic(x, noisy), candidate))
    torch.testing.assert_close(norms[0], norms[1], rtol=0.1, atol=0.0)


def test_the_unit_of_distance_is_that_of_the_utterance_without_its_padding():
    _, noisy = signals()
    samples = samples_of(LENGTHS, TIME)
    filled = noisy.masked_fill(torch.arange(TIME) >= samples.unsqueeze(1), math.nan)
    unit = ConditionalCritic.distance_unit(filled, LENGTHS)
    expected = torch.stack([noisy[row, : samples[row]].norm() for row in range(4)])
    torch.testing.assert_close(unit.squeeze(1), expected)
    assert ConditionalCritic.distance_unit(torch.zeros(1, 9)).item() == 1


def test_silence_is_scored_and_gives_no_gradient():
    critic = small_critic()
    candidate = torch.zeros(2, 1000, requires_grad=True)
    critic(candidate, torch.zeros(2, 1000)).sum().backward()
    assert candidate.grad.abs().max() == 0
    assert all(torch.isfinite(p.grad).all() for p in critic.parameters())


def test_derivatives_agree_with_finite_differences():
    critic = ConditionalCritic((2, 3), (2, 3), 5).double()
    candidate, noisy = (x.double() for x in signals(40, batch=2))
    shifts, lengths = critic.draw_shifts(2), torch.tensor([1.0, 0.7])

    def score(x):
        return critic(x, noisy, lengths, shifts)

    candidate.requires_grad_()
    assert torch.autograd.gradcheck(score, candidate)
    penalty = gradient_norm(score, candidate).sum()
    penalty.backward()
    step = 1e-6
    weight = critic.stages[0].weight
    for index in ((0, 0, 0), (0, 1, 2), (1, 0, 4)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[index] += sign * step
            values.append(gradient_norm(score, candidate).sum().item())
            with torch.no_grad():
                weight[index] -= sign * step
        assert weight.grad[index].item() == pytest.approx(
            (values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-8
        )


def test_every_parameter_takes_part_in_a_step_and_the_condition_in_no_penalty():
    critic = small_critic()
    candidate, noisy = signals()
    noisy.requires_grad_()
    shifts = critic.draw_shifts(4)

    def score(x):
        times = len(x) // 4
        return critic(x, noisy.repeat(times, 1), None, shifts.repeat(times, 1))

    loss, _ = WassersteinGP().critic_loss(score, candidate, noisy.detach(), torch.rand(4))
    loss.backward()
    # a constant offset of all scores cancels
    assert {name for name, p in critic.named_parameters() if p.grad.abs().max() == 0} <= {"score.bias"}
    expected = []
    for row in range(4):
        x = candidate[row : row + 1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(
            critic(x, noisy[row : row + 1], None, shifts[row : row + 1]).sum(), x
        )
        expected.append(gradient.norm())
    norm = gradient_norm(lambda x: critic(x, noisy, None, shifts), candidate)
    torch.testing.assert_close(norm, torch.stack(expected), rtol=1e-4, atol=1e-6)


def test_bfloat16_scores_stay_near():
    critic = small_critic()
    candidate, noisy = signals()
    shifts = critic.draw_shifts(4)
    exact = gradient_norm(lambda x: critic(x, noisy, LENGTHS, shifts), candidate)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = gradient_norm(lambda x: critic(x, noisy, LENGTHS, shifts), candidate)
    torch.testing.assert_close(rough, exact, rtol=0.06, atol=1e-5)


def test_a_critic_learns_to_tell_clean_from_noisy_at_a_slope_of_one():
    critic = small_critic()
    optimizer = torch.optim.Adam(critic.parameters(), 3e-3, betas=(0.5, 0.9))
    loss = WassersteinGP(weight=1.0)
    wave = torch.sin(0.05 * torch.arange(1024))
    for _ in range(60):
        clean = wave.roll(int(torch.randint(1024, ()))).expand(8, -1)
        noisy = clean + 0.5 * torch.randn(8, 1024)
        unit = critic.distance_unit(noisy)
        clean, noisy = clean / unit, noisy / unit
        value, figures = loss.critic_loss(
            lambda x, noisy=noisy: critic(x, noisy.repeat(len(x) // 8, 1)), clean, noisy, torch.rand(8)
        )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    distance = (clean - noisy).norm(dim=1).mean()
    assert 0.5 * distance < figures["wasserstein"] < 1.5 * distance
    assert figures["penalty"] < 0.1


def test_errors_name_what_was_expected():
    with pytest.raises(ValueError, match=r"mode.*strided.*blur.*'max'"):
        small_critic("max")
    with pytest.raises(ValueError, match=r"one entry per stage .*channels=\(4, 4\)"):
        ConditionalCritic(channels=(4, 4))
    with pytest.raises(ValueError, match="n: expected at least 0, but got -1"):
        small_critic(phase_shuffle=-1)
    critic = small_critic()
    with pytest.raises(ValueError, match=r"candidate and noisy: .*\(4, 99\) and \(4, 100\)"):
        critic(torch.zeros(4, 99), torch.zeros(4, 100))
    with pytest.raises(ValueError, match=r"candidate and noisy: .*\(4, 0\)"):
        critic(torch.zeros(4, 0), torch.zeros(4, 0))
    with pytest.raises(ValueError, match=r"lengths: expected shape \(4,\).*\(8,\)"):
        critic(torch.zeros(4, 99), torch.zeros(4, 99), torch.ones(8))
