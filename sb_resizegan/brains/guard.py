"""Steps that do not count when their gradient is not finite, without the host waiting to know."""

from collections.abc import Iterable

import torch

__all__ = ["StepGuard"]


class StepGuard:
    """Leaves a network's step out, or takes it back, if its gradient is not finite.

    On a CPU the step is left out. To leave it out on a GPU, the host would have to wait for the gradient; so
    there it is taken and, where the gradient was not finite, taken back on the device. What optimizers count
    on the host, such as Adam's number of steps, goes on.

    Example
    -------
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> optimizer, guard = torch.optim.Adam([weight]), StepGuard()
    >>> for slope in (1.0, torch.inf):
    ...     weight.grad = torch.full((2,), slope)
    ...     if guard.begin(optimizer, weight.grad.norm()):
    ...         optimizer.step()
    ...         guard.end()
    >>> weight.detach(), guard.finite
    (tensor([0.9990, 0.9990]), tensor(False))
    """

    def __init__(self) -> None:
        self.finite = torch.tensor(True)
        """Whether the newest gradient was finite, on its device."""
        self._kept: list[torch.Tensor] = []
        self._tensors: list[torch.Tensor] = []

    @torch.no_grad()
    def begin(
        self, optimizer: torch.optim.Optimizer, norm: torch.Tensor, others: Iterable[torch.Tensor] = ()
    ) -> bool:
        """Before a step.

        Arguments
        ---------
        optimizer : torch.optim.Optimizer
            Whose step it is.
        norm : torch.Tensor
            Of its gradients. After DDP's reduction it is the same on every process.
        others : iterable of torch.Tensor
            What is changed besides parameters and their state, until `end()`.

        Returns
        -------
        bool
            Whether to take the step.
        """
        self.finite = norm.isfinite()
        if norm.device.type == "cpu":
            self._tensors = []
            return bool(self.finite)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        states = [
            value
            for parameter in parameters
            for value in optimizer.state.get(parameter, {}).values()
            if isinstance(value, torch.Tensor) and value.device == parameter.device
        ]
        self._tensors = [*parameters, *states, *others]
        if [kept.shape for kept in self._kept] != [tensor.shape for tensor in self._tensors]:
            self._kept = [torch.empty_like(tensor) for tensor in self._tensors]
        torch._foreach_copy_(self._kept, self._tensors)
        for parameter in parameters:
            # A state that this step is the first to write must not begin with NaN.
            parameter.grad = torch.where(self.finite, parameter.grad, 0.0)
        return True

    @torch.no_grad()
    def end(self) -> None:
        """After the step, and all that follows from it."""
        for tensor, kept in zip(self._tensors, self._kept if self._tensors else (), strict=True):
            tensor.copy_(torch.where(self.finite, tensor, kept))
        self._tensors = []
