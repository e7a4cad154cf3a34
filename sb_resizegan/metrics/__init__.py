"""Measures on waveforms: artefacts, distributions, PESQ. They know no model."""
