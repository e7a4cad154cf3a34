# Written by sb_resizegan: what speechbrain.inference.interfaces.foreign_class loads.
from sb_resizegan.inference import Vocoder as CustomInterface

__all__ = ["CustomInterface"]
