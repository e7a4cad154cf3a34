"""The figures of an epoch's steps: shown on a progress bar, and their means for the log."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tqdm.auto import tqdm

from sb_resizegan.utils.processes import gathered, interleaved


class StepFigures:
    """Figures of the steps of one epoch.

    A step's figures are gathered by `update()`, one network after the other, and read some steps at a
    time: reading makes the host wait for the device, and one copy of many numbers is as long as one of one.

    Arguments
    ---------
    log_every : int
        Steps between two readings.

    Example
    -------
    >>> figures = StepFigures(log_every=2)
    >>> for loss in (1.0, 3.0, math.nan):
    ...     figures.update({"loss": torch.tensor(loss)})
    ...     figures.count("losses that are not finite", ~torch.tensor(loss).isfinite())
    ...     _ = figures.end_step()
    >>> figures.end_epoch()
    {'loss': 2.0}
    >>> figures.counted["losses that are not finite"]
    1
    """

    def __init__(self, log_every: int = 1) -> None:
        self.log_every = log_every
        self.counted: dict[str, int] = {}
        """How often each event was so far, as of the last reading."""
        self._step: dict[str, torch.Tensor] = {}
        self._events: dict[str, torch.Tensor] = {}
        self._waiting: list = []
        self._newest: dict[str, float] = {}
        self._sums: dict[str, tuple[float, float]] = {}
        self._bar: Any = None

    def show_bar(self, epoch: int, steps: int, done: int = 0) -> None:
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

    def update(self, figures: Mapping[str, torch.Tensor]) -> None:
        """Takes figures of the step: numbers, or tensors of one number, by name."""
        self._step.update(figures)

    def count(self, event: str, happened: torch.Tensor) -> None:
        """Counts an event: ``happened`` is a tensor of one truth value."""
        seen = happened.detach().float()
        self._events[event] = self._events[event] + seen if event in self._events else seen

    def end_step(self) -> bool:
        """Ends a step.

        Returns
        -------
        bool
            Whether the figures, and the events counted, were read.
        """
        # Together on their device: of many steps, single numbers would be many copies.
        names = list(self._step)
        device = next((v.device for v in self._step.values() if isinstance(v, torch.Tensor)), None)
        values = [torch.as_tensor(value, device=device).detach().float() for value in self._step.values()]
        self._waiting.append((names, torch.stack(values) if values else None))
        self._step = {}
        if self._bar is not None:
            self._bar.update()
        if len(self._waiting) < self.log_every:
            return False
        self.read()
        return True

    def read(self) -> None:
        """Reads what waits: adds the figures that are finite to the means, and counts events."""
        events = list(self._events)
        parts = [values for _, values in self._waiting if values is not None]
        if events:
            parts.append(torch.stack(list(self._events.values())))
        numbers = iter(torch.cat(parts).tolist() if parts else ())
        for names, _ in self._waiting:
            for name in names:
                value = next(numbers)
                total, count = self._sums.get(name, (0.0, 0))
                if math.isfinite(value):
                    self._sums[name] = (total + value, count + 1)
                self._newest[name] = value
        for event in events:
            self.counted[event] = self.counted.get(event, 0) + round(next(numbers))
        self._waiting, self._events = [], {}
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.3g}" for name, value in self._newest.items()})

    def end_epoch(self) -> dict[str, float]:
        """Reads what waits, and ends the bar.

        Returns
        -------
        dict of str to float
            Mean of each figure over the steps where it was finite, of all processes.
        """
        self.read()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        sums: dict[str, tuple[float, int]] = {}
        for own in gathered(self._sums):
            for name, (total, count) in own.items():
                before = sums.get(name, (0.0, 0))
                sums[name] = (before[0] + total, before[1] + count)
        return {name: total / count for name, (total, count) in sums.items() if count}


def mean_figures(batches: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, float]:
    """Means over the batches of a validation, of all processes.

    Arguments
    ---------
    batches : list of dict of str to torch.Tensor
        Figures of each batch of this process's share, the same ones in all.

    Returns
    -------
    dict of str to float
    """
    names = list(batches[0]) if batches else []
    # Read in one copy.
    rows = [torch.stack([part[name].detach().float() for name in names]) for part in batches]
    shares = gathered((names, torch.stack(rows).tolist() if rows else []))
    names = next((names for names, _ in shares if names), [])
    means = torch.tensor(interleaved(rows for _, rows in shares)).reshape(-1, len(names)).mean(0)
    return dict(zip(names, means.tolist(), strict=True))
