"""The module that SpeechBrain's own ``WaveformEnhancement`` calls."""

import torch

from sb_resizegan.inference.seeded_latents import SeededLatents, enhance_stretch

__all__ = ["WaveformModule"]


class WaveformModule(torch.nn.Module):
    """A generator of enhanced speech as ``speechbrain.inference.enhancement.WaveformEnhancement`` wants it.

    That interface calls its module ``enhance_model`` with noisy waveforms alone and takes the first of two
    results. What it gets is what
    `enhance_batch()` gives by default.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.

    Example
    -------
    >>> from sb_resizegan.models.waveform_generator import WaveformGenerator
    >>> enhanced, noisy = WaveformModule(WaveformGenerator())(torch.randn(2, 4000))
    >>> enhanced.shape
    torch.Size([2, 4000])
    """

    def __init__(self, generator: torch.nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noisy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Enhances noisy speech.

        Arguments
        ---------
        noisy : torch.Tensor
            ``(batch, time)``.

        Returns
        -------
        enhanced, noisy : torch.Tensor
            ``(batch, time)`` each.
        """
        return enhance_stretch(self.generator, noisy.float(), SeededLatents(self.generator, 0, 0)), noisy
