"""Training of vocoders: mel spectra of real speech to waveforms, against GAN-TTS's critics."""

from collections.abc import Callable, Mapping
from typing import Any

import speechbrain as sb
import torch
from speechbrain import Stage

from sb_resizegan.brains.adversarial_brain import AdversarialBrain
from sb_resizegan.brains.modules import frozen, unwrap, without_ddp
from sb_resizegan.losses.vocoder_objective import feature_matching


class VocoderBrain(AdversarialBrain):
    """Trains a generator of waveforms from mel spectra, by an objective, against critics, or by both.

    See `AdversarialBrain`, whose arguments it takes; batches are real windows ``(batch, time)``. Of each, the
    mel spectrum is taken where its analysis windows lie within (`MelAnalysis`, not centred), and the waveform
    of these frames is what the generator shall make: half an analysis window less at either end.

    The modules are ``generator`` (a `VocoderGenerator`) and ``critic`` (a `VocoderCritic` or
    `RandomWindowCritic`). Further hyperparameters are ``objective``, a `VocoderObjective`;
    ``adversarial_weight``, of the adversarial loss beside it; and ``feature_weight``, of feature matching.
    ``critic_steps`` may be 0. The figures in validation are the objective's terms.
    """

    def __init__(
        self, modules: Mapping[str, torch.nn.Module], hparams: Mapping[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        for key in ("objective", "adversarial_weight", "feature_weight"):
            if key not in hparams:
                raise ValueError(f"hparams: expected {key}, but it is missing")
        for key in ("adversarial_weight", "feature_weight"):
            if not hparams[key] >= 0:
                raise ValueError(f"{key}: expected at least 0, but got {hparams[key]}")
        super().__init__(modules, hparams, *args, **kwargs)
        self.hparams.objective.analysis.to(self.device)

    def condition(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mel spectra of windows, and the waveforms that go with their frames.

        Arguments
        ---------
        windows : torch.Tensor
            ``(batch, time)``, longer than an analysis window.

        Returns
        -------
        mel : torch.Tensor
            ``(batch, n_mels, frames)``.
        waveforms : torch.Tensor
            ``(batch, frames * hop_length)``; frame ``i`` is centred on sample ``i * hop_length``.
        """
        analysis = self.hparams.objective.analysis
        mel = analysis(windows, centred=False)
        first = analysis.n_fft // 2
        samples = min(mel.shape[2], (windows.shape[1] - first) // analysis.hop_length) * analysis.hop_length
        return mel[:, :, : samples // analysis.hop_length], windows[:, first : first + samples]

    @property
    def draws(self) -> int:
        """Waveforms of each mel spectrum in this step: two where the distance between draws counts."""
        for_critic = self._stage.startswith(sb.Stage.TRAIN.name) and self.active == "critic"
        return 2 if "energy" in self.hparams.objective.weights and not for_critic else 1

    def generate(self, generator: torch.nn.Module, batch: Any) -> torch.Tensor:
        """Waveforms ``(draws * batch, frames * hop_length)``, the draws of a whole batch in turn."""
        mel, _ = self.condition(batch)
        network = unwrap(self.modules.generator)
        latent = torch.cat([self.draw(network.sample_latent, len(mel)) for _ in range(self.draws)])
        if not getattr(network, "shares_draws", False):
            mel = mel.repeat(self.draws, 1, 1)
        return generator(mel, latent)

    def compute_objectives(self, predictions: torch.Tensor, batch: Any, stage: Stage) -> torch.Tensor:
        """Loss of the active network; in validation, the objective."""
        mel, real = self.condition(batch)
        training = stage == sb.Stage.TRAIN
        if training and self.active == "critic":
            return self.critic_objective(self._bound(mel), real, predictions)
        predictions, second = predictions.chunk(2) if self.draws == 2 else (predictions, None)
        value, figures = self.hparams.objective(predictions, real, second)
        if not training:
            self.valid_figures.append(figures)
            return value
        self.note(figures)
        if self.critic_steps and self.hparams.adversarial_weight:
            value = value + self._adversarial(mel, predictions, real)
        return value

    def _adversarial(self, mel: torch.Tensor, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """The generator's adversarial loss and feature matching."""
        features = {}
        bound = self._bound(mel, lambda candidates, own: features.update({candidates is real: own}))
        value = self.hparams.adversarial_weight * self.generator_objective(bound, fake, real)
        if self.hparams.feature_weight:
            critic = without_ddp(self.modules.critic)
            if True not in features:  # a loss that does not look at real speech
                with frozen(critic), torch.no_grad():
                    bound(critic)(real)
            matching = feature_matching(features[True], features[False])
            self.note({"features": matching.detach()})
            value = value + self.hparams.feature_weight * matching
        return value

    def _bound(self, mel: torch.Tensor, keep: Callable | None = None) -> Callable:
        """From a critic to the function that scores candidates of a step, all in the same windows.

        ``keep``, if given, is told each call's candidates and features.
        """
        critic = unwrap(self.modules.critic)
        starts = self.draw(lambda count, random: critic.draw_starts(count, mel.shape[2], random), len(mel))

        def bound(critic: Any) -> Callable[[torch.Tensor], torch.Tensor]:
            def score(candidates: torch.Tensor) -> torch.Tensor:
                if keep is None:
                    return critic(candidates, mel, starts)
                scores, features = critic.scores_and_features(candidates, mel, starts)
                keep(candidates, features)
                return scores

            return score

        return bound
