"""Training of generators of enhanced speech."""

from collections.abc import Callable, Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage

from sb_resizegan.brains.adversarial_brain import AdversarialBrain
from sb_resizegan.brains.modules import unwrap
from sb_resizegan.dataio.noisy_batch import as_noisy_batch
from sb_resizegan.nnet.utterance_level import utterance_level, valid_samples


class EnhancementBrain(AdversarialBrain):
    """Trains a generator of enhanced speech, against a conditional critic or by regression alone.

    See `AdversarialBrain`, whose arguments it takes; batches are `NoisyBatch`, or SpeechBrain's
    ``PaddedBatch`` with ``noisy_sig`` and ``clean_sig``. The modules are ``generator``,
    an `EnhancementGenerator`, and ``critic``, called with candidate, noisy speech, lengths and shifts.
    Further hyperparameters are ``objective``, an `EnhancementObjective`, and ``adversarial_weight``. The
    generator minimises the first plus so much of the adversarial loss. The figures in validation are the
    terms of the objective.
    """

    def __init__(
        self, modules: Mapping[str, torch.nn.Module], hparams: Mapping[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        missing = [key for key in ("objective", "adversarial_weight") if key not in hparams]
        if missing:
            raise ValueError(
                f"hparams: expected 'objective' and 'adversarial_weight', but {missing} are missing"
            )
        super().__init__(modules, hparams, *args, **kwargs)

    def moved(self, batch: Any) -> Any:
        """A batch on the Brain's device; one that SpeechBrain has padded becomes a `NoisyBatch`."""
        # This project's own, of whichever training, are tuples.
        return super().moved(batch if isinstance(batch, tuple) else as_noisy_batch(batch))

    def generate(self, generator: torch.nn.Module, batch: Any) -> torch.Tensor:
        """Enhanced speech ``(batch, time)``."""
        noisy = batch.noisy
        network = unwrap(self.modules.generator)
        latent = None
        if network.latent_dim:
            latent = self.draw(
                lambda count, random: network.sample_latent(count, noisy.shape[1], random), len(noisy)
            )
        # Padding shall not change the level of an utterance.
        valid = valid_samples(batch.lengths, noisy)
        level = None if network.causal else utterance_level(noisy, valid).squeeze(1)
        return generator(noisy, latent, level)

    def compute_objectives(self, predictions: torch.Tensor, batch: Any, stage: Stage) -> torch.Tensor:
        """Loss of the active network; in validation, the objective."""
        noisy, clean, lengths = batch
        if stage == sb.Stage.TRAIN and self.active == "critic":
            bound, unit = self._critic_of(noisy, lengths)
            return self.critic_objective(bound, clean / unit, predictions.float() / unit)
        value, figures = self.hparams.objective(predictions, clean, lengths)
        if stage != sb.Stage.TRAIN:
            self.valid_figures.append({"objective": value.detach(), **figures})
            return value
        self.note(figures)
        if self.critic_steps:
            bound, unit = self._critic_of(noisy, lengths)
            adversarial = self.generator_objective(bound, predictions.float() / unit, clean / unit)
            value = value + self.hparams.adversarial_weight * adversarial
        return value

    def _critic_of(self, noisy: torch.Tensor, lengths: torch.Tensor) -> tuple[Callable, torch.Tensor]:
        """The critic bound to noisy speech, and the unit in which it wants its candidates."""
        unit = unwrap(self.modules.critic).distance_unit(noisy, lengths)
        condition = noisy / unit

        def bound(critic: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
            draw_shifts = unwrap(critic).draw_shifts

            def score(candidates: torch.Tensor) -> torch.Tensor:
                # The losses score clean and enhanced speech in one call.
                calls = len(candidates) // len(noisy)
                shifts = torch.cat([self.draw(draw_shifts, len(noisy)) for _ in range(calls)])
                return critic(candidates, condition.repeat(calls, 1), lengths.repeat(calls), shifts)

            return score

        return bound, unit
