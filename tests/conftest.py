"""Fixtures shared by all tests."""

import torch

torch.set_flush_denormal(True)
