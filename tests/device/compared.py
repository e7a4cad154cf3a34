"""The same computation on the CPU and on the device."""

import copy

import torch
from torch.utils._pytree import tree_flatten, tree_map


def moved(value, device):
    """A nest of tensors and modules on a device; modules are copied."""

    def move(leaf):
        if isinstance(leaf, torch.nn.Module):
            return copy.deepcopy(leaf).to(device)
        return leaf.detach().to(device) if isinstance(leaf, torch.Tensor) else leaf

    return tree_map(move, value)


def check_same(function, arguments, device, rtol=1e-4, atol=1e-5):
    """Runs a function on the CPU and on the device, and asserts that the tensors it gives are the same.

    Arguments
    ---------
    function : callable
        Takes ``arguments``; gives a nest of tensors.
    arguments : tuple
        Tensors and modules, on the CPU.
    device : torch.device
        The other one.
    rtol, atol : float
        As in ``torch.testing.assert_close``.
    """
    expected, _ = tree_flatten(function(*moved(arguments, "cpu")))
    found, _ = tree_flatten(function(*moved(arguments, device)))
    assert len(found) == len(expected) and expected
    for ours, theirs in zip(found, expected, strict=True):
        if isinstance(theirs, torch.Tensor):
            assert ours.device.type == device.type
            torch.testing.assert_close(ours.detach().cpu(), theirs.detach(), rtol=rtol, atol=atol)
        else:
            assert ours == theirs
