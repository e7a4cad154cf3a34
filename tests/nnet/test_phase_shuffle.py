"""Phase shuffle against NumPy, its random draws, and its derivatives."""

import numpy as np
import pytest
import torch

from sb_resizegan.nnet.phase_shuffle import PhaseShuffle


def shift_by_numpy(x, shifts, n):
    padded = np.pad(x, ((0, 0), (0, 0), (n, n)), mode="reflect")
    return np.stack(
        [example[:, n - d : n - d + x.shape[2]] for example, d in zip(padded, shifts, strict=True)]
    )


@pytest.mark.parametrize(("n", "time"), ((1, 2), (2, 8), (3, 4), (5, 16)))
def test_agrees_with_reflection_padding(n, time):
    shifts = torch.arange(-n, n + 1)
    x = torch.randn(2 * n + 1, 3, time)
    y = PhaseShuffle(n)(x, shifts)
    assert np.array_equal(y.numpy(), shift_by_numpy(x.numpy(), shifts.tolist(), n))


@pytest.mark.parametrize(
    "shift", (-2, torch.tensor(-2), torch.tensor([-2, -2, -2]), torch.tensor(-2, dtype=torch.int8))
)
def test_one_shift_serves_all_examples(shift):
    x = torch.randn(3, 2, 9)
    assert np.array_equal(PhaseShuffle(2)(x, shift).numpy(), shift_by_numpy(x.numpy(), [-2] * 3, 2))


def test_draws_every_shift_about_equally_often():
    drawn = PhaseShuffle(2).draw(5000, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn + 2, minlength=5)
    assert counts.sum() == 5000 and len(counts) == 5
    # six standard deviations of a binomial count
    assert (counts - 1000).abs().max() < 6 * (5000 * 0.2 * 0.8) ** 0.5


def test_draws_one_shift_a_batch_on_demand():
    layer = PhaseShuffle(4, per_example=False)
    generator = torch.Generator().manual_seed(0)
    draws = [layer.draw(8, generator) for _ in range(20)]
    assert all(len(set(draw.tolist())) == 1 and draw.shape == (8,) for draw in draws)
    assert len({int(draw[0]) for draw in draws}) > 4


def test_a_generator_gives_the_same_shifts_again():
    layer = PhaseShuffle(3)
    draws = [layer.draw(32, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_shifts_in_training_alone():
    x = torch.randn(64, 1, 32)
    layer = PhaseShuffle(2)
    torch.manual_seed(0)
    shuffled = layer(x)
    torch.manual_seed(0)
    assert torch.equal(shuffled, layer(x, layer.draw(64)))
    assert not torch.equal(shuffled, x)
    layer.eval()
    assert torch.equal(layer(x), x)
    assert not torch.equal(layer(x, 1), x)


def test_without_shift_nothing_changes():
    x = torch.randn(4, 2, 8)
    assert torch.equal(PhaseShuffle(0)(x), x)
    assert torch.equal(PhaseShuffle(2)(x, 0), x)


@pytest.mark.parametrize("time", (4, 6, 20))
def test_derivatives_agree_with_finite_differences(time):
    x = torch.randn(7, 2, time, dtype=torch.double, requires_grad=True)
    shifts = torch.arange(-3, 4)

    def function(x):
        return PhaseShuffle(3)(x, shifts)

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="n: expected at least 0, but got -1"):
        PhaseShuffle(-1)
    with pytest.raises(TypeError, match="n: expected an integer"):
        PhaseShuffle(1.5)
    layer = PhaseShuffle(2)
    with pytest.raises(ValueError, match="more than n = 2 samples"):
        layer(torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match=r"\(batch, channels, time\)"):
        layer(torch.zeros(4, 8))
    with pytest.raises(ValueError, match=r"shift: expected shape \(3,\)"):
        layer(torch.zeros(3, 1, 8), torch.zeros(2, dtype=torch.long))
    with pytest.raises(TypeError, match="shift: expected integers"):
        layer(torch.zeros(3, 1, 8), torch.zeros(3))
    with pytest.raises(ValueError, match="shift: expected values from -2 to 2"):
        layer(torch.zeros(2, 1, 8), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="shift: expected values from -2 to 2"):
        layer(torch.zeros(2, 1, 8), -3)
