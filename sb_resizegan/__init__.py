"""Adversarial speech generation without upsampling artefacts, for SpeechBrain."""

__version__ = "0.1.0"
