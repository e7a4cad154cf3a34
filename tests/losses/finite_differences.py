"""Gradients of a loss against finite differences, in float64."""

import pytest


def check_gradients(network, value, absolute, step=1e-6):
    """Every number of every parameter is moved up and down; ``value()`` is the loss."""
    value().backward()
    for name, parameter in network.named_parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for index in range(len(flat)):
            centre = flat[index].item()
            flat[index] = centre + step
            above = value().item()
            flat[index] = centre - step
            below = value().item()
            flat[index] = centre
            difference = (above - below) / (2 * step)
            assert gradient[index].item() == pytest.approx(difference, rel=1e-5, abs=absolute), name
