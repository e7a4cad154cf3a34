"""Spectra in real numbers: what a stream needs of complex arithmetic, for ONNX, which has none."""

import torch

__all__ = ["EPSILON", "times_mask", "to_power"]

EPSILON = 1e-8


def to_power(spectrum: torch.Tensor, exponent: float) -> torch.Tensor:
    """Raises the magnitudes of a spectrum ``(…, 2)`` of real and imaginary parts to a power.

    Arguments
    ---------
    spectrum : torch.Tensor
        ``(…, 2)``.
    exponent : float
        Above 0.

    Returns
    -------
    torch.Tensor
        ``(…, 2)``; zero where the spectrum is zero.

    Example
    -------
    >>> to_power(torch.tensor([[0.0, 4.0], [0.0, 0.0]]), 0.5)
    tensor([[0., 2.],
            [0., 0.]])
    """
    magnitude = spectrum.square().sum(-1, keepdim=True).sqrt()
    return spectrum * (magnitude + EPSILON).pow(exponent - 1)


def times_mask(compressed: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Multiplies a spectrum by the complex mask that is 1 plus the network's first output.

    Arguments
    ---------
    compressed : torch.Tensor
        ``(…, 2)``: real and imaginary part.
    outputs : torch.Tensor
        ``(…, 2)`` or more; the first two are real and imaginary part of the mask without the 1.

    Returns
    -------
    torch.Tensor
        ``(…, 2)``.

    Example
    -------
    >>> times_mask(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 1.0]))  # (1 + 2i) * i
    tensor([-2.,  1.])
    """
    real, imaginary = compressed.unbind(-1)
    mask_real, mask_imaginary = 1 + outputs[..., 0], outputs[..., 1]
    return torch.stack(
        [real * mask_real - imaginary * mask_imaginary, real * mask_imaginary + imaginary * mask_real], dim=-1
    )
