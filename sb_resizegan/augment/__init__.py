"""What makes speech worse: mixing with noise, rooms, perturbation."""
