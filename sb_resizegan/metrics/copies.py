"""Whether generated windows are copies of training windows."""

from typing import NamedTuple

import torch

from sb_resizegan.metrics.spectra import check_waveforms

__all__ = ["NearestNeighbours", "nearest_neighbours"]


class NearestNeighbours(NamedTuple):
    """How similar windows are to their nearest training windows, compared with held-out real windows."""

    similarity: torch.Tensor
    """Of each generated window, ``(batch,)``, 0 to 1."""

    index: torch.Tensor  # type: ignore[assignment]  # in place of tuple.index
    """The training window that is nearest to each generated one, ``(batch,)``."""

    held_out_similarity: torch.Tensor
    """Of each held-out window, ``(batch',)``, 0 to 1."""

    @property
    def auc(self) -> float:
        """Probability that a generated window is nearer to the training data than a held-out real one.

        0.5 where generated windows are as near as real ones, 1.0 where all of them are copies.
        """
        return float(
            (self.similarity[:, None] > self.held_out_similarity).double().mean()
            + 0.5 * (self.similarity[:, None] == self.held_out_similarity).double().mean()
        )

    @property
    def copied_fraction(self) -> float:
        """Share of generated windows that are nearer to the training data than 99 % of the held-out ones."""
        limit = self.held_out_similarity.quantile(0.99)
        return float((self.similarity > limit).double().mean())


def nearest_neighbours(
    waveforms: torch.Tensor,
    train: torch.Tensor,
    held_out: torch.Tensor,
    max_shift: int | None = None,
    num_candidates: int = 8,
) -> NearestNeighbours:
    """Looks for generated windows that are copies of training windows.

    The similarity of two windows is the largest absolute value of their normalised cross-correlation over
    all shifts up to ``max_shift``: 1 for a copy, also one that is shifted, scaled or inverted, and ``sqrt(1
    - e)`` if a share ``e`` of the window's energy is something else. It is computed for the
    ``num_candidates`` training windows whose compressed magnitude spectra are nearest. The standard of
    comparison is how near unseen real speech comes to the training data: a window within a vowel always
    resembles some other.

    Arguments
    ---------
    waveforms : torch.Tensor
        Generated windows, ``(batch, time)``.
    train : torch.Tensor
        Training data, ``(batch'', time'')`` with ``time''`` at least ``time``. Longer stretches are
        searched at all offsets.
    held_out : torch.Tensor
        Real windows that were not trained on, preferably of other files, ``(batch', time)``.
    max_shift : int
        Largest shift in samples, an eighth of the window by default.
    num_candidates : int
        Number of training windows that are compared in time.

    Returns
    -------
    NearestNeighbours
        Similarities of generated and of held-out windows, on the CPU. Silent windows have a similarity of 0.

    Raises
    ------
    ValueError
        If shapes don't fit or a sample is not finite.

    Example
    -------
    >>> rng = torch.Generator().manual_seed(0)
    >>> train, held_out = torch.randn(2, 40, 1024, generator=rng)
    >>> result = nearest_neighbours(0.1 * train[:10].roll(5, dims=1), train, held_out)
    >>> result.index.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    >>> result.auc, result.copied_fraction
    (1.0, 1.0)
    """
    waveforms = check_waveforms(waveforms)
    time = waveforms.shape[1]
    train = check_waveforms(train, "train", time)
    held_out = check_waveforms(held_out, "held_out")
    if held_out.shape[1] != time:
        raise ValueError(f"held_out: expected windows of {time} samples, but got {held_out.shape[1]}")
    max_shift = time // 8 if max_shift is None else max_shift
    if not 0 <= max_shift <= time:
        raise ValueError(f"max_shift: expected 0 to {time} samples, but got {max_shift}")
    # Offsets every quarter window: with shifts of an eighth to both sides, none is left out.
    pieces = train.unfold(1, time, max(1, time // 4))
    per_item = pieces.shape[1]
    pieces = pieces.flatten(0, 1)
    queries = torch.cat([waveforms, held_out.to(waveforms.device)])
    candidates = _spectral_candidates(queries, pieces, min(num_candidates, len(pieces)))
    padded = torch.nn.functional.pad(train, (max_shift, max_shift))
    similarity, best = [], []
    for some, among in zip(queries.split(128), candidates.split(128), strict=True):
        starts = among % per_item * max(1, time // 4)
        columns = starts[..., None] + torch.arange(time + 2 * max_shift, device=among.device)
        rows = (among // per_item)[..., None].to(train.device)
        stretches = padded[rows, columns.to(train.device)].to(some.device)
        value, which = _largest_correlation(some, stretches).max(dim=1)
        similarity.append(value)
        best.append(among.gather(1, which[:, None])[:, 0] // per_item)
    similarity = torch.cat(similarity).cpu()
    return NearestNeighbours(
        similarity[: len(waveforms)], torch.cat(best)[: len(waveforms)].cpu(), similarity[len(waveforms) :]
    )


def _spectral_features(waveforms: torch.Tensor) -> torch.Tensor:
    """Unit vectors that hardly change with a shift, and not at all with a gain: roots of magnitudes.

    Roots, and not logarithms, so that weak noise in otherwise empty bins doesn't hide a copy.
    """
    window = torch.hann_window(waveforms.shape[1], dtype=torch.float32, device=waveforms.device)
    magnitude = torch.fft.rfft(waveforms.float() * window).abs().sqrt()
    magnitude = magnitude - magnitude.mean(dim=1, keepdim=True)
    return torch.nn.functional.normalize(magnitude, dim=1)


def _spectral_candidates(
    queries: torch.Tensor, pieces: torch.Tensor, count: int, block: int = 4096
) -> torch.Tensor:
    """Indices of the ``count`` pieces whose spectra are nearest to each query's, ``(queries, count)``."""
    features = _spectral_features(queries)
    values = features.new_full((len(queries), 0), 0.0)
    indices = torch.empty(len(queries), 0, dtype=torch.long, device=queries.device)
    for start in range(0, len(pieces), block):
        nearness = features @ _spectral_features(pieces[start : start + block].to(queries.device)).T
        numbers = torch.arange(start, start + nearness.shape[1], device=queries.device).expand_as(nearness)
        values, kept = torch.cat([values, nearness], dim=1).topk(
            min(count, values.shape[1] + nearness.shape[1])
        )
        indices = torch.cat([indices, numbers], dim=1).gather(1, kept)
    return indices


def _largest_correlation(queries: torch.Tensor, stretches: torch.Tensor) -> torch.Tensor:
    """Largest absolute normalised cross-correlation, ``(batch, time)`` in ``(batch, candidates, longer)``."""
    time, longer = queries.shape[1], stretches.shape[2]
    size = 2 ** (longer - 1).bit_length()
    spectrum = torch.fft.rfft(stretches.float(), size) * torch.fft.rfft(queries.float(), size).conj()[:, None]
    # No wrap-around: a query at any of these shifts lies inside its stretch.
    correlation = torch.fft.irfft(spectrum, size)[..., : longer - time + 1]
    energy = torch.nn.functional.pad(stretches.double().square().cumsum(dim=2), (1, 0))
    local = energy[..., time:] - energy[..., : longer - time + 1]
    own = queries.double().square().sum(dim=1)[:, None, None]
    scale = (local * own).sqrt()
    # Next to silence the correlation is rounding error; it must not be divided by something of its own size.
    audible = local > 1e-6 * energy[..., -1:].clamp(min=torch.finfo(torch.float32).tiny)
    similarity = torch.where(audible & (own > 0), correlation.double().abs() / scale, 0.0)
    return similarity.amax(dim=2).clamp(max=1.0)
