"""Random numbers by counting: the n-th number of a stream is a function of its key and n alone.

So they can be computed where they are wanted: on any device the same, without a copy from the host, and each
process its own part of what all draw together.

Source
------
G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, section 4
(SplitMix64, with D. Stafford's thirteenth mixer as in the authors' Java code).
"""

import math

import torch

__all__ = ["CounterRandom", "RandomSource", "draw_integers", "draw_normal", "draw_uniform"]

_HALF = 1 << 32


def _signed(constant: int) -> int:
    """A 64-bit constant as PyTorch's integers hold it."""
    return constant - (1 << 64) if constant >> 63 else constant


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))


def _shifted(x: torch.Tensor, places: int) -> torch.Tensor:
    """Bits moved to the right, zeros from the left."""
    return (x >> places) & ((1 << (64 - places)) - 1)


class CounterRandom:
    """A stream of random numbers on a device; what is drawn first comes first.

    Arguments
    ---------
    key : int
        Which stream, from 0 to 2 ** 63 - 1.
    device : str or torch.device
        Where the numbers are made.
    rank, world_size : int
        Of the processes that draw together, rows ``rank * rows`` and on of what one would draw.

    Example
    -------
    >>> CounterRandom(1).uniform(2, 3).shape
    torch.Size([2, 3])
    >>> joint, second = CounterRandom(1), CounterRandom(1, rank=1, world_size=2)
    >>> bool((joint.normal(4, 3)[2:] == second.normal(2, 3)).all())
    True
    """

    def __init__(
        self, key: int, device: str | torch.device = "cpu", rank: int = 0, world_size: int = 1
    ) -> None:
        self.key = key
        self.device = torch.device(device)
        self.rank = rank
        self.world_size = world_size
        self._drawn = 0

    def uniform(self, rows: int, *shape: int) -> torch.Tensor:
        """Numbers from 0 up to, but not including, 1: float32, ``(rows, *shape)``."""
        return _shifted(self._bits(rows, *shape), 40).float() * 2.0**-24

    def normal(self, rows: int, *shape: int) -> torch.Tensor:
        """Standard normal numbers (Box and Muller), float32, ``(rows, *shape)``.

        Computed in float64, so that the last bits of a device's logarithm and cosine seldom show.
        """
        bits = self._bits(rows, *shape)
        radius = (-2 * ((_shifted(bits, 32) + 1).double() / _HALF).log()).sqrt()
        return (radius * ((bits & (_HALF - 1)).double() * (2 * math.pi / _HALF)).cos()).float()

    def integers(self, low: int, high: int, rows: int, *shape: int, shared: bool = False) -> torch.Tensor:
        """Integers from ``low`` to ``high - 1``, int64, ``(rows, *shape)``; the same ones on all ranks if
        ``shared``."""
        return low + ((_shifted(self._bits(rows, *shape, shared=shared), 32) * (high - low)) >> 32)

    def _bits(self, rows: int, *shape: int, shared: bool = False) -> torch.Tensor:
        each = rows * math.prod(shape)
        first = self._drawn + (0 if shared else self.rank * each)
        self._drawn += each if shared else self.world_size * each
        count = torch.arange(first + 1, first + each + 1, device=self.device)
        x = count * _GOLDEN + self.key
        for places, factor in _MIX:
            x = (x ^ _shifted(x, places)) * factor
        return (x ^ _shifted(x, 31)).view(rows, *shape)


RandomSource = torch.Generator | CounterRandom | None
"""Where random numbers come from: PyTorch's default generator on the CPU, another one there, or a stream."""


def draw_uniform(random: RandomSource, device: torch.device, rows: int, *shape: int) -> torch.Tensor:
    """Uniform numbers of [0, 1) from any source, on a device.

    Arguments
    ---------
    random : torch.Generator, CounterRandom or None
        The source.
    device : torch.device
        Where the result lives.
    rows, *shape : int
        Its shape.

    Returns
    -------
    torch.Tensor
        float32, ``(rows, *shape)``.

    Example
    -------
    >>> draw_uniform(torch.Generator().manual_seed(0), torch.device("cpu"), 2).shape
    torch.Size([2])
    """
    if isinstance(random, CounterRandom):
        return random.uniform(rows, *shape).to(device)
    return torch.rand(rows, *shape, generator=random).to(device)


def draw_normal(random: RandomSource, device: torch.device, rows: int, *shape: int) -> torch.Tensor:
    """Standard normal numbers from any source, on a device; see `draw_uniform`.

    Example
    -------
    >>> draw_normal(None, torch.device("cpu"), 2, 3).shape
    torch.Size([2, 3])
    """
    if isinstance(random, CounterRandom):
        return random.normal(rows, *shape).to(device)
    return torch.randn(rows, *shape, generator=random).to(device)


def draw_integers(
    random: RandomSource,
    low: int,
    high: int,
    rows: int,
    shared: bool = False,
    device: torch.device | None = None,
) -> torch.Tensor:
    """Integers ``(rows,)`` from any source; see `draw_uniform`.

    Arguments
    ---------
    random : torch.Generator, CounterRandom or None
        The source. None stands for the default generator of the device.
    low, high : int
        From ``low`` to ``high - 1``.
    rows : int
        How many.
    shared : bool
        Whether processes that draw together get the same ones.
    device : torch.device, optional
        Where the result lives; where the source draws by default.

    Returns
    -------
    torch.Tensor
        int64, ``(rows,)``.

    Example
    -------
    >>> draw_integers(CounterRandom(1), 5, 6, 2)
    tensor([5, 5])
    """
    if isinstance(random, CounterRandom):
        numbers = random.integers(low, high, rows, shared=shared)
    elif random is None:
        return torch.randint(low, high, (rows,), device=device)
    else:
        numbers = torch.randint(low, high, (rows,), generator=random, device=random.device)
    return numbers if device is None else numbers.to(device)
