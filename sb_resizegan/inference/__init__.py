"""What a user loads: trained models behind SpeechBrain's ``Pretrained`` interface."""

from sb_resizegan.inference.enhancement import GenerativeEnhancement
from sb_resizegan.inference.interfaces import CheckedPretrained, load_weights
from sb_resizegan.inference.model_sources import ModelSourceError, shipped_models
from sb_resizegan.inference.windows import SpeechWindowGenerator

__all__ = [
    "CheckedPretrained",
    "GenerativeEnhancement",
    "ModelSourceError",
    "SpeechWindowGenerator",
    "load_weights",
    "shipped_models",
]
