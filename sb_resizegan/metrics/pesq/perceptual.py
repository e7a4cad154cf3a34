"""Perceptual model: spectra, compensation of filter and gain, loudness (P.862, clauses 10.2.1 to 10.2.7)."""

from dataclasses import dataclass

import torch

from sb_resizegan.metrics.pesq.constants import tables
from sb_resizegan.metrics.pesq.layout import FRAME, GUARD, HOP, TAIL, frame_rows, row_chunks

SPEECH_EDGE = 500.0  # sum of five magnitudes that begins the active region
LOUD_FRAME = 1e7  # audible power of the reference under which a frame counts as silent


@dataclass
class Region:
    """Frames that count, (batch,) each.

    Arguments
    ---------
    first : Tensor
        First frame of the aggregation.
    last : Tensor
        Last frame, inclusive.
    """

    first: torch.Tensor
    last: torch.Tensor


@torch.no_grad()
def active_region(reference: torch.Tensor, longest: torch.Tensor) -> Region:
    """Frames from the first to the last sound of the reference (P.862, clause 10.2.1).

    Arguments
    ---------
    reference : Tensor
        Output of the wide-band filter, zero behind each end, (batch, time).
    longest : Tensor
        Samples of the longer signal of each pair, (batch,).

    Returns
    -------
    Region

    Example
    -------
    >>> signal = torch.zeros(1, 8000)
    >>> signal[:, 2560:5120] = 1000.0
    >>> active_region(signal, torch.tensor([8000]))
    Region(first=tensor([9]), last=tensor([19]))
    """
    frames = -(-reference.shape[1] // HOP) + 1
    starts, ends = zip(
        *(_loud_blocks(reference[rows], frames) for rows in row_chunks(reference)), strict=True
    )
    starts, ends = torch.cat(starts), torch.cat(ends)
    block = torch.arange(frames, device=reference.device)
    # The published search ends in the middle of the padded file.
    middle = torch.div(longest + 2 * GUARD, 2, rounding_mode="floor")
    first = torch.where(starts, block, frames).amin(1)
    first = torch.minimum(first, torch.div(middle, HOP, rounding_mode="floor"))
    last = torch.where(ends, block, -1).amax(1)
    last = torch.maximum(last, torch.div(longest + TAIL - middle, HOP, rounding_mode="floor"))
    return Region(first, last - 1)


def _loud_blocks(signal: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether a loud window of five samples starts, and whether one ends, in each block of 256 samples."""
    size = count * HOP + 5
    single = torch.nn.functional.pad(signal.abs(), (5, size - signal.shape[1]))
    pairs = single[:, :-1] + single[:, 1:]
    five = pairs[:, :-3] + pairs[:, 2:-1] + single[:, 4:]
    loud = five.ge_(SPEECH_EDGE)
    starts, ends = loud[:, 5 : 5 + count * HOP], loud[:, : count * HOP]
    starts, ends = (side.reshape(len(signal), count, HOP).amax(-1) > 0 for side in (starts, ends))
    return starts, ends


def band_powers(frames: torch.Tensor) -> torch.Tensor:
    """Powers in the Bark bands (P.862, clauses 10.2.2 and 10.2.3).

    Arguments
    ---------
    frames : Tensor
        (..., 512).

    Returns
    -------
    Tensor
        (..., 48).

    Example
    -------
    >>> band_powers(torch.randn(2, 7, 512)).shape
    torch.Size([2, 7, 48])
    """
    constants = tables(frames.device, frames.dtype)
    spectrum = torch.view_as_real(torch.fft.rfft(frames * constants.hann512))
    # Squares in place where no gradient needs the spectrum: it is the largest tensor here.
    power = spectrum.square() if spectrum.requires_grad else spectrum.square_()
    return power.flatten(-2) @ constants.bands


def plain_frames(buffer: torch.Tensor, count: int) -> torch.Tensor:
    """Frames of 512 samples, every 256, without delay.

    Arguments
    ---------
    buffer : Tensor
        Signals with the guard before them and silence behind, (batch, time).
    count : int
        Number of frames.

    Returns
    -------
    Tensor
        A view, (batch, count, 512).

    Example
    -------
    >>> plain_frames(torch.randn(2, 4800 + 1536), 5).shape
    torch.Size([2, 5, 512])
    """
    return buffer[:, GUARD : GUARD + HOP * (count - 1) + FRAME].unfold(1, FRAME, HOP)


def delayed_frames(
    buffer: torch.Tensor, delay: torch.Tensor, limit: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames of the degraded signal that belong to those of the reference.

    Arguments
    ---------
    buffer : Tensor
        Degraded signals with the guard before them and silence behind, (batch, time), contiguous.
    delay : Tensor
        Delay at each frame in samples, (batch, frames).
    limit : Tensor
        Buffer sample that a frame must end before, (batch,).

    Returns
    -------
    frames : Tensor
        (batch, frames, 512).
    inside : Tensor
        Whether the frame lies within the buffer, (batch, frames).

    Example
    -------
    >>> buffer = torch.arange(9000.0)[None]
    >>> frames, inside = delayed_frames(buffer, torch.tensor([[3, -5500]]), torch.tensor([9000]))
    >>> frames[0, 0, 0], inside
    (tensor(4803.), tensor([[ True, False]]))
    """
    batch, count = delay.shape
    start = GUARD + HOP * torch.arange(count, device=delay.device) + delay
    inside = (start > 0) & (start + FRAME < limit[:, None])
    rows = torch.where(inside, start, 0) + buffer.shape[1] * torch.arange(batch, device=delay.device)[:, None]
    if buffer.requires_grad:
        samples = rows.flatten()[:, None] + torch.arange(FRAME, device=delay.device)
        frames = buffer.flatten().index_select(0, samples.flatten())
    else:
        frames = frame_rows(buffer, FRAME).index_select(0, rows.flatten())
    return frames.view(batch, count, FRAME), inside


def audible_power(powers: torch.Tensor, factor: float) -> torch.Tensor:
    """Sum of the bands above a multiple of the hearing threshold.

    Arguments
    ---------
    powers : Tensor
        (..., 48).
    factor : float
        The multiple.

    Returns
    -------
    Tensor
        (...).

    Example
    -------
    >>> audible_power(torch.full((3, 48), 1e8), 1.0)
    tensor([4.8000e+09, 4.8000e+09, 4.8000e+09])
    """
    threshold = factor * tables(powers.device, powers.dtype).threshold
    return torch.where(powers > threshold, powers, 0.0).sum(-1)


def compensate_filtering(
    reference: torch.Tensor, degraded: torch.Tensor, present: torch.Tensor, longest: torch.Tensor
) -> torch.Tensor:
    """Partial compensation of a fixed filter, put on the reference (P.862, clause 10.2.4).

    Arguments
    ---------
    reference, degraded : Tensor
        Band powers, (batch, frames, 48).
    present : Tensor
        Frames up to the last one, (batch, frames).
    longest : Tensor
        Samples of the longer signal of each pair, (batch,).

    Returns
    -------
    Tensor
        Band powers of the reference, (batch, frames, 48).

    Example
    -------
    >>> loud = torch.full((1, 50, 48), 1e7)
    >>> present, longest = torch.ones(1, 50, dtype=torch.bool), torch.tensor([50 * 256 + 256 - 5120])
    >>> compensate_filtering(loud, loud / 4, present, longest)[0, 0, 40]
    tensor(2500749.7500)
    """
    frames = (torch.div(longest + TAIL, HOP, rounding_mode="floor") - 1).to(reference.dtype)
    counted = (present & (audible_power(reference, 100.0) >= LOUD_FRAME))[..., None]
    threshold = 100.0 * tables(reference.device, reference.dtype).threshold
    average = [
        torch.where(counted & (powers > threshold), powers, 0.0).sum(1) / frames[:, None]
        for powers in (reference, degraded)
    ]
    ratio = ((average[1] + 1000.0) / (average[0] + 1000.0)).clamp(0.01, 100.0)
    return reference * ratio[:, None]


def smoothed_gain(ratio: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
    """Recursively smoothed short-term gain, clipped (P.862, clause 10.2.5).

    The recursion y = 0.2 y_before + 0.8 x as its first 20 taps: what is beyond them is 1e-14.

    Arguments
    ---------
    ratio : Tensor
        Ratios of the audible powers, (batch, frames).
    history : Tensor
        Value before the first frame, (batch, 1).

    Returns
    -------
    Tensor
        (batch, frames).

    Example
    -------
    >>> smoothed_gain(torch.tensor([[1.0, 1.0, 2.0]]), torch.ones(1, 1))
    tensor([[1.0000, 1.0000, 1.8000]])
    """
    taps = tables(ratio.device, ratio.dtype).smoothing
    before = history.expand(-1, len(taps) - 1)
    return (torch.cat([before, ratio], 1).unfold(1, len(taps), 1) @ taps).clamp(3e-4, 5.0)


def gain_ratio(audible_reference: torch.Tensor, degraded: torch.Tensor) -> torch.Tensor:
    """Audible power of the reference over that of the degraded signal, kept away from silence.

    Arguments
    ---------
    audible_reference : Tensor
        (..., frames).
    degraded : Tensor
        Band powers, (..., frames, 48).

    Returns
    -------
    Tensor
        (..., frames).

    Example
    -------
    >>> gain_ratio(torch.zeros(2, 5), torch.zeros(2, 5, 48)).unique()
    tensor([1.])
    """
    return (audible_reference + 5000.0) / (audible_power(degraded, 1.0) + 5000.0)


def loudness(powers: torch.Tensor) -> torch.Tensor:
    """Loudness density by Zwicker's law (P.862, clause 10.2.6).

    Arguments
    ---------
    powers : Tensor
        (..., 48).

    Returns
    -------
    Tensor
        In sone per Bark, zero below the hearing threshold, (..., 48).

    Example
    -------
    >>> loudness(torch.zeros(1, 48)).max()
    tensor(0.)
    """
    constants = tables(powers.device, powers.dtype)
    relative = (0.5 / constants.threshold) * powers + 0.5
    return (constants.loudness * (relative**constants.exponent - 1.0)).clamp(min=0.0)
