"""Generator that restores what is gone: an estimate, and something made up where nothing is left.

Source
------
An estimate that predicts and a part that generates: J.-M. Lemercier et al., "StoRM: A diffusion-based
stochastic regeneration model for speech enhancement and dereverberation", TASLP 2023, section III (there with
a diffusion process; here the generating part runs once).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from sb_resizegan.models.enhancement_generator import EnhancementGenerator
from sb_resizegan.models.following_generator import FollowingGenerator
from sb_resizegan.models.restoration_network import RestorationNetwork
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.nnet.utterance_level import divided_by_level
from sb_resizegan.utils.checks import check_integer

__all__ = ["Restored", "RestoringGenerator"]

# Gates reach 0 and 1 where their sigmoids are within this of them.
MARGIN = 0.1


class Restored(NamedTuple):
    """What a restoring generator gives in training."""

    waveform: torch.Tensor
    """``(draws * batch, time)``, one draw of the batch after the other."""

    touched: torch.Tensor
    """``(batch, bins, frames)``, 0 to 1: how far the deterministic estimate takes the input's place."""

    missing: torch.Tensor
    """``(batch, bins, frames)``, before the sigmoid: whether something is made up here."""


class RestoringGenerator(EnhancementGenerator):
    """Restores speech: the input, an enhancer's estimate where it is better, an invention where all is gone.

    In the compressed spectrum, with ``x`` the input, ``d`` the deterministic estimate, ``t`` and ``s`` two
    gates from 0 to 1 and ``m`` what the network makes up of noise, the result is ``x + t (d - x) + s m``. The
    gates depend on the input alone. Where ``s`` is 0 all draws are the same; where both are 0 the result is
    the input, exactly. Gates reach 0 and 1, and learn nevertheless: their gradient is that of the sigmoid.

    The latents of a frame are of two kinds: slow ones, ``latent_dim`` numbers for every ``latent_every``
    frames, which decide what lasts, such as a vowel; and two numbers for each bin and frame, which noise-like
    sounds are made of. See ``slow_bandwidth_hz`` and ``latent_rate``.

    Arguments
    ---------
    estimate : dict, optional
        Options of the `FollowingGenerator` that makes the estimate; its ``latent_dim`` is 0.
    latent_dim : int
        Slow latents of a frame.
    latent_every : int
        Frames for each of them; an upsampling layer leads from one to the next.
    stochastic : bool
        Whether there are latents. Without, the network is the same and reads zeros in their place: a
        regression of the same size, for comparison.
    frozen_estimate : bool
        Whether the estimate keeps its weights in training.
    upsampling : str
        One of the modes of `Upsample1d`, along the frequency axis and along time.
    attenuation : float
        Stop-band attenuation of the ``sinc`` interpolation in dB; the other modes do not use it.
    sample_rate : int
        In Hz.
    channels, time_units, band_units, blocks, factors, kernel_size, downsampling
        Those of `RestorationNetwork`.

    Raises
    ------
    TypeError, ValueError
        For an argument out of range.

    Example
    -------
    >>> small = {"channels": 8, "time_units": 8, "band_units": 8}
    >>> generator = RestoringGenerator({**small, "blocks": 1}, **small)
    >>> generator(torch.randn(2, 8000)).shape
    torch.Size([2, 8000])
    >>> generator.slow_bandwidth_hz, generator.latent_rate
    (7.8125, 32250.0)
    """

    def __init__(
        self,
        estimate: Mapping[str, Any] | None = None,
        channels: int = 48,
        time_units: int = 96,
        band_units: int = 48,
        blocks: Sequence[int] = (1, 2),
        factors: Sequence[int] = (4, 4),
        kernel_size: int = 8,
        upsampling: str = "nearest",
        attenuation: float = 50.0,
        downsampling: str = "strided",
        latent_dim: int = 16,
        latent_every: int = 4,
        stochastic: bool = True,
        frozen_estimate: bool = True,
        sample_rate: int = 16000,
    ) -> None:
        options = {"latent_dim": 0, "sample_rate": sample_rate, **(estimate or {})}
        if options["latent_dim"] or options.get("causal"):
            raise ValueError(f"estimate: expected neither latents nor a causal model, but got {options}")
        inner = FollowingGenerator(**options)
        self.slow = check_integer("latent_dim", latent_dim)
        self.every = check_integer("latent_every", latent_every)
        self.bins = inner.n_fft // 2
        count = self.slow + 2 * self.bins * self.every
        super().__init__(count if stochastic else 0, latent_hop=self.every * inner.hop)
        self.stochastic, self.frozen_estimate = bool(stochastic), bool(frozen_estimate)
        self.sample_rate = sample_rate
        self.estimate = inner.requires_grad_(not self.frozen_estimate)
        self.network = RestorationNetwork(
            self.bins, channels, time_units, band_units, blocks, factors, kernel_size, upsampling,
            attenuation, downsampling,
        )  # fmt: skip
        self.latent_input = Upsample1d(
            self.slow, channels, kernel_size, self.every, upsampling, attenuation=attenuation
        )

    @property
    def slow_bandwidth_hz(self) -> float:
        """Half the rate of the slow latents: nothing that they decide changes faster."""
        return self.sample_rate / (2 * self.latent_hop)

    @property
    def latent_rate(self) -> float:
        """Random numbers for a second of speech."""
        return self.latent_dim * self.sample_rate / self.latent_hop

    def forward(
        self,
        noisy: torch.Tensor,
        latent: torch.Tensor | None = None,
        level: torch.Tensor | None = None,
        details: bool = False,
    ) -> Any:
        """Restores speech; see `EnhancementGenerator.forward()`.

        Arguments
        ---------
        noisy, latent, level
            As there.
        details : bool
            Whether to give `Restored`. ``latent`` may then hold several draws of the batch, one after the
            other; what does not depend on them is computed once.

        Returns
        -------
        torch.Tensor or Restored
        """
        if not details:
            return super().forward(noisy, latent, level)
        level = (self.level(noisy) if level is None else level).unsqueeze(1)
        restored = self.restored(divided_by_level(noisy, level), latent)
        draws = len(restored.waveform) // len(noisy)
        return restored._replace(waveform=restored.waveform * level.repeat(draws, 1))

    def enhance(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Restored speech of normalised speech; see `EnhancementGenerator`."""
        return self.restored(noisy, latent).waveform

    def restored(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> Restored:
        """All that the generator makes of normalised speech ``(batch, time)``."""
        inner = self.estimate
        spectrum = inner.spectrum(noisy)
        level = inner.followed_level(spectrum)
        heard = inner.compressed(spectrum, level)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_estimate):
            estimate = inner.estimated(heard, None)
        noise, slow = self._latents(latent, len(noisy), heard.shape[2], heard.device)
        parts = [torch.view_as_real(x.transpose(1, 2)) for x in (heard, estimate)]
        gates, made = self.network(torch.cat(parts, dim=3), noise, slow)
        touched, missing = (_gate(gate) for gate in gates.transpose(1, 2).unbind(3))
        draws = len(noise) // len(noisy)
        levels = level.repeat(draws, 1, 1)
        base = heard + touched * (estimate - heard)
        added = _complex(made[..., :2]) + _complex(made[..., 2:]) * _complex(noise)
        result = base.repeat(draws, 1, 1) + missing.repeat(draws, 1, 1) * added
        # Compressed and expanded again it is not quite the same: the change alone is exact where it is 0.
        change = inner.expanded(result, levels) - inner.expanded(heard.repeat(draws, 1, 1), levels)
        waveform = noisy.repeat(draws, 1) + inner.synthesised(change, noisy.shape[1])
        return Restored(waveform, touched, gates[..., 1].transpose(1, 2))

    def _latents(
        self, latent: torch.Tensor | None, batch: int, frames: int, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise of bins ``(…, frames, bins, 2)`` and slow latents ``(…, frames, channels)``."""
        if latent is None:
            latent = torch.zeros(batch, self.slow + 2 * self.bins * self.every, 1, device=device)
            latent = latent.expand(-1, -1, -(-frames // self.every))
        # The last frame lies half beyond the end, and has no latent of its own if the hops come out even.
        latent = torch.cat([latent, latent[..., -1:]], dim=2)
        slow, quick = latent.split([self.slow, 2 * self.bins * self.every], dim=1)
        noise = quick.unflatten(1, (self.every, self.bins, 2)).permute(0, 4, 1, 2, 3)
        return noise.flatten(1, 2)[:, :frames], self.latent_input(slow).transpose(1, 2)[:, :frames]


def _complex(pairs: torch.Tensor) -> torch.Tensor:
    """``(batch, frames, bins, 2)`` to complex ``(batch, bins, frames)``."""
    return torch.view_as_complex(pairs.float().contiguous()).transpose(1, 2)


def _gate(score: torch.Tensor) -> torch.Tensor:
    """A sigmoid that reaches 0 and 1, with the gradient of one that does not."""
    soft = torch.sigmoid(score)
    hard = ((soft - MARGIN) / (1 - 2 * MARGIN)).clamp(0, 1)
    return hard if not score.requires_grad else soft + (hard - soft).detach()
