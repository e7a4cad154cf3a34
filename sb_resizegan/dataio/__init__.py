"""Corpora, manifests and windows of speech. They know no model."""
