"""The figures of an epoch's steps: shown on a progress bar, and their means for the log."""

import math

import torch
from tqdm.auto import tqdm


class StepFigures:
    """Figures of the steps of one epoch.

    A step's figures are gathered by `update()`, one network after the other, and read when the step ends:
    reading a tensor waits for the device.

    Example
    -------
    >>> figures = StepFigures()
    >>> for loss in (1.0, 3.0, math.nan):
    ...     figures.update({"loss": loss})
    ...     figures.end_step()
    >>> figures.end_epoch()
    {'loss': 2.0}
    """

    def __init__(self):
        self._newest = {}
        self._sums = {}
        self._bar = None

    def show_bar(self, epoch, steps, done=0):
        """Begins a progress bar.

        Arguments
        ---------
        epoch : int
            Number of the epoch, written before the bar.
        steps : int
            Steps of the epoch.
        done : int
            Steps that an interrupted run did.
        """
        self._bar = tqdm(total=steps, initial=done, desc=f"epoch {epoch}", unit="step", dynamic_ncols=True)

    def update(self, figures):
        """Takes figures of the step: numbers, or tensors of one number, by name."""
        self._newest.update(figures)

    def end_step(self):
        """Adds the step's figures to the means, those that are finite, and moves the bar."""
        for name, value in self._newest.items():
            total, count = self._sums.get(name, (0.0, 0))
            value = float(value)
            if math.isfinite(value):
                self._sums[name] = (total + value, count + 1)
            self._newest[name] = value
        if self._bar is not None:
            self._bar.set_postfix(
                {name: f"{value:.3g}" for name, value in self._newest.items()}, refresh=False
            )
            self._bar.update()

    def end_epoch(self):
        """Ends the bar.

        Returns
        -------
        dict of str to float
            Mean of each figure over the steps where it was finite.
        """
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        return {name: total / count for name, (total, count) in self._sums.items() if count}


def mean_figures(batches):
    """Means over the batches of a validation.

    Arguments
    ---------
    batches : list of dict of str to torch.Tensor
        Figures of each batch, the same ones in all.

    Returns
    -------
    dict of str to float
    """
    names = batches[0] if batches else ()
    return {name: float(torch.stack([figures[name] for figures in batches]).mean()) for name in names}
