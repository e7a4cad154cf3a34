"""Delay from the logarithmic envelopes, in steps of one slot (P.862, clause 10.1.4)."""

from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import SLOT, quotient, to_device

# The published model keeps its analysis window in memory that the correlation of envelopes overwrites
# from this entry on. Long utterances are therefore split with a window that is partly a correlation.
OVERWRITTEN_FROM = 3078
WINDOW = 1024


@dataclass
class EnvelopeRanges:
    """Stretches of envelopes to be correlated, on the host; one entry a correlation.

    Arguments
    ---------
    item : numpy.ndarray of int
        Pair of the batch.
    start_reference, count_reference : numpy.ndarray of int
        First slot and number of slots of the reference.
    start_degraded, count_degraded : numpy.ndarray of int
        The same of the degraded signal.
    """

    item: np.ndarray
    start_reference: np.ndarray
    count_reference: np.ndarray
    start_degraded: np.ndarray
    count_degraded: np.ndarray

    @classmethod
    def around(
        cls, item: np.ndarray, start: np.ndarray, end: np.ndarray, delay: np.ndarray, slots: np.ndarray
    ) -> "EnvelopeRanges":
        """Ranges for slots ``start`` to ``end`` of the reference and a prior delay in samples.

        Arguments
        ---------
        item, start, end, delay : numpy.ndarray of int
            One entry a correlation.
        slots : numpy.ndarray of int
            Slots of the degraded signal, (batch,).

        Returns
        -------
        EnvelopeRanges

        Example
        -------
        >>> stretch = (np.array([v]) for v in (0, 10, 90, -1280))
        >>> ranges = EnvelopeRanges.around(*stretch, np.array([75]))
        >>> ranges.start_reference, ranges.start_degraded, ranges.count_reference, ranges.count_degraded
        (array([20]), array([0]), array([70]), array([70]))
        """
        start_degraded = start + quotient(delay, SLOT)
        early = start_degraded < 0
        start = np.where(early, quotient(-delay, SLOT), start)
        start_degraded = np.maximum(start_degraded, 0)
        count = end - start
        return cls(item, start, count, start_degraded, np.minimum(count, slots[item] - start_degraded))

    @property
    def computed(self) -> np.ndarray:
        """Whether there is anything to correlate."""
        return (self.count_reference > 1) & (self.count_degraded > 1)

    @property
    def entries(self) -> np.ndarray:
        """Entries of each correlation, zero if there is none."""
        return np.where(self.computed, self.count_reference + self.count_degraded - 1, 0)


def _transform_size(count: np.ndarray) -> np.ndarray:
    """Smallest power of two, or three quarters of one, that holds lags of either sign up to a count."""
    power = 1 << np.ceil(np.log2(np.maximum(2 * count, 128))).astype(np.int64)
    return np.where(2 * count <= 3 * power // 4, 3 * power // 4, power)


def _rows(
    envelopes: torch.Tensor, item: torch.Tensor, start: torch.Tensor, count: torch.Tensor, size: int
) -> torch.Tensor:
    """Stretches of envelopes, zero behind their ends."""
    slots = envelopes.shape[1]
    offset = torch.arange(size, device=envelopes.device)
    flat = (item * slots + start)[:, None] + offset
    rows = envelopes.reshape(-1)[flat.clamp_(max=envelopes.numel() - 1)]
    return rows * (offset < count[:, None])


def envelope_lags(
    reference: torch.Tensor, degraded: torch.Tensor, ranges: EnvelopeRanges, chunk: int = 1 << 20
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lag of the highest correlation of two stretches of envelopes, for many at once.

    Arguments
    ---------
    reference, degraded : Tensor
        Envelopes, (batch, slots).
    ranges : EnvelopeRanges
        What to correlate.
    chunk : int
        Values that one transform takes at most.

    Returns
    -------
    lag : Tensor
        In slots, the first of the highest positive values; 0 if there is none. (correlations,), int64.
    overwriting : Tensor
        What those of more than 3078 entries leave in the analysis window, (such correlations, 1024).

    Example
    -------
    >>> envelope = torch.zeros(1, 100)
    >>> envelope[0, 20:40] = 1.0
    >>> whole = EnvelopeRanges(*(np.array([v]) for v in (0, 0, 100, 0, 100)))
    >>> envelope_lags(envelope, envelope.roll(7, 1), whole)[0]
    tensor([7])
    """
    device = reference.device
    lags = torch.zeros(len(ranges.item), dtype=torch.int64, device=device)
    overwriting = reference.new_zeros(int((ranges.entries > OVERWRITTEN_FROM).sum()), WINDOW)
    place = np.cumsum(ranges.entries > OVERWRITTEN_FROM) - 1
    sizes = _transform_size(np.maximum(ranges.count_reference, ranges.count_degraded))
    tiny = 1e-6 if reference.dtype == torch.float32 else 1e-12
    for size in np.unique(sizes[ranges.computed]):
        chosen = np.flatnonzero(ranges.computed & (sizes == size))
        for jobs in np.split(chosen, range(chunk // size, len(chosen), chunk // size)):
            fields = [v[jobs] for v in vars(ranges).values()]
            index, item, start_r, count_r, start_d, count_d = to_device(np.stack([jobs, *fields]), device)
            a = _rows(reference, item, start_r, count_r, int(size) // 2)
            c = _rows(degraded, item, start_d, count_d, int(size) // 2)
            spectrum = torch.fft.rfft(a, n=int(size)).conj_physical_().mul_(torch.fft.rfft(c, n=int(size)))
            # With every second bin turned, lag 0 is in the middle and the first maximum has the lowest lag.
            spectrum[:, 1::2] *= -1
            correlation = torch.fft.irfft(spectrum, n=int(size))
            height, where = correlation.max(-1)
            scale = (a.square().sum(-1) * c.square().sum(-1)).sqrt()
            lags.index_copy_(0, index, torch.where(height > tiny * scale, where - int(size) // 2, 0))
            long = ranges.entries[jobs] > OVERWRITTEN_FROM
            if long.any():
                keep = to_device(np.flatnonzero(long), device)
                first = OVERWRITTEN_FROM - (count_r[keep] - 1) + int(size) // 2
                columns = first[:, None] + torch.arange(WINDOW, device=device)
                values = correlation[keep].gather(1, columns.clamp_(max=int(size) - 1))
                overwriting[to_device(place[jobs[long]], device)] = values
    return lags, overwriting
