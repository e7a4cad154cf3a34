"""GRU whose training is fast on a CPU.

Source
------
K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
Translation", EMNLP 2014, equations 5 to 8, in the form of :class:`torch.nn.GRU` (the reset gate after the
product).
"""

import torch
from torch import nn

__all__ = ["GRU"]


class GRU(nn.GRU):
    """A :class:`torch.nn.GRU` of one layer, with the same weights, values and gradients.

    PyTorch has fused GRUs for GPUs. On a CPU it records every operation of every step. Here all
    steps are one operation with a backward pass of its own, which goes through them again and keeps what a
    step needs in the processor's cache. Without gradients and on other devices it is PyTorch's own.

    Arguments
    ---------
    input_size, hidden_size : int
        Features of the input and of each direction's output.
    bidirectional : bool
        Whether a second direction goes backwards.

    Example
    -------
    >>> output, _ = GRU(16, 24, bidirectional=True)(torch.randn(50, 3, 16))
    >>> output.shape
    torch.Size([50, 3, 48])
    """

    def __init__(self, input_size, hidden_size, bidirectional=False):
        super().__init__(input_size, hidden_size, bidirectional=bidirectional)

    def forward(self, x, state=None):
        """``(steps, batch, input_size)`` to outputs ``(steps, batch, hidden_size * directions)`` and the last
        states ``(directions, batch, hidden_size)``, from first states of that shape or zeros."""
        if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
            return super().forward(x, state)
        directions = 2 if self.bidirectional else 1
        suffixes = ("", "_reverse")[:directions]
        weights = [
            torch.stack([getattr(self, f"{name}_l0{suffix}") for suffix in suffixes])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        if state is None:
            state = x.new_zeros(directions, x.shape[1], self.hidden_size)
        outputs = _Recurrence.apply(x, state, *weights)  # (steps, directions, batch, hidden_size)
        last = [outputs[0 if suffix else -1, index] for index, suffix in enumerate(suffixes)]
        return outputs.transpose(1, 2).flatten(2), torch.stack(last)


def _in_order_of_time(steps, direction):
    """The numbers of the steps in the order in which a direction takes them."""
    return range(steps - 1, -1, -1) if direction else range(steps)


class _Recurrence(torch.autograd.Function):
    """Outputs ``(steps, directions, batch, hidden_size)`` of all directions."""

    @staticmethod
    def forward(ctx, x, state, weight_ih, weight_hh, bias_ih, bias_hh):
        steps, batch, _ = x.shape
        directions, size = len(weight_hh), weight_hh.shape[2]
        # Reset and update gates get one bias; the candidate's recurrent bias stands inside the reset.
        bias = bias_ih.clone()
        bias[:, : 2 * size] += bias_hh[:, : 2 * size]
        inputs = torch.stack(
            [
                torch.addmm(b, x.flatten(0, 1), w.t()).unflatten(0, (steps, batch))
                for b, w in zip(bias, weight_ih, strict=True)
            ]
        )
        candidate_bias = bias_hh[:, None, 2 * size :].expand(-1, batch, -1)
        gate_weight = weight_hh[:, : 2 * size].transpose(1, 2)
        candidate_weight = weight_hh[:, 2 * size :].transpose(1, 2)
        outputs = x.new_empty(steps, directions, batch, size)
        recurrent = x.new_empty(steps, directions, batch, size)
        for index in range(directions):
            hidden = state[index]
            for step in _in_order_of_time(steps, index):
                given = inputs[index, step]
                gates = given[:, : 2 * size].addmm_(hidden, gate_weight[index]).sigmoid_()
                reset, update = gates[:, :size], gates[:, size:]
                before_reset = torch.addmm(
                    candidate_bias[index], hidden, candidate_weight[index], out=recurrent[step, index]
                )
                candidate = given[:, 2 * size :].addcmul_(reset, before_reset).tanh_()
                hidden = torch.lerp(candidate, hidden, update, out=outputs[step, index])
        # `inputs` holds the gates and candidates now.
        ctx.save_for_backward(x, state, weight_ih, weight_hh, inputs, recurrent, outputs)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, state, weight_ih, weight_hh, inputs, recurrent, outputs = ctx.saved_tensors
        steps, directions, batch, size = outputs.shape
        grad_state = torch.empty_like(state)
        grad_weight_ih, grad_weight_hh = torch.zeros_like(weight_ih), torch.zeros_like(weight_hh)
        grad_bias_ih, grad_bias_hh = (x.new_empty(directions, 3 * size) for _ in range(2))
        grad_x = torch.empty_like(x)
        # Everything that one step needs stays in the processor's cache.
        by_candidate, left, complement = (x.new_empty(batch, size) for _ in range(3))
        by_input, by_recurrent = x.new_empty(batch, 3 * size), x.new_empty(batch, 3 * size)
        bias_input, bias_recurrent = torch.empty_like(by_input), torch.empty_like(by_input)
        for index in range(directions):
            hidden_grad = torch.zeros_like(state[index])
            bias_input.zero_()
            bias_recurrent.zero_()
            order = _in_order_of_time(steps, index)
            for position in range(steps - 1, -1, -1):
                step = order[position]
                before = outputs[order[position - 1], index] if position else state[index]
                gates, candidate = inputs[index, step].split([2 * size, size], dim=1)
                reset, update = gates.split(size, dim=1)
                hidden_grad.add_(grad[step, index])
                torch.sub(1, update, out=complement)
                # candidate: (1 - update) (1 - candidate ** 2)
                torch.mul(candidate, candidate, out=by_candidate).neg_().add_(1).mul_(complement).mul_(
                    hidden_grad
                )
                by_input[:, 2 * size :].copy_(by_candidate)
                torch.mul(by_candidate, reset, out=by_recurrent[:, 2 * size :])
                # reset
                torch.sub(1, reset, out=left).mul_(by_recurrent[:, 2 * size :]).mul_(recurrent[step, index])
                by_input[:, :size].copy_(left)
                # update
                torch.sub(before, candidate, out=left).mul_(complement).mul_(update).mul_(hidden_grad)
                by_input[:, size : 2 * size].copy_(left)
                by_recurrent[:, : 2 * size].copy_(by_input[:, : 2 * size])
                hidden_grad.mul_(update).addmm_(by_recurrent, weight_hh[index])
                grad_weight_hh[index].addmm_(by_recurrent.t(), before)
                grad_weight_ih[index].addmm_(by_input.t(), x[step])
                bias_input.add_(by_input)
                bias_recurrent[:, 2 * size :].add_(by_recurrent[:, 2 * size :])
                if index:
                    grad_x[step].addmm_(by_input, weight_ih[index])
                else:
                    torch.mm(by_input, weight_ih[index], out=grad_x[step])
            grad_state[index] = hidden_grad
            grad_bias_ih[index] = bias_input.sum(0)
            grad_bias_hh[index] = grad_bias_ih[index]
            grad_bias_hh[index, 2 * size :] = bias_recurrent[:, 2 * size :].sum(0)
        return grad_x, grad_state, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
