"""The public calls: wide-band PESQ as MOS-LQO, as the raw score, and with all intermediate values."""

import torch

from sb_resizegan.metrics.pesq.inputs import PesqStatus, prepare
from sb_resizegan.metrics.pesq.layout import full_precision, to_device
from sb_resizegan.metrics.pesq.pipeline import PesqDetails, evaluate


@torch.no_grad()
def pesq_details(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    sample_rate: int = 16000,
    lengths: torch.Tensor | None = None,
    degraded_lengths: torch.Tensor | None = None,
) -> PesqDetails:
    """Wide-band PESQ with all intermediate values: delays, utterances, disturbances, bad intervals.

    Arguments
    ---------
    reference, degraded, sample_rate, lengths, degraded_lengths
        See `pesq`.

    Returns
    -------
    PesqDetails

    Example
    -------
    >>> noise = torch.randn(2, 16000)
    >>> details = pesq_details(noise, noise)
    >>> details.symmetric.shape, details.status
    (torch.Size([2, 82]), array([0, 0]))
    """
    pairs = prepare(reference, degraded, sample_rate, lengths, degraded_lengths)
    with full_precision(pairs.signals.device):
        details = evaluate(pairs)
    refused = to_device(details.status != PesqStatus.OK, details.raw.device)
    details.raw = details.raw.masked_fill(refused, torch.nan)
    details.mos_lqo = details.mos_lqo.masked_fill(refused, torch.nan)
    return details


def pesq_raw(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    sample_rate: int = 16000,
    lengths: None = None,
    degraded_lengths: None = None,
) -> torch.Tensor:
    """Raw wide-band PESQ score, before the mapping to MOS-LQO.

    Arguments
    ---------
    reference, degraded, sample_rate, lengths, degraded_lengths
        See `pesq`.

    Returns
    -------
    Tensor
        At most 4.5; NaN where the pair was refused. (batch,).

    Example
    -------
    >>> noise = torch.randn(16000)
    >>> pesq_raw(noise, noise)
    tensor([4.5000])
    """
    return pesq_details(reference, degraded, sample_rate, lengths, degraded_lengths).raw


def pesq(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    sample_rate: int = 16000,
    lengths: torch.Tensor | None = None,
    degraded_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Wide-band PESQ (ITU-T P.862.2 MOS-LQO, without Corrigendum 2 of P.862) of a batch.

    Agrees with the ``pesq`` package 0.0.4 in mode ``wb``; see ``docs/pesq.md`` for how closely. Runs on the
    device of the signals, in float32, or in float64 if they are.

    A refused pair scores NaN and does not affect the others; `pesq_details` gives the reason (`PesqStatus`).
    As in the published model: under a quarter of a second, silence, NaN or infinity, or no speech in the
    reference. Of a reference with more than 50 stretches of speech, which the published model leaves
    undefined, the first 50 are used.

    Where rounding decides in the published model itself, no other program gives the same score: digital
    silence of the degraded signal under half a second or more of speech, an impulse or a constant as either
    signal. Such pairs can differ by some hundredths, seldom a tenth.

    Arguments
    ---------
    reference : Tensor
        Clean speech at 16 kHz, (batch, time) or (time,). The scale does not matter.
    degraded : Tensor
        Speech to be scored, the same shape; its time may differ.
    sample_rate : int
        16000; signals at other rates must be resampled first.
    lengths : Tensor, optional
        Relative lengths, 0 to 1, float, (batch,): a signal has ``round(lengths * time)`` samples. All of it
        by default.
    degraded_lengths : Tensor, optional
        The same for the degraded signals, relative to their own time, if they differ from ``lengths``.

    Returns
    -------
    Tensor
        MOS-LQO, 1.0 to 4.644; NaN where the pair was refused. (batch,).

    Raises
    ------
    TypeError
        If a signal is not a real tensor, or lengths are not floating point.
    ValueError
        If the sampling rate is not 16000, shapes do not match, or a relative length is not from 0 to 1.

    Example
    -------
    >>> noise = torch.randn(2, 16000)
    >>> pesq(noise, noise, lengths=torch.tensor([1.0, 0.1]))
    tensor([4.6439,    nan])
    """
    return pesq_details(reference, degraded, sample_rate, lengths, degraded_lengths).mos_lqo
