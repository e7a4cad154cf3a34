"""Layers: upsampling, downsampling, phase shuffle. They know no model and no recipe."""
