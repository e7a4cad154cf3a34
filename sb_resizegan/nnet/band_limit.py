"""A fixed low-pass as the last layer of a generator: the band that its data have."""

import torch
from scipy.signal import firwin, kaiserord
from torch import nn

from sb_resizegan.utils.checks import check_positive

__all__ = ["BandLimit"]

STOPBAND_DB = 80.0
LOWEST = 1000  # the filter for a thousandth of the rate has 25 thousand taps


class BandLimit(nn.Module):
    """Removes what lies above a frequency, by a fixed filter with linear phase.

    A Kaiser filter, −6 dB at ``cutoff_hz``, flat up to a share ``transition`` below and ``stopband_db`` down
    from as much above. It reads ``margin`` samples on each side of what it gives, so that its output has no
    edges of its own.

    Arguments
    ---------
    cutoff_hz : float
        In Hz, below a third of the sampling rate.
    sample_rate : int
        In Hz.
    transition : float
        Half of the transition band over the cut-off, above 0 and below 1.
    stopband_db : float
        Attenuation in dB, at least 30.

    Raises
    ------
    ValueError
        If the cut-off is out of range.

    Example
    -------
    >>> band_limit = BandLimit(1650, 16000)
    >>> band_limit(torch.randn(2, 2048 + 2 * band_limit.margin)).shape
    torch.Size([2, 2048])
    """

    def __init__(
        self, cutoff_hz: float, sample_rate: int, transition: float = 0.1, stopband_db: float = STOPBAND_DB
    ) -> None:
        super().__init__()
        self.cutoff_hz = check_positive("cutoff_hz", cutoff_hz)
        if self.cutoff_hz >= sample_rate / 3:
            raise ValueError(
                f"cutoff_hz: expected less than a third of the rate {sample_rate} Hz, but got {cutoff_hz}"
            )
        if self.cutoff_hz * LOWEST < sample_rate:
            raise ValueError(
                f"cutoff_hz: expected at least {sample_rate / LOWEST} Hz, 1/{LOWEST} of the rate, "
                f"but got {cutoff_hz}"
            )
        if not 0 < transition < 1:
            raise ValueError(f"transition: expected a share above 0 and below 1, but got {transition}")
        if not stopband_db >= 30:
            raise ValueError(f"stopband_db: expected at least 30 dB, but got {stopband_db}")
        nyquist = sample_rate / 2
        taps, beta = kaiserord(stopband_db, 2 * transition * self.cutoff_hz / nyquist)
        kernel = firwin(taps | 1, self.cutoff_hz / nyquist, window=("kaiser", beta))
        self.margin = len(kernel) // 2
        self.register_buffer("kernel", torch.from_numpy(kernel).float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(batch, time)`` to ``(batch, time - 2 * margin)``, in float32."""
        with torch.autocast(x.device.type, enabled=False):
            # A product of spectra: what the circular convolution wraps round is what is cut off.
            time = x.shape[1]
            spectrum = torch.fft.rfft(x.float()) * torch.fft.rfft(self.kernel, time)
            return torch.fft.irfft(spectrum, time)[:, 2 * self.margin :]

    def extra_repr(self) -> str:
        return f"cutoff_hz={self.cutoff_hz:g}, margin={self.margin}"
