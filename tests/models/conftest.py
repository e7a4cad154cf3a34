"""The models' tests draw random signals and weights: the same ones in every run."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
