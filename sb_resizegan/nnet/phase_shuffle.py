"""Phase shuffle: random shifts in time that keep a critic from judging by phase alone."""

from typing import Any

import torch
from torch import nn

from sb_resizegan.nnet.layer_checks import check_input
from sb_resizegan.utils.checks import check_integer
from sb_resizegan.utils.counter_random import RandomSource, draw_integers

__all__ = ["PhaseShuffle", "shift_reflected"]


def _rows(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Reads `(batch, time, channels)` at `index`, `(batch, any)`, as whole rows of channels."""
    batch, time, channels = x.shape
    start = torch.arange(batch, device=x.device).unsqueeze(1) * time
    rows = x.reshape(batch * time, channels).index_select(0, (index + start).flatten())
    return rows.view(batch, index.shape[1], channels)


class _Shift(torch.autograd.Function):
    """Shift with reflection, time-major. Its adjoint is written as a gather too: adding rows into place, as
    the automatic derivative does, is slow and on GPUs not reproducible."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, shift: torch.Tensor, n: int) -> torch.Tensor:
        ctx.save_for_backward(shift)
        ctx.n = n
        ctx.set_materialize_grads(False)
        last = x.shape[1] - 1
        index = torch.arange(x.shape[1], device=x.device) - shift.unsqueeze(1)
        return _rows(x, last - (last - index.abs()).abs())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return None, None, None
        (shift,) = ctx.saved_tensors
        return _ShiftAdjoint.apply(gradient, shift, ctx.n), None, None


class _ShiftAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, shift: torch.Tensor, n: int) -> torch.Tensor:
        ctx.save_for_backward(shift)
        ctx.n = n
        ctx.set_materialize_grads(False)
        time = y.shape[1]
        shift = shift.unsqueeze(1)

        def read(index: torch.Tensor) -> torch.Tensor:
            valid = (index >= 0) & (index < time)
            return _rows(y, index.clamp(0, time - 1)) * valid.unsqueeze(2)

        x = read(torch.arange(time, device=y.device) + shift)
        # what the reflections read a second time: samples 1 .. n from the start and from the end
        near = torch.arange(1, n + 1, device=y.device)
        x[:, 1 : n + 1] += read(shift - near)
        x[:, time - 1 - n : time - 1] += read(2 * (time - 1) + shift - (time - 1 - near.flip(0)))
        return x

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None) -> Any:
        if gradient is None:
            return None, None, None
        (shift,) = ctx.saved_tensors
        return _Shift.apply(gradient, shift, ctx.n), None, None


def shift_reflected(x: torch.Tensor, shift: torch.Tensor, n: int) -> torch.Tensor:
    """Delays each example by its own number of samples; what lies beyond the edges is reflected.

    Output sample t is `x[t - shift]`, where `x[-i] = x[i]` and `x[time - 1 + i] = x[time - 1 - i]`.

    Arguments
    ---------
    x : torch.Tensor
        `(batch, channels, time)`.
    shift : torch.Tensor
        Integers, `(batch,)`, between -n and n; not checked here.
    n : int
        The largest shift, below `time`.

    Returns
    -------
    torch.Tensor
        As `x`.

    Example
    -------
    >>> x = torch.arange(5.0).view(1, 1, 5)
    >>> shift_reflected(x, torch.tensor([2]), 2)
    tensor([[[2., 1., 0., 1., 2.]]])
    """
    return _Shift.apply(x.transpose(1, 2), shift, n).transpose(1, 2)


class PhaseShuffle(nn.Module):
    """Shifts its input in time by a random number of samples between -n and n, with reflection at the edges.

    Donahue et al., "Adversarial audio synthesis", ICLR 2019, section 3.3. Their code draws one shift a batch
    (`per_example=False`).

    In evaluation mode nothing is shifted, unless a shift is passed to `forward`.

    Arguments
    ---------
    n : int
        The largest shift in samples; 0 makes the layer the identity.
    per_example : bool
        Whether each example of a batch gets its own shift.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is negative; in `forward`, if the input isn't `(batch, channels, time)` with more than n
        samples, or the shift's shape or values are wrong.

    Example
    -------
    >>> PhaseShuffle(2)(torch.randn(4, 16, 512)).shape
    torch.Size([4, 16, 512])
    """

    def __init__(self, n: int, per_example: bool = True) -> None:
        super().__init__()
        self.n = check_integer("n", n, minimum=0)
        self.per_example = per_example

    def draw(
        self, batch: int, generator: RandomSource = None, device: torch.device | None = None
    ) -> torch.Tensor:
        """Draws the shifts of one batch.

        Arguments
        ---------
        batch : int
            Number of examples.
        generator : torch.Generator, CounterRandom or None
            Where the numbers come from; None stands for the device's global generator.
        device : torch.device or None
            Where the result lives; where the generator draws by default.

        Returns
        -------
        torch.Tensor
            Integers, `(batch,)`.

        Example
        -------
        >>> PhaseShuffle(2).draw(4).shape
        torch.Size([4])
        """
        size = batch if self.per_example else 1
        shared = not self.per_example
        return draw_integers(generator, -self.n, self.n + 1, size, shared, device).expand(batch)

    def forward(self, x: torch.Tensor, shift: torch.Tensor | int | None = None) -> torch.Tensor:
        """Shifts a batch.

        Arguments
        ---------
        x : torch.Tensor
            `(batch, channels, time)`.
        shift : torch.Tensor, int or None
            Delays in samples between -n and n, `(batch,)` or one for all; None draws them in training mode.
            Values on a GPU are not checked: that would cost a wait for the device.

        Returns
        -------
        torch.Tensor
            As `x`.
        """
        check_input(x)
        if self.n >= x.shape[2]:
            raise ValueError(
                f"expected more than n = {self.n} samples in time, but got shape {tuple(x.shape)}"
            )
        if shift is None:
            if not self.training or self.n == 0:
                return x
            shift = self.draw(len(x), device=x.device)
        shift = self._checked(shift, x)
        return shift_reflected(x, shift, self.n) if self.n > 0 else x

    def _checked(self, shift: torch.Tensor | int, x: torch.Tensor) -> torch.Tensor:
        shift = torch.as_tensor(shift)
        if shift.is_floating_point() or shift.is_complex() or shift.dtype == torch.bool:
            raise TypeError(f"shift: expected integers, but got {shift.dtype}")
        if shift.dim() > 1 or (shift.dim() == 1 and len(shift) != len(x)):
            raise ValueError(f"shift: expected shape ({len(x)},) or (), but got {tuple(shift.shape)}")
        if shift.device.type == "cpu" and shift.numel() > 0 and shift.abs().max() > self.n:
            raise ValueError(f"shift: expected values from {-self.n} to {self.n}, but got {shift.tolist()}")
        return shift.to(x.device).expand(len(x))

    def extra_repr(self) -> str:
        return f"{self.n}, per_example={self.per_example}"
