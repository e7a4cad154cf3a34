"""What is wrong with a mel spectrum, found before a vocoder makes noise of it."""

import math

import torch

from sb_resizegan.nnet.mel_analysis import MEL_FLOOR, MelAnalysis

__all__ = ["check_mel"]

FLOOR = math.log(MEL_FLOOR)
# A network that predicts mel spectra may miss floor and ceiling by this much (nepers).
MISSED = 2.0
# Noise alone makes the logarithm of a band move: the median of its second difference over time is 0.27 for
# white noise in nepers, 0.26 to 0.5 for recorded noises, 0.35 to 0.57 for speech, and 1 / 2.3 of that in
# decades.
STILL = 0.25
LEAST_SPREAD = 3.0  # speech has more than 4 decades; what is flatter tells nothing


def check_mel(mel: torch.Tensor, analysis: MelAnalysis, name: str = "mel") -> None:
    """Raises a ValueError for what cannot be a mel spectrum in a vocoder's own settings.

    Sizes, NaN and Inf are found for certain. The scale is told from the values: decibels, powers and
    magnitudes without a logarithm leave the range that signals within [-1, 1] can have. Decimal logarithms do
    not; they are told by all values lying where such logarithms lie (which in natural ones only steady noise
    does) and moving less from frame to frame than noise does.

    Arguments
    ---------
    mel : torch.Tensor
        ``(batch, n_mels, frames)``.
    analysis : MelAnalysis
        The vocoder's settings.
    name : str
        What to call it in the message: the argument, or the file it is from.

    Raises
    ------
    ValueError
        Saying what was expected and what came.

    Example
    -------
    >>> analysis = MelAnalysis()
    >>> mel = analysis(0.1 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0)))
    >>> check_mel(mel, analysis)
    >>> check_mel(20 / math.log(10) * mel, analysis)
    Traceback (most recent call last):
    ValueError: mel: expected natural logarithms of magnitudes from -11.5 to 3.5, but got ...: decibels?
    """
    wanted = f"(batch, {analysis.n_mels}, frames)"
    if not isinstance(mel, torch.Tensor) or not mel.is_floating_point():
        kind = mel.dtype if isinstance(mel, torch.Tensor) else type(mel).__name__
        raise ValueError(f"{name}: expected a floating-point tensor {wanted}, but got {kind}")
    if mel.dim() != 3 or mel.shape[1] != analysis.n_mels:
        raise ValueError(f"{name}: expected shape {wanted}, but got {tuple(mel.shape)}")
    if not len(mel) or not mel.shape[2]:
        raise ValueError(f"{name}: expected at least one frame, but got shape {tuple(mel.shape)}")
    if not mel.isfinite().all():
        bad = int((~mel.isfinite()).any(dim=1).sum())
        raise ValueError(f"{name}: expected finite values, but {bad} frames hold NaN or Inf")
    low, high = float(mel.detach().min()), float(mel.detach().max())
    guess = _guess(mel.detach(), low, high, analysis.highest)
    if guess:
        raise ValueError(
            f"{name}: expected natural logarithms of magnitudes from {FLOOR:.1f} to {analysis.highest:.1f}, "
            f"but got {low:.1f} to {high:.1f}: {guess}?"
        )


def _guess(mel: torch.Tensor, low: float, high: float, highest: float) -> str | None:
    """What the values may be, or None if nothing speaks against natural logarithms of magnitudes."""
    if low < 2 * FLOOR - MISSED:
        return "decibels"
    if low < FLOOR - MISSED:
        return "logarithms of powers, or a floor below 1e-5"
    if low >= 0 and high > low:  # noise at full scale has negative ones
        return "magnitudes or powers without a logarithm, or a scale from 0"
    if high > highest + MISSED:
        return "decibels, or a waveform in integers"
    decades = math.log(10)
    if (
        low >= FLOOR / decades - 0.01
        and high <= highest / decades + 0.01
        and high - low > LEAST_SPREAD
        and mel.shape[2] > 2
        and float(mel.diff(n=2, dim=2).abs().median()) < STILL
    ):
        return "decimal logarithms"
    return None
