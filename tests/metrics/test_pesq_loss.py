"""PESQ as a training loss."""

import pytest
import soundfile
import torch

from sb_resizegan.metrics.pesq import pesq, pesq_loss, pesq_raw


@pytest.fixture(scope="module")
def pair(speech_files):
    """Two seconds of speech and a noisy copy, twice, (2, 32000)."""
    speech = [
        torch.from_numpy(soundfile.read(path, dtype="float32")[0][8000:40000]) for path in speech_files[:2]
    ]
    clean = torch.stack(speech)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + 0.1 * clean.std(1, keepdim=True) * noise


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("scale", ["raw", "mos"])
def test_gradient_is_that_of_finite_differences(pair, align, scale):
    clean, noisy = (signal.double() for signal in pair)
    noisy.requires_grad_()
    loss = pesq_loss(clean, noisy, align=align, scale=scale, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), noisy)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = torch.randn(noisy.shape, generator=generator, dtype=torch.float64)
        direction = direction * (clean.abs() > 1e-3)
        step = 1e-7
        with torch.no_grad():
            ahead, behind = (
                pesq_loss(clean, noisy + sign * step * direction, align=align, scale=scale, reduction="none")
                for sign in (1, -1)
            )
        slope = (ahead - behind).sum() / (2 * step)
        assert torch.isclose((gradient * direction).sum(), slope, rtol=1e-3)


def test_gradient_holds_with_delay_and_bad_intervals(pair):
    clean, noisy = (signal.double() for signal in pair)
    late = noisy.roll(400, 1)
    late[:, 12000:18000] += 0.05 * torch.randn(2, 6000, generator=torch.Generator().manual_seed(3)).double()
    late.requires_grad_()
    loss = pesq_loss(clean, late)
    (gradient,) = torch.autograd.grad(loss, late)
    direction = torch.randn(late.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        slope = (pesq_loss(clean, late + 1e-7 * direction) - pesq_loss(clean, late - 1e-7 * direction)) / 2e-7
    assert torch.isclose((gradient * direction).sum(), slope, rtol=1e-3)


def test_loss_is_the_distance_of_the_score(pair):
    expected = 4.5 - pesq_raw(*pair)
    assert torch.allclose(pesq_loss(*pair, reduction="none"), expected, atol=1e-5)
    assert torch.allclose(pesq_loss(*pair), expected.mean(), atol=1e-5)
    assert torch.allclose(pesq_loss(*pair, scale="mos"), (4.643888 - pesq(*pair)).mean(), atol=1e-5)
    # Signals without delay: what is left out without alignment changes nothing.
    assert torch.allclose(pesq_loss(*pair, align=False, reduction="none"), expected, atol=1e-5)


def test_identical_and_silent_signals_have_finite_gradients(pair):
    clean = pair[0]
    for degraded in (clean.clone(), torch.zeros_like(clean), clean * (torch.arange(32000) < 16000)):
        degraded.requires_grad_()
        loss = pesq_loss(clean, degraded)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(degraded.grad).all()
    same = clean.clone().requires_grad_()
    loss = pesq_loss(clean, same)
    assert loss.item() < 1e-6


def test_refused_pairs_give_no_loss_and_no_gradient(pair):
    clean, noisy = pair
    broken = torch.cat([noisy, noisy[:1], torch.zeros_like(noisy[:1]), noisy[:1]])
    broken[2, 100] = torch.nan
    broken.requires_grad_()
    targets = torch.cat([clean, clean[:1], clean[:1], clean[:1]])
    lengths = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.1])
    loss = pesq_loss(targets, broken, lengths)
    loss.backward()
    assert torch.allclose(loss, pesq_loss(clean, noisy), atol=1e-4)
    assert (broken.grad[2:] == 0).all() and (broken.grad[:2] != 0).any(1).all()
    nothing = torch.zeros(1, 8000, requires_grad=True)
    loss = pesq_loss(torch.zeros(1, 8000), nothing)
    loss.backward()
    assert loss.item() == 0 and (nothing.grad == 0).all()


def test_padding_gets_no_gradient(pair):
    clean, noisy = pair[0], pair[1].clone().requires_grad_()
    pesq_loss(clean, noisy, torch.tensor([1.0, 0.5])).backward()
    assert (noisy.grad[1, 16000:] == 0).all() and (noisy.grad[1, :16000] != 0).any()


def test_descent_raises_the_score(pair):
    clean, noisy = pair
    signal = torch.nn.Parameter(noisy.clone())
    optimizer = torch.optim.Adam([signal], 1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        pesq_loss(clean, signal, align=False).backward()
        optimizer.step()
    assert (pesq(clean, signal.detach()) > pesq(clean, noisy) + 0.1).all()


def test_training_after_scoring_in_inference_mode(pair):
    with torch.inference_mode():
        pesq(*pair)
    noisy = pair[1].clone().requires_grad_()
    pesq_loss(pair[0], noisy).backward()
    assert torch.isfinite(noisy.grad).all()


def test_wrong_choices_are_listed(pair):
    with pytest.raises(ValueError, match=r"scale to be one of raw, mos, but got 'dB'"):
        pesq_loss(*pair, scale="dB")
    with pytest.raises(ValueError, match=r"reduction to be one of mean, none, but got 'sum'"):
        pesq_loss(*pair, reduction="sum")
