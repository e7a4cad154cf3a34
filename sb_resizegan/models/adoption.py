"""Weights of a trained generator for another one that is nearly the same."""

import torch
from torch import nn

__all__ = ["adopt_weights"]

# What a generator may lack that the trained one had: without its latent it is the same at the mean latent, 0.
DROPPED = ("latent_input.weight",)


def adopt_weights(generator: nn.Module, weights: dict[str, torch.Tensor]) -> list[str]:
    """Takes over the weights of a generator of the same network, which may have a latent and fewer outputs.

    Weights of the latent are left out where the generator has none. Where its last stage has more outputs
    than the trained one, the new ones begin at zero: the generator does at first what the trained one did.

    Arguments
    ---------
    generator : torch.nn.Module
        Gets the weights.
    weights : dict of str to torch.Tensor
        State of the trained generator.

    Returns
    -------
    list of str
        What was left out or begins at zero, in words.

    Raises
    ------
    ValueError
        If anything else differs.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> from sb_resizegan.models.following_generator import FollowingGenerator
    >>> sizes = {"channels": 8, "time_units": 8, "band_units": 8, "blocks": 1}
    >>> trained = SpectralGenerator(**sizes, latent_dim=2)
    >>> new = FollowingGenerator(**sizes, latent_dim=0)
    >>> for line in adopt_weights(new, trained.state_dict()): print(line)
    latent_input.weight: left out
    decoder.1.weight: 2 of 4 outputs begin at zero
    decoder.1.bias: 2 of 4 outputs begin at zero
    """
    own, remarks = dict(generator.state_dict()), []
    for name, value in weights.items():
        if name not in own:
            if name not in DROPPED:
                raise ValueError(f"expected the same network, but {name} has no place in it")
            remarks.append(f"{name}: left out")
        elif own[name].shape == value.shape:
            own[name] = value
        elif (
            name.startswith("decoder.")
            and own[name].shape[1:] == value.shape[1:]
            and len(own[name]) > len(value)
        ):
            extended = torch.zeros_like(own[name])
            extended[: len(value)] = value
            own[name] = extended
            remarks.append(f"{name}: {len(extended) - len(value)} of {len(extended)} outputs begin at zero")
        else:
            raise ValueError(
                f"expected the same network, but {name} has the shape {tuple(value.shape)} instead of "
                f"{tuple(own[name].shape)}"
            )
    missing = [name for name in own if name not in weights]
    if missing:
        raise ValueError(f"expected the same network, but there are no weights for {missing[0]}")
    generator.load_state_dict(own)
    return remarks
