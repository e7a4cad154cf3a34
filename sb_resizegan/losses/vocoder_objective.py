"""What a vocoder is trained on beside its critics: distances of spectra, and of what critics see.

Source
------
R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020, equations 3 to 6 (multi-resolution STFT
loss); J. Kong, J. Kim, J. Bae, "HiFi-GAN", NeurIPS 2020, equations 3 and 4 (mel and feature matching terms).
"""

import math
from collections.abc import Sequence

import torch

from sb_resizegan.losses.energy_distance import SpectralEnergyDistance
from sb_resizegan.metrics.pesq.loss import pesq_loss
from sb_resizegan.nnet.mel_analysis import MEL_FLOOR, MelAnalysis
from sb_resizegan.utils.checks import check_integer

__all__ = ["VOCODER_TERMS", "VocoderObjective", "feature_matching", "multi_resolution_stft"]

# As of `sb_resizegan.losses.enhancement_objective`: names of the weights, and of the figures.
VOCODER_TERMS = {"mel": "mel", "stft": "stft", "energy": "energy", "pesq": "pesq_distance"}


def feature_matching(real: Sequence[torch.Tensor], fake: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean absolute difference of a critic's features, each layer with equal weight.

    Arguments
    ---------
    real, fake : sequence of torch.Tensor
        Features of real and of generated waveforms, pairs of one shape. No gradient goes to the real ones.

    Returns
    -------
    torch.Tensor
        Without dimension.

    Raises
    ------
    ValueError
        For lists of different lengths, or none.

    Example
    -------
    >>> feature_matching([torch.zeros(2, 3)], [torch.ones(2, 3)])
    tensor(1.)
    """
    if len(real) != len(fake) or not real:
        raise ValueError(f"expected as many real as fake features, but got {len(real)} and {len(fake)}")
    pairs = zip(real, fake, strict=True)
    return torch.stack([(own.float() - other.detach().float()).abs().mean() for other, own in pairs]).mean()


def multi_resolution_stft(
    generated: torch.Tensor, real: torch.Tensor, scales: Sequence[int] = (512, 1024, 2048)
) -> torch.Tensor:
    """Spectral convergence and log magnitude distance at several resolutions.

    Arguments
    ---------
    generated, real : torch.Tensor
        ``(batch, time)``, longer than half the longest scale.
    scales : sequence of int
        Lengths of Hann windows in samples; frames advance by a quarter.

    Returns
    -------
    torch.Tensor
        Without dimension: the mean over scales of the Frobenius norm of the magnitudes' difference over that
        of the real magnitudes (equation 4), and of the mean absolute difference of their logarithms (equation
        5).

    Example
    -------
    >>> noise = torch.randn(1, 4096, generator=torch.Generator().manual_seed(0))
    >>> f"{float(multi_resolution_stft(2 * noise, noise)):.2f}"  # 1 + log 2
    '1.69'
    """
    total = torch.zeros((), device=generated.device)
    with torch.autocast(generated.device.type, enabled=False):
        both = torch.cat([generated.float(), real.float()])
        for scale in scales:
            window = torch.hann_window(scale, device=both.device)
            spectra = torch.view_as_real(
                torch.stft(both, scale, scale // 4, window=window, return_complex=True)
            )
            # The root of zero has an infinite slope.
            own, other = (spectra.square().sum(-1) + MEL_FLOOR**2).sqrt().chunk(2)
            norm = (own - other).square().sum((1, 2)).clamp(min=1e-12).sqrt()
            total = total + (norm / other.square().sum((1, 2)).sqrt()).mean()
            total = total + (own.log() - other.log()).abs().mean()
    return total / len(scales)


class VocoderObjective:
    """Weighted sum of distances of generated from real speech. A term of weight 0 is not computed.

    - ``mel``: mean absolute difference of mel spectra in nepers, all bands and frames alike.
    - ``stft``: `multi_resolution_stft()`.
    - ``energy``: `SpectralEnergyDistance` of two draws for the same mel spectrum, which for a generator that
      has no latent vector are the same.
    - ``pesq``: `pesq_loss()` without alignment, which a vocoder does not need; at 16 kHz only.

    Arguments
    ---------
    analysis : MelAnalysis
        What the vocoder reads.
    mel, stft, energy, pesq : float
        The weights, at least 0.
    scales : sequence of int
        Of the ``stft`` term, in samples.

    Raises
    ------
    ValueError
        For a weight out of range, or a ``pesq`` at another rate than 16 kHz.

    Example
    -------
    >>> objective = VocoderObjective(MelAnalysis(), mel=45.0, stft=1.0)
    >>> value, figures = objective(0.1 * torch.randn(2, 8192), 0.1 * torch.randn(2, 8192))
    >>> value.shape, sorted(figures)
    (torch.Size([]), ['mel', 'stft'])
    """

    def __init__(
        self,
        analysis: MelAnalysis,
        mel: float = 15.0,
        stft: float = 1.0,
        energy: float = 0.0,
        pesq: float = 0.0,
        scales: Sequence[int] = (512, 1024, 2048),
    ) -> None:
        weights = dict(zip(VOCODER_TERMS, (mel, stft, energy, pesq), strict=True))
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise ValueError(f"{name}: expected a weight of at least 0, but got {weight!r}")
        if pesq and analysis.sample_rate != 16000:
            raise ValueError(f"pesq: expected mel spectra at 16000 Hz, but got {analysis.sample_rate} Hz")
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.analysis = analysis
        self.scales = tuple(check_integer("scales", scale, minimum=16) for scale in scales)
        self.distance = SpectralEnergyDistance(sample_rate=analysis.sample_rate) if energy else None

    def __call__(
        self, generated: torch.Tensor, real: torch.Tensor, second: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The objective.

        Arguments
        ---------
        generated, real : torch.Tensor
            ``(batch, time)``, a window of the mel analysis at least.
        second : torch.Tensor, optional
            Another draw for the same mel spectra; the ``energy`` term needs it.

        Returns
        -------
        value : torch.Tensor
            Without dimension.
        figures : dict of str to torch.Tensor
            Each term without its weight, detached.

        Raises
        ------
        ValueError
            For wrong shapes, or no second draw.
        """
        if generated.shape != real.shape or generated.dim() != 2:
            raise ValueError(
                "expected generated and real of one shape (batch, time), "
                f"but got {tuple(generated.shape)} and {tuple(real.shape)}"
            )
        terms = {}
        if "mel" in self.weights:
            own, other = self.analysis(torch.cat([generated, real])).chunk(2)
            terms["mel"] = (own - other).abs().mean()
        if "stft" in self.weights:
            terms["stft"] = multi_resolution_stft(generated, real, self.scales)
        if self.distance is not None:
            if second is None:
                raise ValueError("second: the energy term needs another draw for the same mel, but got None")
            terms["energy"] = self.distance.to(real.device)(real, generated, second).mean()
        if "pesq" in self.weights:
            terms["pesq"] = pesq_loss(real, generated, align=False)
        value = sum((self.weights[name] * term for name, term in terms.items()), start=real.new_zeros(()))
        return value, {VOCODER_TERMS[name]: term.detach() for name, term in terms.items()}
