"""Layers: upsampling, downsampling, phase shuffle, mel spectra. They know no model and no recipe."""

from sb_resizegan.nnet.activations import LeakyReLU, Snake
from sb_resizegan.nnet.antialiasing import AntiAliased
from sb_resizegan.nnet.band_limit import BandLimit
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.nnet.phase_shuffle import PhaseShuffle
from sb_resizegan.nnet.upsampling import Upsample1d, interpolate

__all__ = [
    "AntiAliased",
    "BandLimit",
    "Downsample1d",
    "LeakyReLU",
    "MelAnalysis",
    "PhaseShuffle",
    "Snake",
    "Upsample1d",
    "interpolate",
]
