"""PESQ waits for the device a constant number of times, whatever the batch."""

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sb_resizegan.metrics.pesq import pesq
from sb_resizegan.metrics.pesq.pipeline import first_pass
from sb_resizegan.metrics.pesq.splitting import MOST_ROUNDS

WAITING_METHODS = {
    "cpu", "numpy", "tolist", "item", "nonzero", "__bool__", "__int__", "__float__", "__index__", "__array__",
    "__contains__", "masked_select", "unique", "equal", "allclose", "is_nonzero", "argwhere",
}  # fmt: skip
WAITING_OPERATORS = {
    "_local_scalar_dense", "nonzero", "nonzero_numpy", "masked_select", "_unique2", "unique_dim",
    "unique_consecutive", "equal", "is_nonzero", "repeat_interleave", "bincount",
}  # fmt: skip


class WaitsByMethod(TorchFunctionMode):
    """Counts calls of tensors' methods that copy to the host; on a CPU they never reach an operator."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        to_host = name == "to" and any(str(a) == "cpu" for a in args[1:]) and args[0].device.type != "cpu"
        if name in WAITING_METHODS or to_host:
            self.calls.append(name)
        return function(*args, **(kwargs or {}))


class WaitsByOperator(TorchDispatchMode):
    """Counts operators whose result or shape depends on values that are on the device."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)] if name in (
            "index", "index_put", "index_put_", "_index_put_impl_"
        ) else []  # fmt: skip
        if name in WAITING_OPERATORS or masks:
            self.calls.append(name)
        return function(*args, **(kwargs or {}))


def waits(function, *args, **kwargs):
    """Names of the waiting calls inside a function; ``.cpu().numpy()`` counts once."""
    with WaitsByMethod() as methods, WaitsByOperator() as operators:
        function(*args, **kwargs)
    return [name for name in methods.calls if name != "numpy"] + operators.calls


def bursts(batch, seconds, seed=0):
    """Noise in bursts of a second with pauses, and a noisy copy."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(16000 * seconds)) / 16000
    gate = (time % 1.4 < 1.0).float()
    reference = gate * torch.randn(batch, len(time), generator=generator)
    return reference, reference + 0.3 * torch.randn(reference.shape, generator=generator)


def test_the_counter_sees_what_it_is_to_see():
    x = torch.arange(4.0)
    assert waits(lambda: x.sum().item()) and waits(lambda: x.cpu().numpy())
    assert waits(lambda: x[x > 1]) and waits(lambda: bool(x[0] > 1)) and waits(lambda: torch.nonzero(x))
    assert waits(lambda: x.tolist()) and waits(lambda: torch.unique(x))
    assert waits(lambda: np.asarray(x)) == ["__array__"]
    assert waits(lambda: (x * 2)[torch.tensor([0, 1])]) == []


def test_waits_do_not_grow_with_batch_or_length():
    counts = {
        (batch, seconds): len(waits(pesq, *bursts(batch, seconds), lengths=torch.linspace(0.8, 1.0, batch)))
        for batch, seconds in ((1, 3), (8, 3), (1, 15), (8, 15))
    }
    assert len(set(counts.values())) == 1, counts
    assert 0 < counts[1, 3] <= 8


def test_waits_stay_bounded_with_many_delay_jumps():
    reference, degraded = bursts(4, 20, seed=1)
    for place, jump in ((40000, 700), (100000, 1300), (150000, 500), (200000, 2100), (260000, 900)):
        degraded[:, place:] = degraded[:, place:].roll(jump, 1)
    assert len(waits(pesq, reference, degraded)) <= 6 + 2 * MOST_ROUNDS


def test_the_perceptual_model_never_waits():
    frames = torch.randn(2, 9, 512)
    inside, last = torch.ones(2, 9, dtype=torch.bool), torch.tensor([8, 6])
    assert waits(first_pass, frames, frames + 1, inside, last, torch.tensor([9000, 8000])) == []


@pytest.mark.filterwarnings("ignore::UserWarning")  # dynamo's remarks on cached functions
def test_the_perceptual_model_is_one_graph():
    frames = 1e3 * torch.randn(2, 9, 512)
    arguments = (frames, frames.roll(3, -1), torch.ones(2, 9, dtype=torch.bool), torch.tensor([8, 6]))
    lengths = torch.tensor([9000, 8000])
    # Traced as for inductor, without its minute of C++ compilation.
    compiled = torch.compile(first_pass, fullgraph=True, backend="eager")
    for ours, expected in zip(compiled(*arguments, lengths), first_pass(*arguments, lengths), strict=True):
        assert torch.allclose(ours, expected, rtol=1e-5)
