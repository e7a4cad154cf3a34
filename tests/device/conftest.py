"""The device for the tests that run in a process of their own (see test_device.py)."""

import pytest
import torch

from tests.device import virtual


@pytest.fixture(scope="session")
def device():
    """The device that is not there."""
    if not virtual.AVAILABLE:
        pytest.skip(virtual.REASON)
    virtual.register()
    return torch.device(virtual.NAME, 0)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
