"""Voice activity of a signal on a grid of 4 ms slots (P.862, clause 10.1.3).

The energies come from the device once, for the whole batch; the runs of speech are bookkeeping on the host.
"""

import numpy as np
import torch

from sb_resizegan.metrics.pesq.layout import GUARD_SLOTS, SLOT

SHORTEST_RUN = 4
LONGEST_GAP = 50


def slot_energies(signal: torch.Tensor, slots: int) -> torch.Tensor:
    """Mean energy of each slot, guards included.

    Arguments
    ---------
    signal : Tensor
        Alignment signals without the guard before them, (batch, time).
    slots : int
        Slots of the longest signal with its guards.

    Returns
    -------
    Tensor
        (batch, slots).

    Example
    -------
    >>> import torch
    >>> slot_energies(torch.ones(1, 640), 160)[0, 74:77]
    tensor([0., 1., 1.])
    """
    whole = signal.shape[1] // SLOT
    energy = signal[:, : whole * SLOT].reshape(signal.shape[0], whole, SLOT).square().mean(-1)
    out = energy.new_zeros(signal.shape[0], slots)
    count = min(whole, slots - GUARD_SLOTS)
    out[:, GUARD_SLOTS : GUARD_SLOTS + count] = energy[:, :count]
    return out


def runs(active: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximal runs of active slots.

    Arguments
    ---------
    active : numpy.ndarray of bool
        (batch, slots).

    Returns
    -------
    row, start, end : numpy.ndarray
        One entry a run, by row and time; ``end`` is the first slot after it.

    Example
    -------
    >>> runs(np.array([[True, True, False], [False, False, True]]))
    (array([0, 1]), array([0, 2]), array([2, 3]))
    """
    edges = np.diff(np.pad(active, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges > 0)
    _, end = np.nonzero(edges < 0)
    return row, start, end


def _cover(shape: tuple[int, int], row: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The slots in any of some ranges."""
    marks = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(marks, (row, start), 1)
    np.add.at(marks, (row, end), -1)
    return np.cumsum(marks, axis=1)[:, :-1] > 0


def _threshold(energy: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energy that separates noise from speech, by twelve rounds over the slots below it."""
    theta = np.where(present, energy, 0.0).sum(1) / present.sum(1)
    peak = energy.max(1)
    floor = np.where(peak > 0, 1e-4 * peak, 1.0)
    energy = np.where(present, np.maximum(energy, floor[:, None]), 0.0)
    for _ in range(12):
        noise = present & (energy <= theta[:, None])
        count = np.maximum(noise.sum(1), 1)
        mean = np.where(noise, energy, 0.0).sum(1) / count
        spread = np.where(noise, (energy - mean[:, None]) ** 2, 0.0).sum(1) / count
        theta = 1.001 * (mean + 2.0 * np.sqrt(spread))
    return energy, theta, floor


def _extend(
    value: np.ndarray,
    active: np.ndarray,
    energy: np.ndarray,
    row: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    slots: np.ndarray,
) -> None:
    """Lets each run fade in and out over two slots."""
    last = slots[row] - 3
    inner = (start >= 3) & (start <= last)
    r, b = row[inner], start[inner]
    value[r, b - 2], value[r, b - 1] = 0.1 * energy[r, b], 0.3 * energy[r, b]
    active[r, b - 2] = active[r, b - 1] = True
    r = row[start == 2]
    value[r, 1], value[r, 2] = 0.1 * energy[r, 3], 0.3 * energy[r, 3]
    active[r, 1] = active[r, 2] = True
    inner = end <= last
    r, e = row[inner], end[inner]
    value[r, e], value[r, e + 1] = 0.3 * energy[r, e - 1], 0.1 * energy[r, e - 1]
    active[r, e] = active[r, e + 1] = True


def voice_activity(energy: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activity and logarithmic envelope of each signal.

    Arguments
    ---------
    energy : numpy.ndarray
        Mean energies of the slots, (batch, slots).
    slots : numpy.ndarray of int
        Slots of each signal, (batch,).

    Returns
    -------
    activity : numpy.ndarray
        Positive in speech and zero elsewhere, (batch, slots).
    envelope : numpy.ndarray
        Logarithm of the activity over the threshold, zero below it, (batch, slots).

    Example
    -------
    >>> energy = np.full((1, 400), 1e-3)
    >>> energy[0, 100:200] = 1.0
    >>> activity, envelope = voice_activity(energy, np.array([400]))
    >>> runs(activity > 0)
    (array([0]), array([98]), array([202]))
    """
    present = np.arange(energy.shape[1]) < slots[:, None]
    energy, theta, floor = _threshold(energy.astype(np.float64), present)
    above = present & (energy > theta[:, None])
    below = present & ~above
    speech = np.where(above, energy, 0.0).sum(1) / np.maximum(above.sum(1), 1)
    noise = np.where(below, energy, 0.0).sum(1) / np.maximum(below.sum(1), 1)
    theta = np.where(above.any(1), theta, -1.0)
    noise = np.where(below.any(1), noise, 1.0)

    active = present & (energy > theta[:, None])
    items = np.arange(len(slots))
    for edge in (np.zeros_like(slots), slots - 1):
        active[items, edge] = False
        energy[items, edge] = floor

    row, start, end = runs(active)
    total = np.cumsum(np.pad(energy, ((0, 0), (1, 0))), axis=1)
    weak = total[row, end] - total[row, start] < 3.0 * theta[row] * (end - start)
    drop = (end - start <= SHORTEST_RUN) | ((speech >= 1000.0 * noise)[row] & weak)
    row, start, end = row[~drop], start[~drop], end[~drop]
    active = _cover(energy.shape, row, start, end)

    near = (row[1:] == row[:-1]) & (start[1:] - end[:-1] <= LONGEST_GAP)
    gap = _cover(energy.shape, row[1:][near], end[:-1][near], start[1:][near])
    energy = np.where(gap, floor[:, None], energy)
    active |= gap
    silent = ~active.any(1)
    inner = (np.arange(energy.shape[1]) > 0) & (np.arange(energy.shape[1]) < slots[:, None] - 1)
    active |= silent[:, None] & inner

    value = energy.copy()
    _extend(value, active, energy, *runs(active), slots)
    activity = np.where(active, value, 0.0)
    theta = np.where(theta <= 0, floor, theta)[:, None]
    envelope = np.log(np.where(activity > theta, activity / theta, 1.0))
    return activity, envelope
