"""Critic on utterances of any length, conditioned on the noisy signal.

Source
------
S. Pascual, A. Bonafonte, J. Serrà, "SEGAN: Speech Enhancement Generative Adversarial Network", Interspeech
2017, section 3 (candidate and noisy signal as two channels); C. Donahue, J. McAuley, M. Puckette,
"Adversarial Audio Synthesis", ICLR 2019, table 4 (the stages); P. Isola et al., "Image-to-image translation
with conditional adversarial networks", CVPR 2017, section 3.2.2 (a score for each place, averaged).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.models.stages import CriticStages
from sb_resizegan.nnet.utterance_level import (
    divided_by_level,
    utterance_level,
    valid_samples,
    without_padding,
)


class ConditionalCritic(CriticStages):
    """Scores candidates for the clean speech in noisy utterances.

    Candidate and noisy signal, both divided by the noisy signal's root mean square, are the two channels that
    the stages of `CriticStages` read. A 1x1 convolution turns each frame of the last stage into a score, and
    the mean over frames is the score of the utterance. It depends on the candidate relative to the noisy
    signal and not on the level of both.

    A gradient penalty compares scores with Euclidean distances, which depend on level and length: the
    gradient with respect to the candidate itself is inversely proportional to the level, and the norm
    of a mean's gradient falls with the root of the length. Dividing the sum of scores by the root of the
    number of frames instead mends the norm but not the balance: the scores then differ in proportion to the
    root of the length, and the longer the segments, the less the same weight of the penalty holds them. So
    take the distance relative to the noisy signal: divide noisy, real and generated signals by
    `distance_unit()`, the noisy signal's norm, before they go into the losses. Then the norm of the gradient,
    the scores and the estimated Wasserstein distance are the same at every level and length, and so is the
    meaning of a gradient norm of 1. The scores themselves do not change.

    Padding is not read at all: neither score nor gradient depends on what it holds, the gradient within it
    is zero, and without phase shuffle a padded utterance scores as it does alone.

    Arguments
    ---------
    channels : sequence of int
        Output channels of each stage, first to last.
    factors : sequence of int
        Downsampling factor of each stage.
    kernel_size : int
        Length of the learned kernels in samples at the input rate of their stage. A frame sees
        ``1 + (kernel_size - 1) * (1 + factors[0] + factors[0] * factors[1] + …)`` samples.
    downsampling : str
        One of the modes of `Downsample1d`.
    phase_shuffle : int
        Largest shift of the phase shuffle in samples at the output rate of a stage; 0 for none.
    shuffle_per_example : bool
        Draw one shift per example (True) or one for the batch (False).

    Raises
    ------
    ValueError
        For lists of different lengths, or a wrong size or mode.

    Example
    -------
    >>> critic = ConditionalCritic()
    >>> clean, noisy = torch.randn(2, 3, 16000)
    >>> critic(clean, noisy, lengths=torch.tensor([1.0, 0.5, 0.8])).shape
    torch.Size([3])
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 64, 64),
        factors: Sequence[int] = (8, 4, 4, 4),
        kernel_size: int = 16,
        downsampling: str = "strided",
        phase_shuffle: int = 2,
        shuffle_per_example: bool = True,
    ) -> None:
        channels, factors = tuple(channels), tuple(factors)
        super().__init__(2, channels, factors, kernel_size, downsampling, phase_shuffle, shuffle_per_example)
        self.score = nn.Linear(channels[-1], 1)
        # Phase shuffle needs more samples than it shifts by, after each stage but the last.
        self.min_samples = 1
        for factor in reversed(factors[:-1]):
            self.min_samples = (max(self.min_samples, phase_shuffle + 1) - 1) * factor + 1

    @staticmethod
    def distance_unit(noisy: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Norm of the noisy signals, the unit of distances between candidates under a gradient penalty.

        Arguments
        ---------
        noisy : torch.Tensor
            ``(batch, time)``.
        lengths : torch.Tensor, optional
            Relative lengths ``(batch,)`` in (0, 1]; None if there is no padding.

        Returns
        -------
        torch.Tensor
            ``(batch, 1)``; 1 for silence, so that it can be divided by.

        Example
        -------
        >>> ConditionalCritic.distance_unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[5.],
                [1.]])
        """
        if lengths is not None:
            noisy = without_padding(noisy, valid_samples(lengths, noisy))
        norm = noisy.square().sum(dim=1, keepdim=True).sqrt()
        return norm.masked_fill(norm == 0, 1)

    def forward(
        self,
        candidate: torch.Tensor,
        noisy: torch.Tensor,
        lengths: torch.Tensor | None = None,
        shifts: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Scores candidates.

        Arguments
        ---------
        candidate : torch.Tensor
            ``(batch, time)``, clean or enhanced speech; any time from 1 on.
        noisy : torch.Tensor
            ``(batch, time)``, the signal it was made from.
        lengths : torch.Tensor, optional
            Relative lengths ``(batch,)`` in (0, 1]; None if there is no padding.
        shifts : torch.Tensor, optional
            ``(batch, stages - 1)`` from `draw_shifts()`; drawn anew while training, none in evaluation
            otherwise.

        Returns
        -------
        torch.Tensor
            ``(batch,)``, higher for what looks clean.

        Raises
        ------
        ValueError
            For wrong shapes.
        """
        if candidate.dim() != 2 or candidate.shape != noisy.shape or candidate.shape[1] == 0:
            raise ValueError(
                "candidate and noisy: expected one shape (batch, time) with at least one sample, "
                f"but got {tuple(candidate.shape)} and {tuple(noisy.shape)}"
            )
        time = candidate.shape[1]
        valid = None
        if lengths is not None:
            valid = valid_samples(lengths, noisy)
            candidate, noisy = (without_padding(x, valid) for x in (candidate, noisy))
        elif time < self.min_samples:
            valid = torch.full((len(candidate),), time, device=candidate.device)
        level = utterance_level(noisy, valid)
        x = torch.stack([divided_by_level(signal, level) for signal in (candidate, noisy)], dim=1)
        x = self.features(F.pad(x, (0, max(self.min_samples - time, 0))), shifts, valid)
        # The mean over frames is not taken in half precision.
        scores = self.score(x.transpose(1, 2)).squeeze(2).to(level.dtype)
        if valid is None:
            return scores.mean(dim=1)
        for factor in self.factors:
            valid = -(-valid // factor)
        return without_padding(scores, valid).sum(dim=1) / valid
