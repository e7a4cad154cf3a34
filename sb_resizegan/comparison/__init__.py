"""Many trainings: a grid read from a yaml, run, and gathered into one table, figures and a page."""
