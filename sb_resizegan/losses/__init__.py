"""Objectives of training: adversarial losses, and the objective of enhancement."""

from sb_resizegan.losses.adversarial import (
    Hinge,
    NonSaturating,
    WassersteinClipping,
    WassersteinGP,
    gradient_norm,
    gradient_penalty,
)
from sb_resizegan.losses.enhancement import EnhancementObjective

__all__ = [
    "EnhancementObjective",
    "Hinge",
    "NonSaturating",
    "WassersteinClipping",
    "WassersteinGP",
    "gradient_norm",
    "gradient_penalty",
]
