"""Training of generators that restore what was lost."""

from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage

from sb_resizegan.brains.enhancement_brain import EnhancementBrain
from sb_resizegan.brains.modules import unwrap
from sb_resizegan.nnet.utterance_level import utterance_level, valid_samples


class RestorationBrain(EnhancementBrain):
    """Trains a generator that restores: by the energy distance of two draws, and against a critic if one is.

    See `EnhancementBrain`, whose arguments it takes; batches are `RestorationBatch`, all of full length. The
    generator is a `RestoringGenerator`, ``objective`` a `RestorationObjective`. Of a deterministic generator
    both draws are one.
    """

    def generate(self, generator: torch.nn.Module, batch: Any) -> Any:
        """What the generator makes of a batch, a `Restored`: two draws, one where the critic is to learn."""
        noisy, network = batch.noisy, unwrap(self.modules.generator)
        latent = None
        if network.latent_dim:
            latent = torch.cat([self._latent(network, noisy) for _ in range(1 if self._is_critics else 2)])
        level = utterance_level(noisy, valid_samples(batch.lengths, noisy)).squeeze(1)
        return generator(noisy, latent, level, details=True)

    def compute_objectives(self, predictions: Any, batch: Any, stage: Stage) -> torch.Tensor:
        """Loss of the active network; in validation, the objective."""
        noisy, clean, lengths, lost = batch
        first, *others = predictions.waveform.split(len(noisy))
        if stage == sb.Stage.TRAIN and self._is_critics:
            bound, unit = self._critic_of(noisy, lengths)
            return self.critic_objective(bound, clean / unit, first.float() / unit)
        second = others[0] if others else first
        value, figures = self.hparams.objective(first, second, clean, lost, predictions.missing)
        if stage != sb.Stage.TRAIN:
            self.valid_figures.append({"objective": value.detach(), **figures})
            return value
        self.note(figures)
        if self.critic_steps:
            bound, unit = self._critic_of(noisy, lengths)
            adversarial = self.generator_objective(bound, first.float() / unit, clean / unit)
            value = value + self.hparams.adversarial_weight * adversarial
        return value

    @property
    def _is_critics(self) -> bool:
        """Whether this is a step of the critic."""
        return self._stage.startswith(sb.Stage.TRAIN.name) and self.active == "critic"

    def _latent(self, network: Any, noisy: torch.Tensor) -> torch.Tensor:
        return self.draw(
            lambda count, random: network.sample_latent(count, noisy.shape[1], random), len(noisy)
        )
