"""The objective of a generator of enhanced speech, apart from its critic.

Source
------
The compressed spectral terms: S. Braun and I. Tashev, "A consolidated view of loss functions for supervised
deep learning-based speech enhancement", TSP 2021, section III; the perceptual term is wide-band PESQ itself
(`pesq_loss()`).
"""

import math

import torch

from sb_resizegan.metrics.pesq import pesq_loss
from sb_resizegan.utils.checks import check_integer, check_positive

# Magnitude in units of the clean speech's RMS below which compression ends: its slope has no bound at zero.
FLOOR = 1e-4
QUIETEST = 1e-5  # RMS, −100 dB of full scale: clean speech below it counts as silence of that level
# The terms by the names of their weights, and by those of their figures: PESQ's falls as the score rises.
TERMS = {
    "magnitude": "magnitude",
    "complex": "complex",
    "waveform": "waveform",
    "pesq": "pesq_distance",
    "deletion": "deletion",
}


class EnhancementObjective:
    """Weighted sum of distances between enhanced and clean speech.

    - ``magnitude``: mean square difference of the compressed magnitude spectra.
    - ``complex``: the same of the compressed complex spectra, real and imaginary part added.
    - ``waveform``: mean absolute difference of the samples.
    - ``deletion``: mean square of what the compressed magnitude lacks of the clean one; what is too much
      counts nothing here. Beside ``magnitude``, it makes taking speech away dearer than leaving noise.
    - ``pesq``: 4.5 less the raw wide-band PESQ score, divided by 4.5; see
      `pesq_loss()`.

    Enhanced and clean speech are divided by the clean speech's RMS first, so the level of a recording
    does not matter. Padding is ignored. A term of weight 0 is not computed.

    Arguments
    ---------
    magnitude, complex, waveform, pesq, deletion : float
        The weights, at least 0, one of them above.
    n_fft : int
        Length of the Hann window in samples; the hop is a quarter of it.
    compression : float
        Exponent of the magnitudes, above 0.
    sample_rate : int
        In Hz. PESQ is defined for 16000.

    Raises
    ------
    TypeError, ValueError
        For an argument out of range.

    Example
    -------
    >>> objective = EnhancementObjective(pesq=0.0)
    >>> clean = torch.randn(2, 8000)
    >>> value, figures = objective(clean + 0.1 * torch.randn(2, 8000), clean, torch.ones(2))
    >>> value.shape, sorted(figures)
    (torch.Size([]), ['complex', 'magnitude', 'waveform'])
    """

    def __init__(
        self,
        magnitude: float = 1.0,
        complex: float = 2.0,
        waveform: float = 0.5,
        pesq: float = 0.4,
        n_fft: int = 512,
        compression: float = 0.3,
        sample_rate: int = 16000,
        deletion: float = 0.0,
    ) -> None:
        weights = dict(zip(TERMS, (magnitude, complex, waveform, pesq, deletion), strict=True))
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise ValueError(f"{name}: expected a weight of at least 0, but got {weight!r}")
        self.weights = {name: weight for name, weight in weights.items() if weight}
        if not self.weights:
            raise ValueError(f"expected a weight above 0 for one of {list(TERMS)}, but all are 0")
        if "pesq" in self.weights and sample_rate != 16000:
            raise ValueError(f"pesq: expected sample_rate 16000 for this term, but got {sample_rate}")
        self.n_fft = check_integer("n_fft", n_fft, 4)
        self.compression = check_positive("compression", compression)

    def __call__(
        self, enhanced: torch.Tensor, clean: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The objective.

        Arguments
        ---------
        enhanced, clean : torch.Tensor
            ``(batch, time)``.
        lengths : torch.Tensor
            Relative lengths ``(batch,)``.

        Returns
        -------
        value : torch.Tensor
            Without dimension.
        figures : dict of str to torch.Tensor
            Each term without its weight, detached; that of PESQ is ``pesq_distance``.
        """
        if enhanced.shape != clean.shape or enhanced.dim() != 2:
            raise ValueError(
                "expected enhanced and clean of one shape (batch, time), "
                f"but got {tuple(enhanced.shape)} and {tuple(clean.shape)}"
            )
        enhanced, clean = enhanced.float(), clean.float()
        samples = (lengths.to(enhanced.device) * enhanced.shape[1]).round().clamp_min(1).unsqueeze(1)
        valid = torch.arange(enhanced.shape[1], device=enhanced.device) < samples
        enhanced, clean = enhanced * valid, clean * valid
        terms = {}
        if "pesq" in self.weights:
            terms["pesq"] = pesq_loss(clean, enhanced, lengths=lengths, align=False) / 4.5
        scale = (clean.square().sum(1, keepdim=True) / samples).sqrt().clamp_min(QUIETEST)
        enhanced, clean = enhanced / scale, clean / scale
        if "waveform" in self.weights:
            terms["waveform"] = ((enhanced - clean).abs().sum(1, keepdim=True) / samples).mean()
        if self.weights.keys() & {"magnitude", "complex", "deletion"}:
            terms.update(self._spectral(enhanced, clean, samples))
        weighed = (self.weights[name] * term for name, term in terms.items() if name in self.weights)
        value = sum(weighed, start=enhanced.new_zeros(()))
        return value, {TERMS[name]: term.detach() for name, term in terms.items()}

    def _spectral(
        self, enhanced: torch.Tensor, clean: torch.Tensor, samples: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        window = torch.hann_window(self.n_fft, device=enhanced.device)
        hop = self.n_fft // 4
        spectra = torch.stft(
            torch.cat([enhanced, clean]),
            self.n_fft,
            hop,
            window=window,
            pad_mode="constant",
            return_complex=True,
        )
        spectra = spectra / math.sqrt(self.n_fft)
        magnitudes = (torch.view_as_real(spectra).square().sum(3) + FLOOR**2).sqrt()
        compressed = magnitudes.pow(self.compression)
        # Frames of padding are zero in both, so only the divisor needs to know of it.
        values = (samples / hop).squeeze(1) * spectra.shape[1]

        def distance(difference: torch.Tensor) -> torch.Tensor:
            square = difference.square().sum((1, 2))
            return (square / values).mean()

        terms = {}
        if "magnitude" in self.weights:
            terms["magnitude"] = distance(torch.sub(*compressed.chunk(2)))
        if "deletion" in self.weights:
            terms["deletion"] = distance(torch.sub(*compressed.chunk(2)).clamp_max(0))
        if "complex" in self.weights:
            directed = torch.view_as_real(spectra * (compressed / magnitudes)).flatten(2)
            terms["complex"] = distance(torch.sub(*directed.chunk(2)))
        return terms
