"""Weights on disk: whatever byte is wrong, nothing wrong is loaded; and older exports still load."""

import random
import shutil
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sb_resizegan.inference import (
    GenerativeEnhancement,
    ModelSourceError,
    SpeechWindowGenerator,
    load_weights,
)
from sb_resizegan.inference.weights import read_weights, write_weights

OLD = Path(__file__).parents[1] / "fixtures" / "exports_without_safetensors"
CLASSES = {"enhancement": GenerativeEnhancement, "windows": SpeechWindowGenerator}


def pattern(value):
    """What the weights of the old exports are filled with."""
    return torch.arange(value.numel()).remainder(17).sub(8).div(80).view(value.shape)


@pytest.mark.parametrize("task", CLASSES)
def test_exports_of_before_still_load(task):
    model = CLASSES[task].from_hparams(source=OLD / task, run_opts={"device": "cpu"})
    state = model.mods.generator.state_dict()
    assert len(state) > 5 and all(torch.equal(value, pattern(value)) for value in state.values())
    if task == "windows":
        assert model.generate(2, seed=0).shape == (2, 512)
    else:
        assert model.enhance_batch(torch.randn(800)).shape == (800,)


@pytest.fixture(params=["generator.safetensors", "generator.ckpt"])
def stored(request, tmp_path):
    """A layer, its file of weights in each format, and the digest that the yaml would hold."""
    layer = torch.nn.LSTM(5, 7)
    path = tmp_path / request.param
    if path.suffix == ".ckpt":
        torch.save(layer.state_dict(), path)
        return layer, path, None
    return layer, path, write_weights(layer.state_dict(), path)


def loaded(path, digest):
    """State after loading, None where the weights are refused."""
    layer = torch.nn.LSTM(5, 7)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    try:
        load_weights(layer, path, digest)
    except ModelSourceError as error:
        assert str(path) in str(error)
        assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
        return None
    return layer.state_dict()


def test_weights_come_back_bit_for_bit(stored):
    layer, path, digest = stored
    state = loaded(path, digest)
    assert all(torch.equal(state[name], value) for name, value in layer.state_dict().items())


def test_no_damage_loads_silently(stored):
    """Bytes changed, cut off, added and swapped at 400 seeded places.

    In a file of torch.save some bytes mean nothing, the alignment of its parts for instance: there the
    weights have to be the right ones to the bit. In the other format every byte counts.
    """
    layer, path, digest = stored
    whole, numbers = path.read_bytes(), random.Random(0)
    refused = 0
    for trial in range(400):
        damaged = bytearray(whole)
        place = numbers.randrange(len(whole))
        kind = trial % 4
        if kind == 0:
            damaged[place] ^= 1 << numbers.randrange(8)
        elif kind == 1:
            damaged[place : place + 64] = numbers.randbytes(len(damaged[place : place + 64]))
        elif kind == 2:
            del damaged[place:]
        else:
            damaged[place:place] = numbers.randbytes(1 + numbers.randrange(9))
        if damaged == whole:
            continue
        path.write_bytes(damaged)
        state = loaded(path, digest)
        refused += state is None
        if state is not None:
            assert digest is None
            assert all(torch.equal(state[name], value) for name, value in layer.state_dict().items())
    assert refused == 400 if digest else refused > 300


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(stored, value):
    layer, path, digest = stored
    state = layer.state_dict()
    state["bias_hh_l0"][3] = value
    if digest is None:
        torch.save(state, path)
    else:
        digest = write_weights(state, path)
    with pytest.raises(ModelSourceError, match="expected finite weights, but bias_hh_l0 holds NaN or Inf"):
        load_weights(torch.nn.LSTM(5, 7), path, digest)


def test_safetensors_without_a_digest_are_refused(tmp_path):
    layer = torch.nn.Linear(2, 3)
    write_weights(layer.state_dict(), tmp_path / "layer.safetensors")
    with pytest.raises(ModelSourceError, match="expected the file's SHA-256"):
        load_weights(layer, tmp_path / "layer.safetensors")


def test_a_digest_is_of_this_file(tmp_path):
    first, second = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    digest = write_weights(first.state_dict(), tmp_path / "first.safetensors")
    write_weights(second.state_dict(), tmp_path / "second.safetensors")
    with pytest.raises(ModelSourceError, match=f"but the model's yaml says {digest}"):
        load_weights(first, tmp_path / "second.safetensors", digest)


@pytest.mark.parametrize("form", ["pickle", "legacy", "compressed", "sparse", "expanded", "list"])
def test_other_forms_are_refused(tmp_path, form):
    path, layer = tmp_path / "layer.ckpt", torch.nn.Linear(2, 3)
    state = layer.state_dict()
    if form == "pickle":
        torch.save(layer, path)
    elif form == "legacy":  # has no checksums
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif form == "compressed":  # torch.save never does, and a small file could become any size
        torch.save(state, tmp_path / "plain")
        with (
            zipfile.ZipFile(tmp_path / "plain") as plain,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped,
        ):
            for name in plain.namelist():
                zipped.writestr(name, plain.read(name))
    elif form == "sparse":
        torch.save({**state, "weight": state["weight"].to_sparse()}, path)
    elif form == "expanded":  # one number that claims to be 10**15
        torch.save({**state, "weight": torch.zeros(1, 1).expand(10**9, 10**6)}, path)
    else:
        torch.save(list(state.values()), path)
    with pytest.raises(ModelSourceError, match=r"layer\.ckpt"):
        load_weights(torch.nn.Linear(2, 3), path)


def test_the_layout_is_what_others_read(tmp_path):
    """The safetensors package itself reads what is written here."""
    layer = torch.nn.Linear(2, 3)
    digest = write_weights(layer.state_dict(), tmp_path / "layer.safetensors")
    theirs = safetensors.torch.load_file(tmp_path / "layer.safetensors")
    ours = read_weights(tmp_path / "layer.safetensors", digest)
    assert theirs.keys() == ours.keys() and all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_damage_of_a_whole_model_is_found(tmp_path):
    """Bytes of the yaml and the weights of an older export: refused, or the model is the same."""
    numbers = random.Random(1)
    whole = SpeechWindowGenerator.from_hparams(source=OLD / "windows", run_opts={"device": "cpu"})
    expected = whole.generate(1, seed=0)
    for _ in range(40):
        folder = shutil.copytree(OLD / "windows", tmp_path / "model")
        path = folder / "generator.ckpt"
        data = bytearray(path.read_bytes())
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
        path.write_bytes(data)
        try:
            model = SpeechWindowGenerator.from_hparams(source=folder, run_opts={"device": "cpu"})
        except ModelSourceError:
            pass
        else:
            assert torch.equal(model.generate(1, seed=0), expected)
        shutil.rmtree(folder)
