"""Classifier two-sample test: can a small classifier, trained afresh, tell generated windows from real ones?

Source
------
D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017. The area under the curve takes
the place of their accuracy, since it needs no threshold; its variance is that of E. DeLong et al., "Comparing
the areas under two or more correlated receiver operating characteristic curves", Biometrics 44, 1988.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sb_resizegan.metrics.spectra import check_waveforms

__all__ = ["AreaUnderCurve", "area_under_curve", "classifier_two_sample"]

_N_FFT = 512
_HOP = 128
_FLOOR_DB = -80.0
_BATCH = 64
# Nepers. Bins that hold little but the floor are not blown up until rounding tells the sets apart.
_LEAST_SPREAD = 0.5


class AreaUnderCurve(NamedTuple):
    """Area under the receiver operating characteristic with its standard error."""

    value: float
    """0.5 where the two sets cannot be told apart, 1 where they are told apart without error."""

    standard_error: float
    """Of ``value``, over the draw of the windows that are tested."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval, by the normal approximation, within [0, 1]."""
        half = 1.96 * self.standard_error
        return max(0.0, self.value - half), min(1.0, self.value + half)


def area_under_curve(positive: torch.Tensor, negative: torch.Tensor) -> AreaUnderCurve:
    """Probability that a score of the first set is above one of the second; ties count one half.

    Arguments
    ---------
    positive, negative : torch.Tensor
        Scores ``(n,)`` and ``(m,)``, at least two each.

    Returns
    -------
    AreaUnderCurve
        Area and DeLong's standard error.

    Raises
    ------
    ValueError
        With fewer than two scores in a set.

    Example
    -------
    >>> area_under_curve(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0])).value
    0.75
    """
    if len(positive) < 2 or len(negative) < 2:
        raise ValueError(
            f"expected at least 2 scores in each set, but got {len(positive)} and {len(negative)}"
        )
    above = (positive[:, None] > negative).double() + 0.5 * (positive[:, None] == negative).double()
    variance = above.mean(dim=1).var() / len(positive) + above.mean(dim=0).var() / len(negative)
    return AreaUnderCurve(float(above.mean()), float(variance.sqrt()))


def classifier_two_sample(
    waveforms: torch.Tensor,
    reference: torch.Tensor,
    folds: int = 5,
    epochs: int = 5,
    seed: int = 0,
) -> AreaUnderCurve:
    """Area under the curve of a small classifier between generated and real windows (C2ST).

    A network of three convolutions over the log-magnitude STFT (512 samples, hop 128, floor -80 dB) is
    trained afresh on all folds but one and scores the one left out. As many windows are taken of either set,
    the first ones of each. The value is the mean of the folds' areas.

    What makes the value comparable is that everything is fixed: network, number of epochs, number of windows.
    The more windows, the more the classifier learns. Windows that overlap one another may stand in different
    folds, which helps the classifier a little to recognise real windows: the value for windows of real speech
    of other files is the floor to compare with, not 0.5.

    Arguments
    ---------
    waveforms : torch.Tensor
        Generated windows ``(batch, time)``, full scale 1.
    reference : torch.Tensor
        Real windows ``(batch', time)``.
    folds : int
        Parts of the cross-validation, at least 2.
    epochs : int
        Passes over the training folds.
    seed : int
        Of folds, initial weights and order of the batches.

    Returns
    -------
    AreaUnderCurve
        0.5 is chance.

    Raises
    ------
    ValueError
        If the waveforms are wrong, of unequal length, or fewer than two for each fold.

    Example
    -------
    >>> rng = torch.Generator().manual_seed(0)
    >>> noise = torch.randn(100, 2048, generator=rng)
    >>> tones = torch.randn(100, 2048, generator=rng) + torch.sin(torch.arange(2048))
    >>> classifier_two_sample(tones, noise).value > 0.95
    True
    """
    waveforms = check_waveforms(waveforms, min_samples=_N_FFT + 2 * _HOP)
    reference = check_waveforms(reference, "reference")
    if reference.shape[1] != waveforms.shape[1]:
        raise ValueError(
            f"reference: expected windows of {waveforms.shape[1]} samples, but got {reference.shape[1]}"
        )
    size = min(len(waveforms), len(reference))
    if folds < 2 or size < 2 * folds:
        raise ValueError(f"expected at least 2 folds of 2 windows, but got {folds} folds of {size} windows")
    features = torch.cat([_log_stft(waveforms[:size]), _log_stft(reference[:size].to(waveforms.device))])
    labels = torch.arange(2 * size, device=features.device) < size
    rng = torch.Generator().manual_seed(seed)
    # Of each set the same share in every fold.
    fold = torch.cat([torch.randperm(size, generator=rng) % folds for _ in range(2)]).to(features.device)
    areas = []
    # The caller may measure without gradients or in half precision; the classifier trains all the same.
    with (
        torch.random.fork_rng(devices=[]),
        torch.enable_grad(),
        torch.autocast(features.device.type, enabled=False),
    ):
        torch.manual_seed(seed)
        for k in range(folds):
            kept = fold != k
            scores = _train_and_score(features[kept], labels[kept], features[~kept], epochs, rng)
            areas.append(area_under_curve(scores[labels[~kept]], scores[~labels[~kept]]))
    value = sum(area.value for area in areas) / folds
    return AreaUnderCurve(value, sum(area.standard_error**2 for area in areas) ** 0.5 / folds)


def _log_stft(waveforms: torch.Tensor) -> torch.Tensor:
    """``(batch, 1, bins, frames)``, float32."""
    window = torch.hann_window(_N_FFT, device=waveforms.device)
    frames = waveforms.float().unfold(1, _N_FFT, _HOP)
    magnitude = torch.fft.rfft(frames * window).abs() * 2 / window.sum()
    return torch.log(magnitude + 10 ** (_FLOOR_DB / 20)).transpose(1, 2).unsqueeze(1)


class _Classifier(nn.Module):
    """Normalises each bin as the training folds demand, then three convolutions and the mean over time."""

    def __init__(self, features: torch.Tensor) -> None:
        super().__init__()
        self.mean = features.mean(dim=(0, 3), keepdim=True)
        self.scale = 1 / features.std(dim=(0, 3), keepdim=True).clamp(min=_LEAST_SPREAD)
        bins = features.shape[2]
        self.convolutions = nn.ModuleList()
        for inputs, outputs, kernel, stride in ((1, 12, 7, 3), (12, 24, 5, 2), (24, 24, 5, 2)):
            self.convolutions.append(
                nn.Conv2d(inputs, outputs, (kernel, 3), stride=(stride, 1), padding=(kernel // 2, 0))
            )
            bins = (bins - 1) // stride + 1
        self.dense = nn.Linear(24 * bins, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) * self.scale
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.2)
        return self.dense(F.dropout(x.mean(dim=3).flatten(1), 0.3, self.training)).squeeze(1)


def _train_and_score(
    features: torch.Tensor,
    labels: torch.Tensor,
    held_out: torch.Tensor,
    epochs: int,
    rng: torch.Generator,
) -> torch.Tensor:
    network = _Classifier(features).to(features.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    steps = epochs * -(-len(features) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    targets = labels.float()
    for _ in range(epochs):
        for some in torch.randperm(len(features), generator=rng).split(_BATCH):
            some = some.to(features.device)
            loss = F.binary_cross_entropy_with_logits(network(features[some]), targets[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in held_out.split(512)])
