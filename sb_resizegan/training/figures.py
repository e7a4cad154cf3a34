"""Names of the figures that a training has at the end of each epoch, known before it begins."""

from collections.abc import Mapping
from typing import Any

import torch

from sb_resizegan.losses.enhancement_objective import TERMS
from sb_resizegan.losses.restoration_objective import RESTORATION_TERMS
from sb_resizegan.losses.vocoder_objective import VOCODER_TERMS
from sb_resizegan.metrics.measures import measure_of
from sb_resizegan.metrics.speech_scores import SCORES
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.training.vocoder_monitor import COPY_FIGURES

__all__ = ["figures_of"]

# Windows enough for every measure to be taken once.
WINDOWS = 16


def figures_of(values: Mapping[str, Any], task: str) -> list[str]:
    """Names of a training's figures in validation, those of real or noisy speech left out.

    Arguments
    ---------
    values : dict
        The plain settings.
    task : str
        ``windows``, ``enhancement``, ``restoration`` or ``vocoder``.

    Returns
    -------
    list of str

    Example
    -------
    >>> weights = {"magnitude_weight": 1.0, "pesq_weight": 0.0}
    >>> figures_of(weights, "enhancement")[:4]
    ['objective', 'magnitude', 'pesq_wb', 'estoi']
    """
    if task == "vocoder":
        return [
            *(name for term, name in VOCODER_TERMS.items() if values.get(f"{term}_weight")),
            *COPY_FIGURES,
        ]
    if task in ("enhancement", "restoration"):
        # The terms by the names of their weights, and what their figures are called.
        known = (
            dict(zip(RESTORATION_TERMS, RESTORATION_TERMS, strict=True)) if task == "restoration" else TERMS
        )
        terms = [figure for term, figure in known.items() if values.get(f"{term}_weight")]
        scores = ["pesq_wb", "estoi", "si_sdr_db", *SCORES["deletion"].columns, "unscored"]
        return ["objective", *terms, *scores]
    # The measures themselves say what they are called with these factors and this band.
    noise = torch.randn(
        4 * WINDOWS, values["window_samples"], generator=torch.Generator().manual_seed(values["seed"])
    )
    generated, real, train = noise.split((WINDOWS, 2 * WINDOWS, WINDOWS))
    row = measure_windows(
        generated, real, values["factors"], values["sample_rate"], values["cutoff_hz"], train=train
    )
    trained_with = {"energy": values["energy_weight"], "score_gap": values["critic_steps"]}
    figures = [name for name, used in trained_with.items() if used]
    return [*figures, *(name for name in row if not measure_of(name)[1])]
