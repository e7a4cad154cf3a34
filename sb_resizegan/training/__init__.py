"""What surrounds a Brain: run, loader, checkpoints, loggers, monitors, export."""
