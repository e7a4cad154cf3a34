"""Enhancing many utterances, and choosing and keeping some of them to listen to."""

import math
import re

import numpy as np
import torch

from sb_resizegan.dataio.audio import write_audio
from sb_resizegan.dataio.utterances import measured_snr_db

__all__ = ["choose_shown", "enhance_utterances", "folder_name", "write_signal"]


@torch.no_grad()
def enhance_utterances(enhance, noisy, device="cpu", progress=None):
    """Enhances utterances one by one: a model with recurrent layers hears the padding of a batch.

    Arguments
    ---------
    enhance : callable
        From ``(1, time)`` on ``device`` to the same shape.
    noisy : sequence of numpy.ndarray or torch.Tensor
        Utterances ``(time,)``.
    device : str or torch.device
        Of the input.
    progress : callable, optional
        Called with a number of utterances each time some are done.

    Returns
    -------
    list of numpy.ndarray
        Enhanced utterances, float32, in the order given.

    Raises
    ------
    ValueError
        If an output is of another shape than the input.

    Example
    -------
    >>> [len(x) for x in enhance_utterances(lambda x: x / 2, [torch.ones(8000), torch.ones(3000)])]
    [8000, 3000]
    """
    outputs = []
    for signal in noisy:
        signal = torch.as_tensor(signal, dtype=torch.float32, device=device).unsqueeze(0)
        enhanced = enhance(signal)
        if enhanced.shape != signal.shape:
            raise ValueError(
                f"enhance: expected an output of shape {tuple(signal.shape)}, but got {tuple(enhanced.shape)}"
            )
        outputs.append(enhanced[0].float().cpu().numpy())
        if progress is not None:
            progress(1)
    return outputs


def choose_shown(utterances, count):
    """Chooses utterances to listen to, spread evenly over the signal-to-noise ratios.

    Arguments
    ---------
    utterances : sequence of Utterance
    count : int

    Returns
    -------
    list of int
        Numbers of at most ``count`` utterances, noisiest first; the same ones whatever their order.

    Example
    -------
    >>> from sb_resizegan.dataio.utterances import Utterance
    >>> ones = np.ones(9)
    >>> choose_shown([Utterance(str(snr), ones, ones, snr) for snr in (9, 0, 3, 6)], 2)
    [1, 0]
    """

    def rank(index):
        utterance = utterances[index]
        snr_db = utterance.snr_db
        if snr_db is None:
            snr_db = measured_snr_db(utterance.noisy, utterance.clean)
        return (math.inf if math.isnan(snr_db) else snr_db, utterance.name)

    ranked = sorted(range(len(utterances)), key=rank)
    count = min(count, len(ranked))
    steps = [round(k * (len(ranked) - 1) / max(1, count - 1)) for k in range(count)]
    return [ranked[step] for step in steps]


def folder_name(position, name):
    """Name of the folder of the sounds of an utterance: letters, digits, dots and hyphens alone.

    Arguments
    ---------
    position : int
        Its place among those shown, from 0.
    name : str
        Its name.

    Returns
    -------
    str

    Example
    -------
    >>> folder_name(0, "p232/p232 001")
    '1_p232_p232_001'
    """
    return f"{position + 1}_{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[-100:]}"


def write_signal(path, signal, sample_rate):
    """Writes a sound without clipping it: what goes beyond full scale is turned down as a whole.

    Arguments
    ---------
    path : str or Path
        The file; its folder is made if need be.
    signal : numpy.ndarray
        ``(time,)``. Samples that are not finite are written as zeros.
    sample_rate : int
        In Hz.
    """
    signal = np.nan_to_num(np.asarray(signal, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    peak = np.abs(signal).max(initial=1.0)
    write_audio(path, torch.from_numpy(signal / peak), sample_rate)
