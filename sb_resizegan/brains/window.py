"""Training of generators of speech windows."""

import speechbrain as sb
import torch

from sb_resizegan.brains.adversarial import AdversarialBrain
from sb_resizegan.brains.modules import unwrap


class WGANBrain(AdversarialBrain):
    """Trains a generator of windows against a critic.

    See :class:`~sb_resizegan.brains.adversarial.AdversarialBrain`, whose arguments it takes; batches are real
    windows ``(batch, time)``. The modules are ``generator`` (with ``sample_latent(batch, generator)``) and
    ``critic`` (with ``draw_shifts(batch, generator)``). The figure in validation is ``score_gap``, the mean
    score of real windows less that of generated ones.
    """

    def __init__(self, modules, hparams, *args, **kwargs):
        if hparams.get("critic_steps") == 0:
            raise ValueError("critic_steps: expected at least 1, but got 0")
        super().__init__(modules, hparams, *args, **kwargs)

    def generate(self, generator, batch):
        """Windows ``(batch, time)``."""
        return generator(self.draw(unwrap(self.modules.generator).sample_latent, len(batch)))

    def compute_objectives(self, predictions, batch, stage):
        """Loss of the active network; in validation, minus the gap of mean scores of real and generated."""
        real = batch.to(self.device)

        def bound(critic):
            draw_shifts = unwrap(critic).draw_shifts

            def score(candidates):
                # The losses score real and generated windows in one call.
                calls = len(candidates) // len(real)
                return critic(
                    candidates, torch.cat([self.draw(draw_shifts, len(real)) for _ in range(calls)])
                )

            return score

        if stage != sb.Stage.TRAIN:
            scores = unwrap(self.modules.critic)(torch.cat([real, predictions])).float()
            gap = scores[: len(real)].mean() - scores[len(real) :].mean()
            self.valid_figures.append({"score_gap": gap})
            return -gap
        if self.active == "critic":
            return self.critic_objective(bound, real, predictions)
        return self.generator_objective(bound, predictions, real)
