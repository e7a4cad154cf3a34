"""The GRU gives what PyTorch's gives, gradients included."""

import pytest
import torch

from sb_resizegan.nnet.recurrent import GRU


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_values_and_gradients_are_those_of_pytorch(bidirectional, with_state):
    torch.manual_seed(0)
    ours = GRU(6, 5, bidirectional).double()
    theirs = torch.nn.GRU(6, 5, bidirectional=bidirectional).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(7, 3, 6, dtype=torch.double, requires_grad=True)
    directions = 2 if bidirectional else 1
    state = torch.randn(directions, 3, 5, dtype=torch.double, requires_grad=True) if with_state else None
    weight = torch.randn(7, 3, 5 * directions, dtype=torch.double)
    results = []
    for layer in (ours, theirs):
        output, last = layer(x, state)
        inputs = [x, *layer.parameters()] + ([state] if with_state else [])
        gradients = torch.autograd.grad((output * weight).sum() + last.square().sum(), inputs)
        results.append([output, last, *gradients])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-12)


def test_without_gradients_it_gives_the_same():
    torch.manual_seed(0)
    layer = GRU(6, 5, bidirectional=True)
    x = torch.randn(7, 3, 6)
    with torch.no_grad():
        without = layer(x)[0]
    torch.testing.assert_close(layer(x)[0], without)


def test_one_step_and_one_sequence():
    layer = GRU(4, 3)
    x = torch.randn(1, 1, 4, requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad.abs().max() > 0
