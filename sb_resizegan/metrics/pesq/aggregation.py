"""Aggregation of the disturbances over time, and the score (P.862, clauses 10.2.12 and 10.2.13; P.862.2)."""

import torch

from sb_resizegan.metrics.pesq.disturbance import safe_root
from sb_resizegan.metrics.pesq.layout import HOP
from sb_resizegan.metrics.pesq.perceptual import Region

GROUP_HOP = 10
HIGHEST = 45.0


def weigh_by_level(disturbance: torch.Tensor, audible: torch.Tensor) -> torch.Tensor:
    """Weighs frames by the power of the reference, and limits them (P.862, clause 10.2.10).

    Arguments
    ---------
    disturbance : Tensor
        (batch, frames).
    audible : Tensor
        Audible power of the compensated reference, (batch, frames).

    Returns
    -------
    Tensor
        (batch, frames).

    Example
    -------
    >>> weigh_by_level(torch.tensor([[1.0, 100.0]]), torch.full((1, 2), 1e7 - 1e5))
    tensor([[ 1., 45.]])
    """
    return (disturbance / ((audible + 1e5) / 1e7) ** 0.04).clamp(max=HIGHEST)


def aggregate(disturbance: torch.Tensor, region: Region, longest: torch.Tensor) -> torch.Tensor:
    """Sixth-power mean over 320 ms, then root mean square over the file (P.862, clause 10.2.12).

    Arguments
    ---------
    disturbance : Tensor
        Weighed disturbances, (batch, frames).
    region : Region
        Frames that count.
    longest : Tensor
        Samples of the longer signal of each pair, (batch,).

    Returns
    -------
    Tensor
        (batch,).

    Example
    -------
    >>> from sb_resizegan.metrics.pesq.perceptual import Region
    >>> region = Region(torch.tensor([0]), torch.tensor([199]))
    >>> aggregate(torch.ones(1, 200), region, torch.tensor([51200])).round(decimals=2)
    tensor([0.9900])
    """
    batch, frames = disturbance.shape
    groups = -(-frames // GROUP_HOP)
    offset = torch.arange((groups + 1) * GROUP_HOP, device=disturbance.device)
    index = region.first[:, None] + offset
    counted = index <= region.last[:, None]
    values = disturbance.gather(1, index.clamp(max=frames - 1))
    sixth = torch.where(counted, values, 0.0).square() ** 3
    tens = sixth.view(batch, groups + 1, GROUP_HOP).sum(-1)
    group = safe_root((tens[:, :-1] + tens[:, 1:]) / (2 * GROUP_HOP), 1 / 6)

    # Long files: the beginning weighs less.
    start = GROUP_HOP * torch.arange(groups, device=disturbance.device, dtype=disturbance.dtype)
    nominal = (torch.div(longest, HOP, rounding_mode="floor") - 1).to(disturbance.dtype)[:, None]
    slope = torch.where(region.last[:, None] + 1 > 1000, ((nominal - 1000) / 5500).clamp(max=0.5), 0.0)
    weight = (1 - slope) + slope * start / nominal
    weight = torch.where(counted[:, : groups * GROUP_HOP : GROUP_HOP], weight, 0.0)
    return safe_root((weight * group).square().sum(1) / weight.square().sum(1).clamp(min=1e-30), 0.5)


def raw_score(symmetric: torch.Tensor, asymmetric: torch.Tensor) -> torch.Tensor:
    """Raw PESQ score from the two totals (P.862, clause 10.2.13).

    Arguments
    ---------
    symmetric, asymmetric : Tensor
        (batch,).

    Returns
    -------
    Tensor
        At most 4.5, (batch,).

    Example
    -------
    >>> raw_score(torch.zeros(1), torch.zeros(1))
    tensor([4.5000])
    """
    return 4.5 - 0.1 * symmetric - 0.0309 * asymmetric


def mos_lqo(raw: torch.Tensor) -> torch.Tensor:
    """Wide-band mapping of the raw score to MOS-LQO (P.862.2).

    Arguments
    ---------
    raw : Tensor
        (batch,).

    Returns
    -------
    Tensor
        0.999 to 4.644, (batch,).

    Example
    -------
    >>> mos_lqo(torch.tensor([4.5, 1.0]))
    tensor([4.6439, 1.3151])
    """
    return 0.999 + 4.0 / (1.0 + torch.exp(-1.3669 * raw + 3.8224))
