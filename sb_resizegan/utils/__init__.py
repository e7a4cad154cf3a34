"""Below all other rooms: checks, files, locks, random numbers, yaml. They know nothing of sound or models."""
