"""How the learning rate falls over a training."""

import math

__all__ = ["CosineScheduler"]


class CosineScheduler:
    """Half a cosine from one value in the first epoch down to another one behind the last.

    Arguments
    ---------
    initial_value, final_value : float
        The two values.
    epoch_count : int
        Epochs of the whole training.

    Example
    -------
    >>> schedule = CosineScheduler(1.0, 0.0, 4)
    >>> [round(schedule(epoch)[0], 3) for epoch in (1, 2, 3, 4, 5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, initial_value: float, final_value: float, epoch_count: int) -> None:
        self.initial_value, self.final_value = initial_value, final_value
        self.epoch_count = epoch_count

    def __call__(self, epoch: int) -> tuple[float, float]:
        """Values in an epoch, counted from 1, and in the next one; SpeechBrain's form of a scheduler."""
        return self._value(epoch - 1), self._value(epoch)

    def _value(self, done: int) -> float:
        place = min(max(done, 0) / self.epoch_count, 1)
        return (
            self.final_value + (self.initial_value - self.final_value) * (1 + math.cos(math.pi * place)) / 2
        )
