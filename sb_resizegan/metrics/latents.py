"""Whether an enhancer is generative: how much its output varies with the latents."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from sb_resizegan.metrics.pesq import pesq
from sb_resizegan.utils.random import derive_seed

__all__ = ["describe_variation", "latent_variation"]

ROUNDING_DB = -100  # a row of a batch may be computed in another order than the next one


@torch.no_grad()
def latent_variation(
    enhance: Callable[[torch.Tensor], torch.Tensor],
    noisy: Sequence[torch.Tensor | np.ndarray],
    num_samples: int = 8,
    seed: int = 0,
    clean: Sequence[torch.Tensor | np.ndarray] | None = None,
    sample_rate: int = 16000,
    device: str | torch.device = "cpu",
) -> dict[str, float]:
    """Enhances each utterance several times with different latents and compares the outputs.

    With the outputs y_1, …, y_K of an utterance, the level of their difference is the mean of ‖y_j − y_k‖²
    over all pairs j ≠ k, divided by the mean of ‖y_k‖². It is averaged over utterances, then turned into dB.

    Arguments
    ---------
    enhance : callable
        From ``(batch, time)`` to the same shape, with a latent of its own for each row, drawn from torch's
        default generators: a generator of this package, or a function around one. It is called with one
        utterance repeated ``num_samples`` times.
    noisy : sequence of torch.Tensor or numpy.ndarray
        Utterances ``(time,)``.
    num_samples : int
        Latents for each utterance, at least 2.
    seed : int
        Seed of the latents. The state of torch's generators is restored.
    clean : sequence of torch.Tensor or numpy.ndarray, optional
        References of the same lengths, for the spread of PESQ.
    sample_rate : int
        In Hz, for PESQ.
    device : str or torch.device
        Where ``enhance`` takes its input and PESQ is computed.

    Returns
    -------
    dict of str to float
        ``latent_samples``; ``latent_difference_db``, −∞ if all outputs are the same. With ``clean`` also,
        over the latents of an utterance: ``latent_pesq_std``, the mean over utterances of the standard
        deviation; ``latent_pesq_range``, the mean of highest minus lowest; ``latent_pesq_range_largest``. NaN
        where no utterance has a figure; ``latent_utterances`` and ``latent_pesq_utterances`` say how many
        have one.

    Raises
    ------
    ValueError
        If there are fewer than two samples, no utterances or another number of references, or an output has
        another shape or is not finite.

    Example
    -------
    >>> def enhance(noisy):
    ...     return noisy + 0.01 * torch.randn_like(noisy)
    >>> figures = latent_variation(enhance, torch.randn(2, 16000))
    >>> round(figures["latent_difference_db"])  # two outputs differ by 0.01 times the root of 2
    -37
    """
    if num_samples < 2:
        raise ValueError(f"num_samples: expected at least 2, but got {num_samples}")
    if not len(noisy) or (clean is not None and len(clean) != len(noisy)):
        raise ValueError(
            f"expected utterances and as many references, but got {len(noisy)} and "
            f"{'none' if clean is None else len(clean)}"
        )
    ratios, scores = [], []
    with _seeded(derive_seed(seed, "latents"), device):
        for number, utterance in enumerate(noisy):
            signal = torch.as_tensor(utterance, dtype=torch.float32, device=device)
            repeated = signal.expand(num_samples, -1)
            outputs = enhance(repeated)
            if outputs.shape != repeated.shape:
                raise ValueError(
                    f"utterance {number}: expected an output of shape {tuple(repeated.shape)}, "
                    f"but got {tuple(outputs.shape)}"
                )
            if not torch.isfinite(outputs).all():
                raise ValueError(
                    f"utterance {number}: expected an output of finite samples, but it has others"
                )
            ratios.append(_difference(outputs.double()))
            if clean is not None:
                reference = torch.as_tensor(clean[number], dtype=torch.float32, device=device)
                scores.append(pesq(reference.expand(num_samples, -1), outputs.float(), sample_rate))
    figures: dict[str, float] = {"latent_samples": num_samples}
    ratio, figures["latent_utterances"] = _mean([ratio for ratio in ratios if math.isfinite(ratio)])
    figures["latent_difference_db"] = (
        10 * math.log10(ratio) if ratio else (-math.inf if ratio == 0 else ratio)
    )
    if clean is not None:
        complete = [score.double() for score in scores if torch.isfinite(score).all()]
        ranges = [float(score.max() - score.min()) for score in complete]
        figures["latent_pesq_std"], figures["latent_pesq_utterances"] = _mean(
            [float(score.std()) for score in complete]
        )
        figures["latent_pesq_range"], _ = _mean(ranges)
        figures["latent_pesq_range_largest"] = max(ranges, default=float("nan"))
    return figures


def describe_variation(figures: dict[str, float]) -> str:
    """The figures of `latent_variation()` in one sentence.

    Arguments
    ---------
    figures : dict of str to float

    Returns
    -------
    str

    Example
    -------
    >>> describe_variation({"latent_samples": 8, "latent_utterances": 4, "latent_difference_db": -41.27})
    'Over 8 latents for each of 4 utterances, outputs differ from one another at −41.3 dB of their own level.'
    """
    words = (
        f"Over {figures['latent_samples']} latents for each of {figures['latent_utterances']} utterances, "
    )
    level = figures["latent_difference_db"]
    if level < ROUNDING_DB:
        return words + "all outputs are the same to rounding: the model is deterministic."
    words += f"outputs differ from one another at {_signed(level)} dB of their own level"
    if "latent_pesq_std" in figures:
        words += (
            f"; the PESQ of an utterance has a standard deviation of {figures['latent_pesq_std']:.3f} and a "
            f"range of {figures['latent_pesq_range']:.3f} (means over {figures['latent_pesq_utterances']} "
            f"utterances; largest range {figures['latent_pesq_range_largest']:.3f})"
        )
    return words + "."


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _difference(outputs: torch.Tensor) -> float:
    """Mean squared difference of pairs of rows over the mean energy of a row; NaN for silence."""
    # Twice the variance is the mean squared difference; about the first row it is 0 if all are equal.
    about_first = outputs - outputs[:1]
    variance = about_first.var(dim=0).sum()
    return float(2 * variance / outputs.square().sum(dim=1).mean())


def _mean(values: list[float]) -> tuple[float, int]:
    return (sum(values) / len(values) if values else float("nan")), len(values)


@contextlib.contextmanager
def _seeded(seed: int, device: str | torch.device) -> Iterator[None]:
    """Seeds torch's generators, and restores their state afterwards."""
    device = torch.device(device)
    on_cpu = device.type == "cpu"
    with torch.random.fork_rng([] if on_cpu else [device], device_type="cuda" if on_cpu else device.type):
        torch.manual_seed(seed)
        yield
