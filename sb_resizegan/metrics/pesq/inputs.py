"""Input of the measure: types, lengths, and pairs that cannot be scored (P.862.2; P.862, clause 9)."""

import enum
from dataclasses import dataclass

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import SHORTEST, Geometry, Lengths, row_chunks, to_host
from sb_resizegan.metrics.pesq.numbers import SAMPLE_RATE


class PesqStatus(enum.IntEnum):
    """Outcome for a pair; all but OK score NaN.

    Example
    -------
    >>> [status.name for status in PesqStatus][:3]
    ['OK', 'TOO_SHORT', 'NON_FINITE']
    """

    OK = 0
    TOO_SHORT = 1  # under 4000 samples
    NON_FINITE = 2  # NaN or infinity in either signal
    SILENT_REFERENCE = 3  # all samples zero
    SILENT_DEGRADED = 4  # all samples zero
    NO_UTTERANCES = 5  # the reference has no 200 ms of speech within reach of the degraded signal


@dataclass
class Pairs:
    """Signals ready to be scored.

    Arguments
    ---------
    signals : Tensor
        All references, then all degraded signals. Scaled by one factor a pair; zero behind each end and in
        refused pairs. (2 batch, time).
    geometry : Geometry
        Lengths; a refused pair counts as 4000 samples of silence.
    status : numpy.ndarray of int
        Of each pair, as far as its samples show, (batch,).
    samples : Lengths
        The lengths of the geometry for each signal, (2 batch,).
    good : Tensor
        Whether the status is OK, (batch,).
    """

    signals: torch.Tensor
    geometry: Geometry
    status: np.ndarray
    samples: Lengths
    good: torch.Tensor


def _waveform(signal: torch.Tensor, name: str) -> torch.Tensor:
    if not isinstance(signal, torch.Tensor) or signal.is_complex() or signal.dtype == torch.bool:
        kind = signal.dtype if isinstance(signal, torch.Tensor) else type(signal).__name__
        raise TypeError(f"{name}: expected a tensor of real samples, but got {kind}")
    if signal.dim() not in (1, 2):
        raise ValueError(f"{name}: expected (batch, time) or (time,), but got {tuple(signal.shape)}")
    signal = signal if signal.dim() == 2 else signal[None]
    signal = signal if signal.dtype == torch.float64 else signal.float()
    return torch.nn.functional.pad(signal, (0, max(0, SHORTEST - signal.shape[1])))


def _relative(lengths: torch.Tensor | None, name: str, signal: torch.Tensor) -> torch.Tensor:
    if lengths is None:
        return torch.ones(signal.shape[0], dtype=torch.float64, device=signal.device)
    if not isinstance(lengths, torch.Tensor) or not lengths.is_floating_point():
        kind = lengths.dtype if isinstance(lengths, torch.Tensor) else type(lengths).__name__
        raise TypeError(
            f"{name}: expected a float tensor of relative lengths, where 1.0 is the longest, but got {kind}"
        )
    if lengths.shape != (signal.shape[0],):
        raise ValueError(f"{name}: expected shape ({signal.shape[0]},), but got {tuple(lengths.shape)}")
    return lengths.detach().to(signal.device, torch.float64)


def prepare(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    sample_rate: int = SAMPLE_RATE,
    lengths: torch.Tensor | None = None,
    degraded_lengths: torch.Tensor | None = None,
) -> Pairs:
    """Checks the input and converts it to the form that the stages work on.

    Arguments
    ---------
    reference, degraded : Tensor
        (batch, time) or (time,).
    sample_rate : int
        16000.
    lengths : Tensor, optional
        Relative lengths of the references, (batch,).
    degraded_lengths : Tensor, optional
        Relative lengths of the degraded signals if they differ.

    Returns
    -------
    Pairs

    Raises
    ------
    TypeError, ValueError
        If the input is not of this form.

    Example
    -------
    >>> prepare(torch.randn(2, 8000), torch.zeros(2, 8000)).status
    array([4, 4])
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"expected sample_rate {SAMPLE_RATE}, but got {sample_rate}; resample the signals first"
        )
    times = [s.shape[-1] if isinstance(s, torch.Tensor) and s.dim() else 0 for s in (reference, degraded)]
    signals = [_waveform(reference, "reference"), _waveform(degraded, "degraded")]
    if signals[0].shape[0] != signals[1].shape[0]:
        shapes = tuple(reference.shape), tuple(degraded.shape)
        raise ValueError(
            f"expected as many references as degraded signals, but got shapes {shapes[0]}, {shapes[1]}"
        )
    if signals[0].shape[0] == 0:
        raise ValueError("expected at least one pair of signals, but got an empty batch")
    if signals[0].device != signals[1].device:
        raise ValueError(
            f"expected both signals on one device, but got {signals[0].device} and {signals[1].device}"
        )
    if signals[0].dtype != signals[1].dtype:
        signals = [signal.double() for signal in signals]
    longest = max(signal.shape[1] for signal in signals)
    stacked = torch.cat([torch.nn.functional.pad(s, (0, longest - s.shape[1])) for s in signals])

    relative = [_relative(lengths, "lengths", signals[0])]
    relative.append(
        relative[0]
        if degraded_lengths is None
        else _relative(degraded_lengths, "degraded_lengths", signals[1])
    )
    samples = [torch.round(r * time) for r, time in zip(relative, times, strict=True)]
    if lengths is not None or degraded_lengths is not None:
        time = torch.arange(longest, device=stacked.device)
        stacked = torch.where(time < torch.cat(samples)[:, None], stacked, 0.0)
    # The maximum of a signal with a NaN is NaN: one reduction tells silence and non-finite samples alike.
    peaks = torch.cat([stacked[rows].detach().abs().amax(1) for rows in row_chunks(stacked)]).chunk(2)
    joint = torch.maximum(*peaks)
    good = torch.isfinite(joint) & (peaks[0] > 0) & (peaks[1] > 0) & (torch.minimum(*samples) >= SHORTEST)
    scale = torch.where(good, 1.0 / joint, 0.0).repeat(2)[:, None]
    stacked = (stacked * scale).masked_fill_(~good.repeat(2)[:, None], 0.0)

    *shares, n_r, n_d, peak_r, peak_d = to_host(*relative, *samples, *peaks)
    for share, name in zip(shares, ("lengths", "degraded_lengths"), strict=True):
        wrong = ~((share >= 0) & (share <= 1.0 + 1e-6))
        if wrong.any():
            raise ValueError(f"{name}: expected relative lengths from 0 to 1, but got {share[wrong][0]}")
    status = np.select(
        [
            np.minimum(n_r, n_d) < SHORTEST,
            ~np.isfinite(peak_r) | ~np.isfinite(peak_d),
            peak_r == 0,
            peak_d == 0,
        ],
        [
            PesqStatus.TOO_SHORT,
            PesqStatus.NON_FINITE,
            PesqStatus.SILENT_REFERENCE,
            PesqStatus.SILENT_DEGRADED,
        ],
        PesqStatus.OK,
    )
    lengths_kept = [np.where(status == PesqStatus.OK, n, SHORTEST).astype(np.int64) for n in (n_r, n_d)]
    # The same as on the host, where it is computed with.
    kept = torch.where(good.repeat(2), torch.cat(samples), SHORTEST).long()
    return Pairs(stacked, Geometry(*lengths_kept), status, Lengths(np.concatenate(lengths_kept), kept), good)
