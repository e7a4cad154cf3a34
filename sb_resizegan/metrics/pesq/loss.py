"""Wide-band PESQ as a training loss."""

import torch

from sb_resizegan.metrics.pesq.aggregation import mos_lqo
from sb_resizegan.metrics.pesq.inputs import PesqStatus, prepare
from sb_resizegan.metrics.pesq.layout import full_precision, to_device
from sb_resizegan.metrics.pesq.pipeline import evaluate

HIGHEST_RAW = 4.5
SCALES = ("raw", "mos")
REDUCTIONS = ("mean", "none")


def pesq_loss(
    reference: torch.Tensor,
    degraded: torch.Tensor,
    lengths: torch.Tensor | None = None,
    align: bool = True,
    scale: str = "raw",
    reduction: str = "mean",
) -> torch.Tensor:
    """Distance from the best PESQ score, differentiable in the degraded signal.

    All of P.862 and P.862.2 as in `pesq`. Gradients go through level alignment, filters, perceptual model and
    aggregation; the delays, the frames that count and the choice of bad intervals are held fixed.

    Pairs that `pesq` refuses (too short, silent, not finite, no speech) give zero loss and zero gradient.

    Arguments
    ---------
    reference : Tensor
        Clean speech at 16 kHz, (batch, time).
    degraded : Tensor
        The signal to be improved, (batch, time).
    lengths : Tensor, optional
        Relative lengths, 0 to 1, (batch,).
    align : bool
        Whether to look for delays. Without, the signals are taken as aligned, as the output of an enhancement
        network is to its target. This saves time and is exact where time alignment finds
        no delay; a pair without speech is then no longer refused.
    scale : str
        "raw": 4.5 less the raw score, linear in the disturbances, so the gradient stays the same size for
        bad signals. "mos": 4.644 less MOS-LQO, whose mapping is flat at both ends.
    reduction : str
        "mean" over the pairs that were not refused, or "none".

    Returns
    -------
    Tensor
        Not negative; a scalar, or (batch,).

    Raises
    ------
    TypeError, ValueError
        As `pesq`; and if ``scale`` or ``reduction`` is unknown.

    Example
    -------
    >>> clean, noisy = torch.randn(2, 8000), torch.randn(2, 8000, requires_grad=True)
    >>> loss = pesq_loss(clean, noisy, align=False)
    >>> loss.backward()
    >>> loss.shape, noisy.grad.shape
    (torch.Size([]), torch.Size([2, 8000]))
    """
    for value, known, name in ((scale, SCALES, "scale"), (reduction, REDUCTIONS, "reduction")):
        if value not in known:
            raise ValueError(f"expected {name} to be one of {', '.join(known)}, but got {value!r}")
    pairs = prepare(reference, degraded, lengths=lengths)
    with full_precision(pairs.signals.device):
        details = evaluate(pairs, time_alignment=align)
    if scale == "raw":
        distance = HIGHEST_RAW - details.raw
    else:
        distance = mos_lqo(torch.full_like(details.raw, HIGHEST_RAW)) - details.mos_lqo
    scored = details.status == PesqStatus.OK
    # Without alignment, nothing is refused but for its samples, which the device knows.
    refused = to_device(~scored, distance.device) if align else ~pairs.good
    distance = distance.masked_fill(refused, 0.0)
    return distance if reduction == "none" else distance.sum() / max(1, int(scored.sum()))
