"""What a user loads: trained models behind SpeechBrain's ``Pretrained`` interface.

Names are imported when they are first used, so that asking for one costs no more than that one.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sb_resizegan.inference.enhancement import GenerativeEnhancement
    from sb_resizegan.inference.generated_windows import SpeechWindowGenerator
    from sb_resizegan.inference.interfaces import CheckedPretrained
    from sb_resizegan.inference.model_sources import ModelSourceError, shipped_models
    from sb_resizegan.inference.streaming import StreamingEnhancement
    from sb_resizegan.inference.vocoder import Vocoder
    from sb_resizegan.inference.waveform_module import WaveformModule
    from sb_resizegan.inference.weights import SafetensorsPretrainer, load_weights

__all__ = [
    "CheckedPretrained",
    "GenerativeEnhancement",
    "ModelSourceError",
    "SafetensorsPretrainer",
    "SpeechWindowGenerator",
    "StreamingEnhancement",
    "Vocoder",
    "WaveformModule",
    "load_weights",
    "shipped_models",
]

MODULES = {
    "CheckedPretrained": "interfaces",
    "GenerativeEnhancement": "enhancement",
    "ModelSourceError": "model_sources",
    "SafetensorsPretrainer": "weights",
    "SpeechWindowGenerator": "generated_windows",
    "StreamingEnhancement": "streaming",
    "Vocoder": "vocoder",
    "WaveformModule": "waveform_module",
    "load_weights": "weights",
    "shipped_models": "model_sources",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
