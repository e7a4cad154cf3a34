"""Objectives of training: adversarial losses, and the objective of enhancement."""

from sb_resizegan.losses.adversarial import (
    Hinge,
    NonSaturating,
    WassersteinClipping,
    WassersteinGP,
    gradient_norm,
    gradient_penalty,
)
from sb_resizegan.losses.energy_distance import SpectralEnergyDistance
from sb_resizegan.losses.enhancement import EnhancementObjective
from sb_resizegan.losses.relativistic import RelativisticR1R2

__all__ = [
    "EnhancementObjective",
    "Hinge",
    "NonSaturating",
    "RelativisticR1R2",
    "SpectralEnergyDistance",
    "WassersteinClipping",
    "WassersteinGP",
    "gradient_norm",
    "gradient_penalty",
]
