"""Training of generators of speech windows."""

from collections.abc import Callable, Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage

from sb_resizegan.brains.adversarial_brain import AdversarialBrain
from sb_resizegan.brains.modules import unwrap


class WGANBrain(AdversarialBrain):
    """Trains a generator of windows against a critic, by the spectral energy distance, or by both.

    See `AdversarialBrain`, whose arguments it takes; batches are real
    windows ``(batch, time)``. The modules are ``generator`` (with ``sample_latent(batch, generator)``) and
    ``critic`` (with ``draw_shifts(batch, generator)``). Further hyperparameters, both optional, are
    ``energy_distance``, a `SpectralEnergyDistance`, and ``energy_weight``, by
    which the generator minimises it beside the adversarial loss; with an ``energy_weight`` above 0
    ``critic_steps`` may be 0. The figures in validation are ``score_gap``, the mean score of real windows
    less that of generated ones, and ``energy``, each where it is trained with.
    """

    def __init__(
        self, modules: Mapping[str, torch.nn.Module], hparams: Mapping[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        self.energy_weight = hparams.get("energy_weight", 0.0)
        if not self.energy_weight >= 0:
            raise ValueError(f"energy_weight: expected at least 0, but got {self.energy_weight}")
        if hparams.get("critic_steps") == 0 and not self.energy_weight:
            raise ValueError("critic_steps: expected at least 1, or an energy_weight above 0, but got 0")
        super().__init__(modules, hparams, *args, **kwargs)

    def generate(self, generator: torch.nn.Module, batch: Any) -> torch.Tensor:
        """Windows ``(batch, time)``."""
        return generator(self.draw(unwrap(self.modules.generator).sample_latent, len(batch)))

    def compute_objectives(self, predictions: torch.Tensor, batch: Any, stage: Stage) -> torch.Tensor:
        """Loss of the active network; in validation, the generator's, with the score gap for its critic's."""
        real = batch
        if stage == sb.Stage.TRAIN and self.active == "critic":
            return self.critic_objective(self._bound(real), real, predictions)
        value, figures = predictions.new_zeros(()), {}
        if self.energy_weight:
            figures["energy"] = self.hparams.energy_distance.over_batch(real, predictions)
            value = value + self.energy_weight * figures["energy"]
        if stage != sb.Stage.TRAIN:
            if self.critic_steps:
                scores = unwrap(self.modules.critic)(torch.cat([real, predictions])).float()
                figures["score_gap"] = scores[: len(real)].mean() - scores[len(real) :].mean()
                value = value - figures["score_gap"]
            self.valid_figures.append(figures)
            return value
        self.note({name: figure.detach() for name, figure in figures.items()})
        if self.critic_steps:
            value = value + self.generator_objective(self._bound(real), predictions, real)
        return value

    def _bound(self, real: torch.Tensor) -> Callable:
        """From a critic to the function that scores candidates of a step; each call draws its shifts."""

        def bound(critic: Any) -> Callable[[torch.Tensor], torch.Tensor]:
            draw_shifts = unwrap(critic).draw_shifts

            def score(candidates: torch.Tensor) -> torch.Tensor:
                # The losses score real and generated windows in one call.
                calls = len(candidates) // len(real)
                shifts = torch.cat([self.draw(draw_shifts, len(real)) for _ in range(calls)])
                return critic(candidates, shifts)

            return score

        return bound
