"""The source of a source-filter vocoder: pulses of a given pitch without aliases, and white noise.

Source
------
J. A. Moorer, "The synthesis of complex audio spectra by means of discrete summation formulas", JAES 24, 1976
(the sum of cosines in closed form); X. Wang, S. Takaki, J. Yamagishi, "Neural source-filter waveform models
for statistical parametric speech synthesis", IEEE/ACM TASLP 28, 2020 (sources of harmonics and noise).
"""

import math

import torch
from torch import nn

from sb_resizegan.utils.counter_random import CounterRandom

__all__ = ["NoiseTable", "frame_phases", "pulses"]

HIGHEST = 0.47  # of the sampling rate: harmonics above are left out
TABLE_SAMPLES = 1 << 17
TABLE_KEY = 1986


def frame_phases(f0: torch.Tensor, hop_length: int, sample_rate: int) -> torch.Tensor:
    """Phase at the centre of each frame, of a pitch that is linear in between.

    Arguments
    ---------
    f0 : torch.Tensor
        ``(batch, frames)`` in Hz.
    hop_length, sample_rate : int
        Samples of a frame, and of a second.

    Returns
    -------
    torch.Tensor
        ``(batch, frames)`` in cycles, 0 to 1, float64: after an hour a rounding error would be heard
        in float32. The first is 0.

    Example
    -------
    >>> frame_phases(torch.full((1, 3), 100.0), 40, 16000)
    tensor([[0.0000, 0.2500, 0.5000]], dtype=torch.float64)
    """
    cycles = f0.double() * (hop_length / sample_rate)
    advance = (cycles[:, 1:] + cycles[:, :-1]) / 2
    return torch.nn.functional.pad(advance.cumsum(dim=1), (1, 0)) % 1.0


def pulses(
    f0: torch.Tensor, phases: torch.Tensor, hop_length: int, sample_rate: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of all harmonics below 0.47 of the rate, as cosines of one amplitude, with unit variance.

    Arguments
    ---------
    f0 : torch.Tensor
        ``(batch, frames)`` in Hz.
    phases : torch.Tensor
        ``(batch, frames)`` in cycles, as from `frame_phases()`.
    hop_length, sample_rate : int
        Samples of a frame, and of a second.

    Returns
    -------
    signal : torch.Tensor
        ``(batch, (frames - 1) * hop_length)``, from the centre of the first frame to that of the last.
    phase : torch.Tensor
        Phase of the fundamental, of the same shape, -1/2 to 1/2 cycles; pulses are where it is 0.

    Example
    -------
    >>> f0 = torch.full((1, 101), 200.0)
    >>> signal, _ = pulses(f0, frame_phases(f0, 160, 16000), 160, 16000)
    >>> signal.shape, f"{signal.square().mean():.2f}", signal[0, :200].topk(3).indices.sort().values.tolist()
    (torch.Size([1, 16000]), '1.00', [0, 80, 160])
    """
    time = torch.arange(hop_length, device=f0.device, dtype=torch.float64)
    first, last = f0[:, :-1, None].double(), f0[:, 1:, None].double()
    slope = (last - first) / hop_length
    cycles = phases[:, :-1, None].double() + (first * time + slope * time.square() / 2) / sample_rate
    phase = (cycles - cycles.round()).flatten(1).float()
    pitch = (first + slope * time).flatten(1).float()
    count = HIGHEST * sample_rate / pitch
    whole = count.floor()
    # sin((2 K + 1) x) / (2 sin x) - 1 / 2, and a share of harmonic K + 1, so that none comes at once.
    half = math.pi * phase
    sine = half.sin()
    at_pulse = sine.abs() < 1e-5
    ratio = ((2 * whole + 1) * half).sin() / torch.where(at_pulse, 1.0, sine)
    total = torch.where(at_pulse, 2 * whole + 1, ratio) / 2 - 0.5
    total = total + (count - whole) * (2 * (whole + 1) * half).cos()
    power = (whole + (count - whole).square()) / 2
    return total * power.rsqrt(), phase


class NoiseTable(nn.Module):
    """White noise that is the same at the same place: some eight seconds of it, over and over.

    Example
    -------
    >>> table = NoiseTable()
    >>> part = table(torch.tensor([5]), start=10, samples=100)
    >>> bool((table(torch.tensor([0]), start=15, samples=50) == part[:, :50]).all())
    True
    """

    table: torch.Tensor  # constant buffer

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", CounterRandom(TABLE_KEY).normal(TABLE_SAMPLES), persistent=False)

    def forward(self, offsets: torch.Tensor, start: int, samples: int) -> torch.Tensor:
        """Noise of unit variance.

        Arguments
        ---------
        offsets : torch.Tensor
            Where in the table each signal begins, ``(batch,)``, integers.
        start, samples : int
            Which part of the signals.

        Returns
        -------
        torch.Tensor
            ``(batch, samples)``.
        """
        places = offsets[:, None] + torch.arange(start, start + samples, device=offsets.device)
        return self.table[places % TABLE_SAMPLES]

    @staticmethod
    def offsets(latent: torch.Tensor) -> torch.Tensor:
        """Places in the table, all equally likely, of standard normal numbers ``(batch,)``."""
        share = torch.special.ndtr(latent.double())
        return (share * TABLE_SAMPLES).long().clamp(max=TABLE_SAMPLES - 1)
