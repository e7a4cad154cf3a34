"""Packets that never came: bursts of them, left silent or filled in with what came last."""

import numpy as np

from sb_resizegan.utils.random import Draws

__all__ = ["BURST_MS", "PACKET_SECONDS", "lose_packets", "repeated", "without_packets"]

PACKET_SECONDS = 0.02
BURST_MS = (20.0, 200.0)
# What is repeated has faded out after this time: in a vowel the ear hears the buzz of it otherwise.
FADE_SECONDS = 0.06
TRIES = 1000


def lose_packets(
    draws: Draws,
    waveform: np.ndarray,
    sample_rate: int,
    share: tuple[float, float],
    burst_ms: tuple[float, float] = BURST_MS,
    concealment: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Loses packets of 20 ms in bursts.

    Bursts are drawn one after the other, each of a length of its own and anywhere, until the share of packets
    is reached; at least one comes.

    Arguments
    ---------
    draws : Draws
        Where the random numbers come from.
    waveform : numpy.ndarray
        ``(time,)``, float32.
    sample_rate : int
        In Hz.
    share : tuple of float
        Range of the share of packets that are lost, each from 0 to 1.
    burst_ms : tuple of float
        Range of the length of a burst in milliseconds; it is rounded to packets.
    concealment : float
        Probability that the gaps are filled by `repeated()` instead of zeros.

    Returns
    -------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    is_lost : numpy.ndarray
        ``(time,)``, bool: the samples that did not come.

    Example
    -------
    >>> from sb_resizegan.utils.random import Draws
    >>> ones = np.ones(16000, dtype=np.float32)
    >>> heard, is_lost = lose_packets(Draws(seed=1, n=0), ones, 16000, share=(0.1, 0.1))
    >>> bool(0.1 <= is_lost.mean() < 0.31), bool(np.array_equal(heard, ~is_lost))
    (True, True)
    """
    packet = round(PACKET_SECONDS * sample_rate)
    packets = -(-len(waveform) // packet)
    wanted = draws.between(*share) * packets
    offset, is_concealed = draws.below(packet), draws.chance(concealment)
    shortest, longest = (max(1, round(end / 1000 / PACKET_SECONDS)) for end in burst_ms)
    lost = np.zeros(packets + 1, dtype=bool)
    for _ in range(TRIES):
        length = min(shortest + draws.below(longest - shortest + 1), packets)
        start = draws.below(packets - length + 1)
        lost[start : start + length] = True
        if lost.sum() >= wanted:
            break
    is_lost = np.repeat(lost, packet)[offset : offset + len(waveform)]
    if not is_lost.any():  # the offset has cut the only one off
        is_lost = np.repeat(lost, packet)[: len(waveform)]
    fill = repeated if is_concealed else without_packets
    return fill(waveform, is_lost, sample_rate), is_lost


def without_packets(waveform: np.ndarray, is_lost: np.ndarray, sample_rate: int) -> np.ndarray:
    """Zeros where packets were lost.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32.
    is_lost : numpy.ndarray
        ``(time,)``, bool.
    sample_rate : int
        In Hz; not used.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32.
    """
    del sample_rate
    return np.where(is_lost, np.float32(0), waveform)


def repeated(waveform: np.ndarray, is_lost: np.ndarray, sample_rate: int) -> np.ndarray:
    """The 20 ms before a gap over and over, fading out within 60 ms.

    Arguments
    ---------
    waveform : numpy.ndarray
        ``(time,)``, float32; what it holds where it is lost is not read.
    is_lost : numpy.ndarray
        ``(time,)``, bool.
    sample_rate : int
        In Hz.

    Returns
    -------
    numpy.ndarray
        ``(time,)``, float32. A gap at the beginning stays silent.

    Example
    -------
    >>> is_lost = np.arange(1600) >= 640
    >>> heard = repeated(np.ones(1600, dtype=np.float32), is_lost, 16000)
    >>> heard[[0, 640, 1120, 1599]].round(2).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """
    packet, fade = round(PACKET_SECONDS * sample_rate), round(FADE_SECONDS * sample_rate)
    heard = without_packets(waveform, is_lost, sample_rate)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_lost, [False]])))
    for start, stop in edges.reshape(-1, 2):
        last = heard[max(start - packet, 0) : start]
        if len(last):
            away = np.arange(stop - start)
            gain = np.clip(1 - away / fade, 0, 1).astype(np.float32)
            heard[start:stop] = np.take(last, away, mode="wrap") * gain
    return heard
