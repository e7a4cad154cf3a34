"""Brains: they order the steps of a training; losses, models and measures do the computing."""

from sb_resizegan.brains.adversarial_brain import AdversarialBrain
from sb_resizegan.brains.enhancement_brain import EnhancementBrain
from sb_resizegan.brains.modules import frozen, unwrap, without_ddp
from sb_resizegan.brains.restoration_brain import RestorationBrain
from sb_resizegan.brains.vocoder_brain import VocoderBrain
from sb_resizegan.brains.window_brain import WGANBrain

__all__ = [
    "AdversarialBrain",
    "EnhancementBrain",
    "RestorationBrain",
    "VocoderBrain",
    "WGANBrain",
    "frozen",
    "unwrap",
    "without_ddp",
]
