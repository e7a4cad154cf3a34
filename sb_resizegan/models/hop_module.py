"""A causal generator on a stream: a hop of samples and states in, a hop of samples and states out.

Everything is in real numbers, and the Fourier transforms are matrix products, so that the step can be written
as one ONNX graph. Where PyTorch itself runs it, it can be prepared, which makes it faster.
"""

from typing import Any

import torch
from torch import nn

from sb_resizegan.models.frame_network import FrameNetwork
from sb_resizegan.models.spectral_generator import SpectralGenerator

__all__ = ["StreamingStep", "is_streamable"]


def is_streamable(generator: nn.Module) -> bool:
    """Whether a generator can run on a stream.

    Arguments
    ---------
    generator : torch.nn.Module
        Of enhanced speech.

    Returns
    -------
    bool

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> is_streamable(SpectralGenerator(causal=True)), is_streamable(SpectralGenerator())
    (True, False)
    """
    return bool(getattr(generator, "causal", False)) and hasattr(generator, "stream_frame")


class StreamingStep(nn.Module):
    """One hop of a stream through a causal generator of spectra.

    A frame is the hop before and this hop, under the generator's window. Two frames overlap in each hop of
    the output, so what a step gives is the hop before the one that it gets; what the first gives lies before
    the beginning.

    The generator's part of the bargain: ``n_fft``, ``hop`` and ``window``; ``stream_states(streams)`` names
    its states, and ``stream_frame(spectrum, latent, *states)`` takes and gives spectra
    ``(streams, n_fft / 2 + 1, 2)`` of real and imaginary parts in which white noise keeps its RMS.

    Arguments
    ---------
    generator : torch.nn.Module
        Causal.
    prepared : bool
        Whether to compute the same with fewer operations: by fast Fourier transforms, which ONNX lacks, and
        with the network of `frame_network`, which keeps the weights as they are now.

    Raises
    ------
    ValueError
        If the generator cannot run on a stream.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> generator = SpectralGenerator(8, 8, 8, blocks=1, latent_dim=0, causal=True)
    >>> step, noisy = StreamingStep(generator), torch.randn(1, 4 * generator.hop)
    >>> states, hops = step.initial().values(), []
    >>> with torch.no_grad():
    ...     for samples in noisy.split(generator.hop, dim=1):
    ...         enhanced, *states = step(samples, None, *states)
    ...         hops.append(enhanced)
    >>> bool(torch.allclose(torch.cat(hops[1:], dim=1), generator(noisy)[:, : 3 * generator.hop], atol=1e-5))
    True
    """

    analysis: torch.Tensor
    synthesis: torch.Tensor

    def __init__(self, generator: Any, prepared: bool = False) -> None:
        super().__init__()
        if not is_streamable(generator):
            raise ValueError(
                f"expected a causal generator with stream_frame(), but got a {type(generator).__name__} "
                f"with causal={getattr(generator, 'causal', None)}"
            )
        self.generator, self.prepared = generator, prepared
        self.network = FrameNetwork(generator) if prepared and has_frame_network(generator) else None
        analysis, synthesis = fourier_matrices(generator.window)
        self.register_buffer("analysis", analysis, persistent=False)
        self.register_buffer("synthesis", synthesis, persistent=False)

    @property
    def hop(self) -> int:
        """Samples of a step."""
        return self.generator.hop

    def initial(self, streams: int = 1) -> dict[str, torch.Tensor]:
        """States before the first step.

        Arguments
        ---------
        streams : int
            Signals that are enhanced at once.

        Returns
        -------
        dict of str to torch.Tensor
            By name, in the order in which `forward()` takes them.
        """
        heard, tail = self.analysis.new_zeros(2, streams, self.hop).unbind()
        return {"heard": heard, "tail": tail, **self.generator.stream_states(streams)}

    def forward(
        self, samples: torch.Tensor, latent: torch.Tensor | None, *states: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """One step.

        Arguments
        ---------
        samples : torch.Tensor
            ``(streams, hop)``, noisy speech at the rate of the training.
        latent : torch.Tensor or None
            ``(streams, latent_dim)``, of a generator that has latents.
        *states : torch.Tensor
            Of `initial()`, or from the step before.

        Returns
        -------
        tuple of torch.Tensor
            ``(streams, hop)``, the enhanced hop before the one given, then the states for the next step.
        """
        heard, tail, *states = states
        options = {} if self.network is None else {"network": self.network}
        spectrum = self._spectrum(torch.cat([heard, samples], dim=1))
        spectrum, states = self.generator.stream_frame(spectrum, latent, *states, **options)
        frame = self._frame(spectrum)
        return tail + frame[:, : self.hop], samples, frame[:, self.hop :], *states

    def _spectrum(self, frame: torch.Tensor) -> torch.Tensor:
        if self.prepared:
            return torch.view_as_real(torch.fft.rfft(frame * self.generator.window, norm="ortho"))
        return (frame @ self.analysis).unflatten(1, (-1, 2))

    def _frame(self, spectrum: torch.Tensor) -> torch.Tensor:
        if self.prepared:
            bins = torch.view_as_complex(spectrum)
            return torch.fft.irfft(bins, self.generator.n_fft, norm="ortho") * self.generator.window
        return spectrum.flatten(1) @ self.synthesis


def has_frame_network(generator: nn.Module) -> bool:
    """Whether a generator's network is that of `SpectralGenerator`, which `FrameNetwork` computes."""
    own = [getattr(type(generator), name, None) for name in ("network", "stream_outputs")]
    return own == [SpectralGenerator.network, SpectralGenerator.stream_outputs]


def fourier_matrices(window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Windowed discrete Fourier transform of real frames and its inverse, as matrices of real numbers.

    Arguments
    ---------
    window : torch.Tensor
        ``(n_fft,)``.

    Returns
    -------
    analysis : torch.Tensor
        ``(n_fft, n_fft + 2)``: from samples to real and imaginary part of each bin in turn, over
        ``sqrt(n_fft)``.
    synthesis : torch.Tensor
        ``(n_fft + 2, n_fft)``: from these to windowed samples.

    Example
    -------
    >>> analysis, synthesis = fourier_matrices(torch.ones(8))
    >>> bool(torch.allclose(analysis @ synthesis, torch.eye(8), atol=1e-6))
    True
    """
    n_fft = len(window)
    # Computed in double precision: the angles are large.
    window = window.detach().double().cpu()
    identity = torch.eye(n_fft, dtype=torch.double)
    analysis = torch.fft.rfft(identity, norm="ortho")  # (n_fft, bins)
    analysis = window.unsqueeze(1) * torch.view_as_real(analysis).flatten(1)
    bins = torch.eye(n_fft // 2 + 1, dtype=torch.complex128)
    parts = torch.stack([bins, 1j * bins], dim=1).flatten(0, 1)  # (n_fft + 2, bins)
    synthesis = torch.fft.irfft(parts, n_fft, norm="ortho") * window
    return analysis.float(), synthesis.float()
