"""Objectives of training: adversarial losses, and the objectives of enhancement and of vocoders."""

from sb_resizegan.losses.adversarial import (
    Hinge,
    NonSaturating,
    WassersteinClipping,
    WassersteinGP,
    gradient_norm,
    gradient_penalty,
)
from sb_resizegan.losses.energy_distance import SpectralEnergyDistance
from sb_resizegan.losses.enhancement_objective import EnhancementObjective
from sb_resizegan.losses.relativistic import RelativisticR1R2
from sb_resizegan.losses.restoration_objective import RestorationObjective
from sb_resizegan.losses.vocoder_objective import VocoderObjective, feature_matching, multi_resolution_stft

__all__ = [
    "EnhancementObjective",
    "Hinge",
    "NonSaturating",
    "RelativisticR1R2",
    "RestorationObjective",
    "SpectralEnergyDistance",
    "VocoderObjective",
    "WassersteinClipping",
    "WassersteinGP",
    "feature_matching",
    "gradient_norm",
    "gradient_penalty",
    "multi_resolution_stft",
]
