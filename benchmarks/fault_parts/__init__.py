"""The parts of the campaign of faults, `benchmarks/faults.py`."""
