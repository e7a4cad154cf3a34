"""What has no better room: checkpoints, errors, command lines."""
