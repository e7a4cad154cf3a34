"""From corpora to SpeechBrain manifests."""
