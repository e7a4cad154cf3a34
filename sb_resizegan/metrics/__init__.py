"""Measures: tensors in, numbers out. They know no model and no file."""

# The function takes the place of its package's name here: ``from sb_resizegan.metrics import pesq``.
from sb_resizegan.metrics.pesq import PesqStats, pesq, pesq_loss

__all__ = ["PesqStats", "pesq", "pesq_loss"]
