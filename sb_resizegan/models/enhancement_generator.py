"""What all generators of enhanced speech share: latents, level normalisation, inputs of any length."""

import torch
from torch import nn

from sb_resizegan.nnet.utterance_level import divided_by_level, utterance_level
from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_normal


class EnhancementGenerator(nn.Module):
    """Base of generators that turn noisy speech into enhanced speech of the same length.

    A subclass defines ``enhance(noisy, latent)``, which takes speech of unit RMS (of any level, if causal)
    and returns ``(batch, time)``.

    Arguments
    ---------
    latent_dim : int
        Size of the latent vectors; 0 for a deterministic model.
    latent_hop : int
        Samples for each of them.
    causal : bool
        Whether the model can run on a stream.
    """

    def __init__(self, latent_dim: int, latent_hop: int, causal: bool = False) -> None:
        super().__init__()
        self.latent_dim = check_integer("latent_dim", latent_dim, 0)
        self.latent_hop = check_integer("latent_hop", latent_hop)
        self.causal = bool(causal)

    def latent_frames(self, time: int) -> int:
        """Number of latent vectors for ``time`` samples."""
        return -(-time // self.latent_hop)

    def sample_latent(self, batch: int, time: int, generator: RandomSource = None) -> torch.Tensor | None:
        """Latents for utterances, standard normal.

        Arguments
        ---------
        batch : int
            Utterances.
        time : int
            Their samples.
        generator : torch.Generator or CounterRandom, optional
            A CPU generator or a stream to draw from, so that a seed gives the same latents on every device;
            the default one otherwise.

        Returns
        -------
        torch.Tensor or None
            ``(batch, latent_dim, latent_frames(time))``, on the device of the weights; None if the model is
            deterministic.
        """
        if not self.latent_dim:
            return None
        shape = batch, self.latent_dim, self.latent_frames(time)
        return draw_normal(generator, next(self.parameters()).device, *shape)

    def level(self, noisy: torch.Tensor) -> torch.Tensor:
        """RMS of each utterance ``(batch, time)``, as ``(batch,)``; ones if causal."""
        if self.causal:
            return torch.ones(len(noisy), device=noisy.device)
        return utterance_level(noisy).squeeze(1)

    def forward(
        self, noisy: torch.Tensor, latent: torch.Tensor | None = None, level: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Enhances speech.

        Arguments
        ---------
        noisy : torch.Tensor
            ``(batch, time)``, at least one sample, at the rate of the training.
        latent : torch.Tensor, optional
            From `sample_latent()`; drawn anew otherwise.
        level : torch.Tensor, optional
            RMS ``(batch,)`` of the utterances that ``noisy`` is a part of; otherwise `level()`.

        Returns
        -------
        torch.Tensor
            ``(batch, time)``. Silence stays silence, exactly, unless the model is causal.

        Raises
        ------
        ValueError
            For a wrong shape.
        """
        if noisy.dim() != 2 or not noisy.shape[1]:
            raise ValueError(
                f"noisy: expected shape (batch, time) with at least one sample, but got {tuple(noisy.shape)}"
            )
        batch, time = noisy.shape
        if latent is None:
            latent = self.sample_latent(batch, time)
        elif not self.latent_dim:
            raise ValueError(f"latent: expected none, for latent_dim is 0, but got {tuple(latent.shape)}")
        else:
            expected = (batch, self.latent_dim, self.latent_frames(time))
            if tuple(latent.shape) != expected:
                raise ValueError(f"latent: expected shape {expected}, but got {tuple(latent.shape)}")
        if level is None:
            level = self.level(noisy)
        if level.shape != (batch,):
            raise ValueError(f"level: expected shape ({batch},), but got {tuple(level.shape)}")
        level = level.to(noisy).unsqueeze(1)
        return self.enhance(divided_by_level(noisy, level), latent) * level

    def enhance(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Enhanced speech ``(batch, time)`` of speech of unit RMS."""
        raise NotImplementedError(f"{type(self).__name__} has no enhance()")
