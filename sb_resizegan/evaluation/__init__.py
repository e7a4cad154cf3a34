"""Scoring enhancers: what they make of noisy speech, beside clean speech. It writes nothing."""
