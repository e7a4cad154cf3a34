"""Checkpoints packed for the repository: whole, small, and close to what they were."""

import importlib.util
from pathlib import Path

import pytest
import torch

from sb_resizegan.training.checkpoints import AtomicCheckpointer, check_checkpoint

PACK = Path(__file__).parents[2] / "training" / "pack.py"


@pytest.fixture
def pack():
    spec = importlib.util.spec_from_file_location("pack", PACK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trained(folder, steps):
    """A layer, its optimizer, and their checkpointer."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(100, 100)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    saver = AtomicCheckpointer(folder, recoverables={"layer": layer, "layer_optimizer": optimizer})
    for _ in range(steps):
        step(layer, optimizer)
    return layer, optimizer, saver


def step(layer, optimizer):
    optimizer.zero_grad()
    layer(torch.randn(8, 100)).square().mean().backward()
    optimizer.step()


def test_a_packed_checkpoint_is_whole_and_small_and_goes_on_nearly_as_the_run(pack, tmp_path):
    layer, optimizer, saver = trained(tmp_path / "run" / "save", steps=20)
    saver.save_checkpoint(meta={"number": 1})
    original = saver.save_checkpoint(meta={"number": 2})
    pack.main(tmp_path / "run", tmp_path / "kept")
    pack.main(tmp_path / "run", tmp_path / "kept")  # again: what was there is replaced
    (packed,) = (tmp_path / "kept" / "save").iterdir()
    check_checkpoint(packed)
    sizes = [(folder / "layer_optimizer.ckpt").stat().st_size for folder in (packed, original.path)]
    assert sizes[0] < 0.6 * sizes[1]
    other, its_optimizer, reader = trained(tmp_path / "kept" / "save", steps=0)
    assert reader.recover_if_possible().meta["number"] == 2
    assert all(
        value.dtype == torch.float32 for state in its_optimizer.state.values() for value in state.values()
    )
    before = layer.weight.detach().clone()
    for pair in ((layer, optimizer), (other, its_optimizer)):
        torch.manual_seed(1)
        step(*pair)
    moved, difference = (layer.weight - before).norm(), (layer.weight - other.weight).norm()
    assert 0 < difference < 0.02 * moved


def test_a_run_without_checkpoint_is_named(pack, tmp_path):
    (tmp_path / "save").mkdir()
    with pytest.raises(SystemExit, match="save: expected a checkpoint, but there is none"):
        pack.main(tmp_path, tmp_path / "kept")
