"""Generator of enhanced speech that follows the level of its input and may add to it, not only take away.

Source
------
The network is that of `SpectralGenerator`. A spectrum that is estimated directly beside the mask: A. Li et
al., "Two heads are better than one: a two-stage complex spectral mapping approach for monaural speech
enhancement", TASLP 2021. Normalisation that follows the level: H. Schröter et al., "DeepFilterNet", ICASSP
2022, section 2.2 (there as an exponential mean).
"""

import math
from typing import Any

import torch
from torch.nn.functional import conv1d, pad

from sb_resizegan.models.frame_network import FrameFunction
from sb_resizegan.models.spectral_generator import SpectralGenerator
from sb_resizegan.nnet.real_spectra import EPSILON, times_mask, to_power
from sb_resizegan.utils.checks import check_positive

__all__ = ["FollowingGenerator"]

# What counts as silence: relative to the utterance's RMS, or to full scale for a causal model.
FLOOR = 1e-4


class FollowingGenerator(SpectralGenerator):
    """A spectral generator whose network sees every frame relative to the level around it.

    The level of a frame is the RMS of the frames around it under a Hann window, or under the later half of
    one, which ends with the frame itself, if causal; nothing outside the signal counts. So a louder talker
    some seconds away, silence, or a wrong level do not change what the network sees of a frame. What follows
    is relative to that level too: the mask multiplies the compressed spectrum, and the network's own estimate
    of the spectrum, if it makes one, is added.

    Arguments
    ---------
    follow_seconds : float
        Length of the window to each side.
    direct : bool
        Whether a spectrum is added to what the mask lets through. It can fill in what noise has covered; a
        mask can only weigh what is there.
    **options
        Those of `SpectralGenerator`.

    Raises
    ------
    TypeError, ValueError
        For an argument out of range.

    Example
    -------
    >>> generator = FollowingGenerator(channels=16, time_units=16, band_units=16, blocks=1, latent_dim=0)
    >>> generator(torch.randn(2, 8000)).shape
    torch.Size([2, 8000])
    """

    weights: torch.Tensor

    def __init__(
        self, follow_seconds: float = 2.0, direct: bool = True, sample_rate: int = 16000, **options: Any
    ) -> None:
        super().__init__(estimates=2 if direct else 1, **options)
        self.direct = bool(direct)
        frames = round(check_positive("follow_seconds", follow_seconds) * sample_rate / self.hop)
        if not frames:
            raise ValueError(f"follow_seconds: expected at least a hop, but got {follow_seconds}")
        self.reach = frames - 1
        weights = torch.hann_window(2 * frames + 1, periodic=False)[1:-1]  # its ends are 0
        if self.causal:
            weights[frames:] = 0
        self.register_buffer("weights", weights.view(1, 1, -1), persistent=False)

    def followed_level(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Level of each frame of a spectrum ``(batch, bins, frames)``, as ``(batch, 1, frames)``."""
        power = torch.view_as_real(spectrum).square().sum(3).mean(1, keepdim=True)
        around = (self.reach, self.reach)
        sums = conv1d(pad(power, around), self.weights)
        counts = conv1d(pad(torch.ones_like(power), around), self.weights)
        return (sums / counts + FLOOR**2).sqrt()

    def enhance(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Enhanced speech of normalised noisy speech; see `EnhancementGenerator`."""
        spectrum = self.spectrum(noisy)
        level = self.followed_level(spectrum)
        estimate = self.estimated(self.compressed(spectrum, level), latent)
        return self.synthesised(self.expanded(estimate, level), noisy.shape[1])

    def compressed(self, spectrum: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """What the network sees of a spectrum: relative to its level, compressed, without the last bin."""
        spectrum = spectrum[:, :-1] / level
        return spectrum * (spectrum.abs() + EPSILON).pow(self.compression - 1)

    def estimated(self, compressed: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """The estimate of the clean compressed spectrum, ``(batch, bins, frames)``."""
        outputs = self.outputs(compressed, latent)
        estimate = compressed * (1 + outputs[0])
        return estimate + outputs[1] if self.direct else estimate

    def expanded(self, compressed: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Undoes `compressed()`; the last bin is 0."""
        return pad(
            compressed * (compressed.abs() + EPSILON).pow(1 / self.compression - 1) * level, (0, 0, 0, 1)
        )

    def synthesised(self, spectrum: torch.Tensor, time: int) -> torch.Tensor:
        """Waveform ``(batch, time)`` of a spectrum."""
        padded = (spectrum.shape[2] - 1) * self.hop
        waveform = torch.istft(
            spectrum * math.sqrt(self.n_fft), self.n_fft, self.hop, window=self.window, length=padded
        )
        return waveform[:, :time]

    def stream_states(self, streams: int = 1) -> dict[str, torch.Tensor]:
        """As `SpectralGenerator.stream_states()`; besides, the powers of the frames before."""
        states = super().stream_states(streams)
        # The second says which of these frames there have been.
        states["power"], states["seen"] = self.weights.new_zeros(2, streams, self.reach).unbind()
        return states

    def stream_frame(
        self,
        spectrum: torch.Tensor,
        latent: torch.Tensor | None,
        *states: torch.Tensor,
        network: FrameFunction | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The next frame of a stream; see `SpectralGenerator.stream_frame()`."""
        if not self.causal:
            raise ValueError("stream_frame: expected a causal generator, but got one that looks ahead")
        *states, power, seen = states
        power = torch.cat([power, spectrum.square().sum(2).mean(1, keepdim=True)], dim=1)
        seen = torch.cat([seen, torch.ones_like(power[:, :1])], dim=1)
        weights = self.weights[0, 0, : self.reach + 1]
        level = ((power * weights).sum(1) / (seen * weights).sum(1) + FLOOR**2).sqrt().view(-1, 1, 1)
        compressed = to_power(spectrum[:, :-1] / level, self.compression)
        x, after = (network or self.stream_outputs)(compressed, latent, states)
        estimate = times_mask(compressed, x)
        if self.direct:
            estimate = estimate + x[..., 2:]
        enhanced = pad(to_power(estimate, 1 / self.compression) * level, (0, 0, 0, 1))
        return enhanced, [*after, power[:, 1:], seen[:, 1:]]
