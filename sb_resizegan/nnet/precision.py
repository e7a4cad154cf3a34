"""Small matrix products in full precision, beside large ones that a GPU may round."""

import torch

__all__ = ["has_tf32", "small_product"]


def has_tf32(device: torch.device) -> bool:
    """Whether a device may round the factors of float32 products to TF32, ten bits of fraction.

    Source: NVIDIA, "A100 Tensor Core GPU architecture", 2020. SpeechBrain allows it when it is imported.

    Arguments
    ---------
    device : torch.device
        Where the product is computed.

    Returns
    -------
    bool

    Example
    -------
    >>> has_tf32(torch.device("cuda")), has_tf32(torch.device("cpu"))
    (True, False)
    """
    return device.type == "cuda"


def small_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Matrix product to at least the precision of its factors, whatever TF32 is set to.

    For products that are small beside the convolutions: on a device that has TF32 they are taken in float64,
    which is never rounded to it, and neither are their derivatives.

    Arguments
    ---------
    a : torch.Tensor
        `(rows, inner)`.
    b : torch.Tensor
        `(inner, columns)`, of the same type.

    Returns
    -------
    torch.Tensor
        `(rows, columns)`, of the factors' type.

    Example
    -------
    >>> small_product(torch.ones(2, 3), torch.ones(3, 4)).shape
    torch.Size([2, 4])
    """
    if a.dtype == torch.float32 and has_tf32(a.device):
        return (a.double() @ b.double()).float()
    return a @ b
