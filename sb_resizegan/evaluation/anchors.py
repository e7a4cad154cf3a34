"""What a vocoder is compared with: copies of recordings by methods that learn nothing.

Source
------
D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Trans. ASSP 32, 1984,
in the fast form of torchaudio; M. Morise, F. Yokomori, K. Ozawa, "WORLD: a vocoder-based high-quality speech
synthesis system for real-time applications", IEICE Trans. E99-D, 2016, by pyworld.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchaudio
from speechbrain.utils.logger import get_logger

from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.utils.extras import require

__all__ = ["anchors", "griffin_lim", "true_phase", "world"]

logger = get_logger(__name__)

ITERATIONS = 60
FRAME_MS = 5.0


def griffin_lim(
    recordings: torch.Tensor, analysis: MelAnalysis, iterations: int = ITERATIONS
) -> torch.Tensor:
    """Copies by the mel filters' pseudo-inverse and the phase of Griffin and Lim, from a phase of zero.

    Arguments
    ---------
    recordings : torch.Tensor
        ``(batch, time)``.
    analysis : MelAnalysis
        Of the mel spectra.
    iterations : int
        How often spectrum and signal are brought together.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``.
    """
    magnitudes = analysis.pseudo_inverse(analysis(recordings))
    return torchaudio.functional.griffinlim(
        magnitudes,
        analysis.window,
        analysis.n_fft,
        analysis.hop_length,
        analysis.n_fft,
        power=1.0,
        n_iter=iterations,
        momentum=0.99,
        length=recordings.shape[1],
        rand_init=False,
    )


def true_phase(recordings: torch.Tensor, analysis: MelAnalysis) -> torch.Tensor:
    """Copies by the pseudo-inverse with the recordings' own phase, which no vocoder knows: an upper bound.

    Arguments
    ---------
    recordings : torch.Tensor
        ``(batch, time)``.
    analysis : MelAnalysis
        Of the mel spectra.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``.
    """
    options: dict[str, Any] = {
        "n_fft": analysis.n_fft,
        "hop_length": analysis.hop_length,
        "window": analysis.window,
    }
    spectra = torch.stft(recordings, **options, return_complex=True)
    magnitudes = analysis.pseudo_inverse(analysis(recordings))
    return torch.istft(torch.polar(magnitudes, spectra.angle()), **options, length=recordings.shape[1])


def world(recordings: torch.Tensor, sample_rate: int = 16000) -> torch.Tensor:
    """Copies by analysis and synthesis of WORLD (Harvest, CheapTrick, D4C), which reads the recording itself.

    Arguments
    ---------
    recordings : torch.Tensor
        ``(batch, time)``.
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``.

    Raises
    ------
    MissingExtraError
        Without pyworld.
    """
    require(("pyworld",), "scores", "WORLD")
    import pyworld

    copies = []
    for recording in recordings.double().cpu().numpy():
        pitch, times = pyworld.harvest(recording, sample_rate, frame_period=FRAME_MS)
        envelope = pyworld.cheaptrick(recording, pitch, times, sample_rate)
        breath = pyworld.d4c(recording, pitch, times, sample_rate)
        copy = pyworld.synthesize(pitch, envelope, breath, sample_rate, FRAME_MS)[: len(recording)]
        copies.append(np.pad(copy, (0, len(recording) - len(copy))))
    return torch.from_numpy(np.stack(copies)).to(recordings)


def anchors(analysis: MelAnalysis) -> dict[str, Callable]:
    """The anchors by name, as `evaluate_copies()` takes them.

    WORLD is among them where pyworld is installed; a warning says where it is not.

    Arguments
    ---------
    analysis : MelAnalysis
        Of the mel spectra.

    Returns
    -------
    dict of str to callable

    Example
    -------
    >>> copies = anchors(MelAnalysis())
    >>> list(copies)[:2], copies["Griffin-Lim"](torch.randn(1, 8000)).shape
    (['Griffin-Lim', 'true phase'], torch.Size([1, 8000]))
    """
    found = {
        "Griffin-Lim": lambda recordings: griffin_lim(recordings, analysis),
        "true phase": lambda recordings: true_phase(recordings, analysis),
    }
    if importlib.util.find_spec("pyworld") is None:
        logger.warning("No WORLD: pip install 'sb_resizegan[scores]' brings pyworld")
    else:
        found["WORLD"] = lambda recordings: world(recordings, analysis.sample_rate)
    return found
