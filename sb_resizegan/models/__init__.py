"""Networks built of the layers of `sb_resizegan.nnet`."""

from sb_resizegan.models.conditional_critic import ConditionalCritic
from sb_resizegan.models.conditional_spectral_critic import ConditionalSpectralCritic
from sb_resizegan.models.critic import WindowCritic
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.random_window_critic import RandomWindowCritic
from sb_resizegan.models.restoring_generator import RestoringGenerator
from sb_resizegan.models.source_filter_generator import SourceFilterGenerator
from sb_resizegan.models.spectral_critic import CriticSum, SpectralCritic
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.models.vocoder_critic import VocoderCritic
from sb_resizegan.models.vocoder_generator import VocoderGenerator
from sb_resizegan.models.waveform_generator import WaveformGenerator
from sb_resizegan.models.window_generator import WindowGenerator

__all__ = [
    "ConditionalCritic",
    "ConditionalSpectralCritic",
    "CriticSum",
    "FollowingGenerator",
    "RandomWindowCritic",
    "RestoringGenerator",
    "SourceFilterGenerator",
    "SpectralCritic",
    "SpectralGenerator",
    "VocoderCritic",
    "VocoderGenerator",
    "WaveformGenerator",
    "WindowCritic",
    "WindowGenerator",
]
