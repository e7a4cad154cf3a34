"""The fused cell of an LSTM, which PyTorch has for devices alone, on a CPU."""

import torch

__all__ = ["FUSED"]


def forward(input_gates, hidden_gates, cell, input_bias=None, hidden_bias=None):
    """New hidden state, new cell, and the gates for the backward pass."""
    gates = input_gates + hidden_gates
    if input_bias is not None:
        gates = gates + input_bias + hidden_bias
    let_in, keep, new, out = gates.chunk(4, dim=1)
    let_in, keep, new, out = let_in.sigmoid(), keep.sigmoid(), new.tanh(), out.sigmoid()
    new_cell = keep * cell + let_in * new
    return out * new_cell.tanh(), new_cell, torch.cat([let_in, keep, new, out], dim=1)


def backward(hidden_gradient, cell_gradient, cell, new_cell, gates, has_bias):
    """Gradients of the gates before their activation, of the cell, and of the bias."""
    let_in, keep, new, out = gates.chunk(4, dim=1)
    squashed = new_cell.tanh()
    hidden_gradient = torch.zeros_like(cell) if hidden_gradient is None else hidden_gradient
    through = hidden_gradient * out * (1 - squashed.square())
    if cell_gradient is not None:
        through = through + cell_gradient
    gradients = torch.cat(
        [
            through * new * let_in * (1 - let_in),
            through * cell * keep * (1 - keep),
            through * let_in * (1 - new.square()),
            hidden_gradient * squashed * out * (1 - out),
        ],
        dim=1,
    )
    return gradients, through * keep, gradients.sum(0) if has_bias else None


FUSED = {
    "aten::_thnn_fused_lstm_cell": forward,
    "aten::_thnn_fused_lstm_cell_backward_impl": backward,
}
