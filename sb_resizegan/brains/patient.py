"""Steps of a training in which the host waits for nothing that a GPU computes."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage
from speechbrain.utils.logger import get_logger

from sb_resizegan.brains.guard import StepGuard
from sb_resizegan.brains.step_figures import StepFigures
from sb_resizegan.utils.processes import Share

logger = get_logger(__name__)

# Counted on the device.
LOSSES, STEPS = "losses that are not finite", "steps that were left out"


class PatientBrain(sb.Brain):
    """A Brain that reads what a GPU computes every ``log_every`` steps only.

    Where SpeechBrain's reads the loss of each batch, and needs to know of each gradient whether it is finite,
    this one counts on the device, takes steps back there (`StepGuard`), and
    ends a training of losses that are not finite when it reads the figures. On a CPU, where nothing waits, it
    knows at once. With float16, SpeechBrain's scaler reads whether gradients are finite in each step.

    A subclass says which network the next step changes (``active``), what else changes with it
    (`also_changed()`), and what follows (`follow_step()`).
    """

    @property
    def active(self) -> str:
        """Name of the network, and of its optimizer, that the next step changes."""
        raise NotImplementedError(f"{type(self).__name__} has no active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.figures = StepFigures()
        self._guards: dict[str, StepGuard] = {}
        self._left_out = 0
        super().__init__(*args, **kwargs)

    def fit_batch(self, batch: Any) -> torch.Tensor:
        """One batch, as SpeechBrain does it, but for two things: the batch is moved here, once, and the loss
        stays where it is."""
        batch = self.moved(batch)
        should_step = self.step % self.grad_accumulation_factor == 0
        self.on_fit_batch_start(batch, should_step)
        with self.no_sync(not should_step):
            with self.training_ctx:
                outputs = self.compute_forward(batch, sb.Stage.TRAIN)
                loss = self.compute_objectives(outputs, batch, sb.Stage.TRAIN)
            scaled_loss = self.scaler.scale(loss / self.grad_accumulation_factor)
            self.check_loss_isfinite(scaled_loss)
            scaled_loss.backward()
        if should_step:
            self.optimizers_step()
        self.on_fit_batch_end(batch, outputs, loss, should_step)
        return loss.detach()

    def evaluate_batch(self, batch: Any, stage: Stage) -> torch.Tensor:
        """One batch of a validation; the loss stays where it is."""
        batch = self.moved(batch)
        with self.evaluation_ctx:
            outputs = self.compute_forward(batch, stage)
            return self.compute_objectives(outputs, batch, stage).detach()

    def _fit_valid(self, valid_set: Any, epoch: int, enable: bool) -> None:
        # Each process takes its share of the batches; their figures are brought together at the end.
        super()._fit_valid(None if valid_set is None else Share(valid_set), epoch, enable)

    def moved(self, batch: Any) -> Any:
        """A batch of the loader on the Brain's device."""
        return batch.to(self.device, non_blocking=True)

    def update_average(self, loss: torch.Tensor, avg_loss: float) -> float:
        """SpeechBrain's running mean of the loss; NaN where to keep it the host would wait for a GPU."""
        return super().update_average(loss, avg_loss) if loss.device.type == "cpu" else math.nan

    def check_loss_isfinite(self, loss: torch.Tensor) -> None:
        """Ends a training whose losses are not finite; on a GPU, when the figures are read."""
        if loss.device.type == "cpu":
            super().check_loss_isfinite(loss)
        else:
            self.figures.count(LOSSES, ~loss.isfinite())

    def optimizers_step(self) -> None:
        """One step of the active network; left out, as by float16's scaler, if its gradient is not finite."""
        active = self.active
        if self.scaler.is_enabled():
            super().optimizers_step()
            self.follow_step(active)
            return
        optimizer = self.optimizers_dict[active]
        guard = self._guards.setdefault(active, StepGuard())
        norm = torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], self.max_grad_norm)
        if guard.begin(optimizer, norm, self.also_changed(active)):
            optimizer.step()
            self.follow_step(active)
            guard.end()
        self.figures.count(STEPS, ~guard.finite)
        optimizer.zero_grad(set_to_none=True)
        self.optimizer_step += 1

    def also_changed(self, active: str) -> Iterable[torch.Tensor]:
        """What a step changes besides the network's own parameters."""
        return ()

    def follow_step(self, active: str) -> None:
        """Called after each step that was taken."""

    def note(self, figures: Mapping[str, torch.Tensor]) -> None:
        """Takes figures of this step for the bar and the logs."""
        self.figures.update(figures)

    def begin_figures(self) -> None:
        """At the begin of an epoch."""
        self.figures = StepFigures(getattr(self.hparams, "log_every", 1))
        self._left_out = 0

    def end_figures_of_step(self) -> None:
        """At the end of a step, of whatever counts as one."""
        if self.figures.end_step():
            self._check_events()

    def end_figures(self) -> dict[str, float]:
        """At the end of an epoch; returns the means."""
        means = self.figures.end_epoch()
        self._check_events()
        return means

    def _check_events(self) -> None:
        """Says what was not finite since the last reading of the figures."""
        counted = self.figures.counted
        if counted.get(STEPS, 0) > self._left_out:
            logger.warning(
                f"up to batch {self.step} of the epoch: {counted[STEPS] - self._left_out} steps of "
                "optimizers left out, for their gradient was not finite"
            )
            self._left_out = counted[STEPS]
        for _ in range(counted.get(LOSSES, 0) - self.nonfinite_count):
            super().check_loss_isfinite(torch.tensor(math.nan))
