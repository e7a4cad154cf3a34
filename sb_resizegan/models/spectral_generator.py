"""Generator of enhanced speech in the time-frequency domain: compressed spectrum in, complex mask out.

Source
------
The dual-path bottleneck: see `dual_path`. The compressed spectrum: A. Li et al., "On the importance of power
compression and phase estimation in monaural speech dereverberation", Interspeech 2021, equation 5. The
resize-convolution: A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.
"""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import nn

from sb_resizegan.models.dual_path import DualPathBlock
from sb_resizegan.models.enhancement_generator import EnhancementGenerator
from sb_resizegan.models.frame_network import FrameFunction
from sb_resizegan.nnet.activations import LEAKY_SLOPE
from sb_resizegan.nnet.downsampling import Downsample1d
from sb_resizegan.nnet.real_spectra import EPSILON, times_mask, to_power
from sb_resizegan.nnet.upsampling import Upsample1d
from sb_resizegan.utils.checks import check_integer, check_positive


class SpectralGenerator(EnhancementGenerator):
    """Multiplies the compressed spectrum of noisy speech by a complex mask.

    Convolutions with a stride go down the frequency axis, each frame by itself; blocks of two recurrent
    paths, one along time for each band and one along the bands of each frame, do the rest; upsampling
    convolutions go up to the bins again, with the output of the stage of the same resolution added. The
    latent enters before the blocks, one vector for each frame.

    With ``causal=True`` no output sample depends on input more than one analysis window (``n_fft`` samples)
    ahead: the path along time goes forwards only, and the level is not normalised.

    Arguments
    ---------
    channels : int
        Channels of all stages and blocks.
    time_units, band_units : int
        Hidden units of the recurrent paths along time and along the bands; half of them in each direction
        (along time all forwards if causal).
    blocks : int
        Dual-path blocks.
    factors : sequence of int
        Factors of the stages down the frequency axis; their product divides ``n_fft / 2``.
    kernel_size : int
        Length of the learned kernels of the stages, in bins at the higher resolution.
    upsampling : str
        One of the modes of `Upsample1d`.
    attenuation : float
        Stop-band attenuation of the ``sinc`` interpolation in dB; the other modes do not use it.
    downsampling : str
        One of the modes of `Downsample1d`.
    latent_dim : int
        Size of the latent vectors; 0 for a deterministic model.
    causal : bool
        Whether the model can run on a stream.
    n_fft : int
        Length of the analysis window in samples, a power of two; the hop is half of it.
    compression : float
        Exponent of the magnitudes, above 0 and at most 1.
    estimates : int
        Complex outputs of the network for each bin. This class uses the first, the mask.

    Raises
    ------
    TypeError, ValueError
        For an argument out of range.

    Example
    -------
    >>> generator = SpectralGenerator(channels=16, time_units=16, band_units=16, blocks=1)
    >>> generator(torch.randn(2, 8000)).shape
    torch.Size([2, 8000])
    """

    window: torch.Tensor  # buffer, (n_fft,)

    def __init__(
        self,
        channels: int = 48,
        time_units: int = 96,
        band_units: int = 48,
        blocks: int = 3,
        factors: Sequence[int] = (4, 2),
        kernel_size: int = 8,
        upsampling: str = "nearest",
        attenuation: float = 50.0,
        downsampling: str = "strided",
        latent_dim: int = 4,
        causal: bool = False,
        n_fft: int = 512,
        compression: float = 0.3,
        estimates: int = 1,
    ) -> None:
        n_fft = check_integer("n_fft", n_fft, 4, 1 << 16)
        if n_fft & (n_fft - 1):
            raise ValueError(f"n_fft: expected a power of two, but got {n_fft}")
        super().__init__(latent_dim, latent_hop=n_fft // 2, causal=causal)
        self.n_fft, self.hop = n_fft, n_fft // 2
        self.compression = check_positive("compression", compression)
        if self.compression > 1:
            raise ValueError(f"compression: expected at most 1, but got {compression}")
        factors = [check_integer("factors", factor) for factor in factors]
        bands, remainder = divmod(n_fft // 2, math.prod(factors))
        if remainder or not factors:
            raise ValueError(
                f"factors: expected a product that divides n_fft / 2 = {n_fft // 2}, but got {factors}"
            )
        self.upsampling = upsampling
        self.register_buffer("window", torch.hann_window(n_fft).sqrt(), persistent=False)
        widths = [2, *[channels] * len(factors)]
        self.encoder = nn.ModuleList(
            Downsample1d(narrow, wide, kernel_size, factor, downsampling)
            for narrow, wide, factor in zip(widths, widths[1:], factors, strict=False)
        )
        self.band_embedding = nn.Parameter(torch.zeros(bands, channels))
        self.latent_input = nn.Linear(latent_dim, channels, bias=False) if latent_dim else None
        self.blocks = nn.ModuleList(
            DualPathBlock(channels, time_units, band_units, causal)
            for _ in range(check_integer("blocks", blocks))
        )
        widths[0] = 2 * check_integer("estimates", estimates)
        self.decoder = nn.ModuleList(
            Upsample1d(wide, narrow, kernel_size, factor, upsampling, attenuation=attenuation)
            for narrow, wide, factor in reversed(list(zip(widths, widths[1:], factors, strict=False)))
        )
        self.activation = nn.LeakyReLU(LEAKY_SLOPE)

    def enhance(self, noisy: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Enhanced speech of normalised noisy speech; see `EnhancementGenerator`."""
        time = noisy.shape[1]
        spectrum = self.spectrum(noisy)
        compressed = spectrum * (spectrum.abs() + EPSILON).pow(self.compression - 1)
        # The bin at half the sampling rate carries no speech; without it, the factors divide the bins.
        mask = self.mask(compressed[:, :-1], latent)
        masked = torch.nn.functional.pad(compressed[:, :-1] * mask, (0, 0, 0, 1))
        enhanced = masked * (masked.abs() + EPSILON).pow(1 / self.compression - 1)
        return self.waveform(enhanced)[:, :time]

    def spectrum(self, waveform: torch.Tensor) -> torch.Tensor:
        """Spectrum ``(batch, n_fft / 2 + 1, ceil(time / hop) + 1)`` in which white noise keeps its RMS."""
        missing = -waveform.shape[1] % self.hop
        padded = torch.nn.functional.pad(waveform.float(), (0, missing))
        spectrum = torch.stft(
            padded, self.n_fft, self.hop, window=self.window, pad_mode="constant", return_complex=True
        )
        return spectrum / math.sqrt(self.n_fft)

    def waveform(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Waveform ``(batch, hop * (frames - 1))`` of what `spectrum()` gives.

        Each sample lies in two frames, whose squared windows add up to 1. So there is nothing to divide by,
        as ``torch.istft`` does, and nothing to check, for which it makes the host wait.
        """
        frames = torch.fft.irfft(spectrum * math.sqrt(self.n_fft), n=self.n_fft, dim=1)
        frames = frames.transpose(1, 2) * self.window
        return (frames[:, :-1, self.hop :] + frames[:, 1:, : self.hop]).flatten(1)

    def mask(self, compressed: torch.Tensor, latent: torch.Tensor | None) -> torch.Tensor:
        """Complex mask of the compressed spectrum.

        Arguments
        ---------
        compressed : torch.Tensor
            Complex, ``(batch, bins, frames)``.
        latent : torch.Tensor or None
            ``(batch, latent_dim, frames - 1)``; the last vector is used for the last frame too.

        Returns
        -------
        torch.Tensor
            Complex, ``(batch, bins, frames)``; around 1 if untrained, which passes the speech on.
        """
        return 1 + self.outputs(compressed, latent)[0]

    def outputs(self, compressed: torch.Tensor, latent: torch.Tensor | None) -> list[torch.Tensor]:
        """What the network makes of a compressed spectrum.

        Arguments
        ---------
        compressed : torch.Tensor
            Complex, ``(batch, bins, frames)``.
        latent : torch.Tensor or None
            ``(batch, latent_dim, frames - 1)``; the last vector serves the last frame too.

        Returns
        -------
        list of torch.Tensor
            Complex, ``(batch, bins, frames)``, one for each two channels of the last stage.
        """
        x = torch.view_as_real(compressed.transpose(1, 2))  # (batch, frames, bins, 2)
        if latent is not None:
            latent = torch.cat([latent, latent[..., -1:]], dim=2).transpose(1, 2)
        x = self.network(x, latent)[0]
        pairs = x.unflatten(3, (-1, 2)).contiguous()
        return list(torch.view_as_complex(pairs).permute(3, 0, 2, 1))  # (batch, bins, frames) each

    def network(
        self, x: torch.Tensor, latent: torch.Tensor | None, states: Sequence[torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The layers, for all frames of an utterance or for the next ones of a stream.

        Arguments
        ---------
        x : torch.Tensor
            ``(batch, frames, bins, 2)``: real and imaginary part.
        latent : torch.Tensor or None
            ``(batch, frames, latent_dim)``.
        states : sequence of torch.Tensor, optional
            What the paths along time know of the frames before, two tensors ``(1, batch * bands, units)`` for
            each block; None at the beginning.

        Returns
        -------
        x : torch.Tensor
            ``(batch, frames, bins, 2 * estimates)``, float32.
        states : list of torch.Tensor
            For the next frames.
        """
        # Frames are examples to the convolutions, and real and imaginary part their channels.
        batch, frames = x.shape[:2]
        x = x.flatten(0, 1).transpose(1, 2)  # (batch * frames, 2, bins)
        skips = []
        for stage in self.encoder:
            x = self.activation(stage(x))
            skips.append(x)  # (batch * frames, channels, bins / factors so far)

        x = x.transpose(1, 2).unflatten(0, (batch, frames))  # (batch, frames, bands, channels)
        x = x + self.band_embedding
        if self.latent_input is not None and latent is not None:
            x = x + self.latent_input(latent).unsqueeze(2)
        after: list[torch.Tensor] = []
        for number, block in enumerate(cast("Iterable[DualPathBlock]", self.blocks)):
            x, state = block.step(x, None if states is None else (states[2 * number], states[2 * number + 1]))
            after += state

        x = x.flatten(0, 1).transpose(1, 2)  # (batch * frames, channels, bands)
        for stage in self.decoder:
            x = stage(self.activation(x + skips.pop()))  # the last: (batch * frames, 2 or more, bins)
        return x.float().transpose(1, 2).unflatten(0, (batch, frames)), after

    def stream_states(self, streams: int = 1) -> dict[str, torch.Tensor]:
        """What `stream_frame()` knows before the first frame of so many signals: tensors by name."""
        states = {}
        for number, block in enumerate(cast("Iterable[DualPathBlock]", self.blocks)):
            shape = (1, streams * self.band_embedding.shape[0], block.time_path.recurrent.hidden_size)
            for name in ("hidden", "cell"):
                states[f"{name}_{number}"] = self.band_embedding.new_zeros(shape)
        return states

    def stream_frame(
        self,
        spectrum: torch.Tensor,
        latent: torch.Tensor | None,
        *states: torch.Tensor,
        network: FrameFunction | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The next frame of a stream, in real numbers; frame by frame as `enhance()` has it at once.

        Arguments
        ---------
        spectrum : torch.Tensor
            ``(streams, n_fft / 2 + 1, 2)``: real and imaginary part, scaled as by `spectrum()`.
        latent : torch.Tensor or None
            ``(streams, latent_dim)``.
        *states : torch.Tensor
            Of `stream_states()`, or from the frame before.
        network : callable, optional
            In place of `stream_outputs()`; see `frame_network`.

        Returns
        -------
        spectrum : torch.Tensor
            ``(streams, n_fft / 2 + 1, 2)``.
        states : list of torch.Tensor
            For the next frame.

        Raises
        ------
        ValueError
            If the generator is not causal.
        """
        if not self.causal:
            raise ValueError("stream_frame: expected a causal generator, but got one that looks ahead")
        compressed = to_power(spectrum[:, :-1], self.compression)
        x, after = (network or self.stream_outputs)(compressed, latent, states)
        enhanced = to_power(times_mask(compressed, x), 1 / self.compression)
        return nn.functional.pad(enhanced, (0, 0, 0, 1)), after

    def stream_outputs(
        self, compressed: torch.Tensor, latent: torch.Tensor | None, states: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """What the network makes of a compressed frame ``(streams, bins, 2)``; see `network()`."""
        latent = None if latent is None else latent.unsqueeze(1)
        x, after = self.network(compressed.unsqueeze(1), latent, states)
        return x.squeeze(1), after
