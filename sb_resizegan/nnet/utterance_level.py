"""Level of an utterance, by which models of waveforms normalise what they read."""

import torch

__all__ = ["divided_by_level", "utterance_level", "valid_samples", "without_padding"]


def valid_samples(lengths: torch.Tensor, waveforms: torch.Tensor) -> torch.Tensor:
    """Samples of each utterance of a padded batch.

    Arguments
    ---------
    lengths : torch.Tensor
        Relative lengths ``(batch,)`` in (0, 1], as in SpeechBrain.
    waveforms : torch.Tensor
        ``(batch, time)``.

    Returns
    -------
    torch.Tensor
        Integers ``(batch,)``, at least 1, on the waveforms' device.

    Raises
    ------
    ValueError
        If the lengths' shape does not fit the batch. Values are not checked: on a GPU, that would cost a wait
        for the device.

    Example
    -------
    >>> valid_samples(torch.tensor([1.0, 0.25]), torch.zeros(2, 32000))
    tensor([32000,  8000])
    """
    if lengths.shape != waveforms.shape[:1]:
        raise ValueError(
            f"lengths: expected shape ({len(waveforms)},), one relative length for each utterance, "
            f"but got {tuple(lengths.shape)}"
        )
    time = waveforms.shape[1]
    return (lengths.to(waveforms.device).double() * time).round().long().clamp(1, time)


def without_padding(x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Sets the padding of a batch to zero, whatever it held (a product would keep NaN).

    Arguments
    ---------
    x : torch.Tensor
        ``(batch, time)``.
    valid : torch.Tensor
        Integers ``(batch,)``: how many of each row count.

    Returns
    -------
    torch.Tensor
        As ``x``; its gradient is zero in the padding.

    Example
    -------
    >>> without_padding(torch.ones(2, 3), torch.tensor([3, 1]))
    tensor([[1., 1., 1.],
            [1., 0., 0.]])
    """
    return x.masked_fill(torch.arange(x.shape[1], device=x.device) >= valid.unsqueeze(1), 0)


def utterance_level(waveforms: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Root mean square of each utterance.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``, zero in its padding.
    valid : torch.Tensor, optional
        Integers ``(batch,)``: samples of each utterance; all by default.

    Returns
    -------
    torch.Tensor
        ``(batch, 1)``, at least float32. Exactly zero for silence, where its gradient is zero too.

    Example
    -------
    >>> utterance_level(torch.tensor([[3.0, -3.0, 0.0, 0.0]]), torch.tensor([2]))
    tensor([[3.]])
    """
    power = (
        waveforms.to(torch.promote_types(waveforms.dtype, torch.float32)).square().sum(dim=1, keepdim=True)
    )
    power = power / (waveforms.shape[1] if valid is None else valid.unsqueeze(1))
    sounding = power > 0
    return torch.where(sounding, torch.where(sounding, power, 1.0).sqrt(), 0.0)


def divided_by_level(waveforms: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Waveforms over a level; zero where the level is zero.

    Arguments
    ---------
    waveforms : torch.Tensor
        ``(batch, time)``.
    level : torch.Tensor
        ``(batch, 1)``, from `utterance_level()`.

    Returns
    -------
    torch.Tensor
        ``(batch, time)``, in the level's type.

    Example
    -------
    >>> divided_by_level(torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.tensor([[0.5], [0.0]]))
    tensor([[ 2., -2.],
            [ 0.,  0.]])
    """
    sounding = level > 0
    return waveforms * torch.where(sounding, 1 / torch.where(sounding, level, 1.0), 0.0)
