"""Exports of enhancement trainings: what a training's yaml says decides what is written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, SpeechWindowGenerator
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.training.checkpoints import AtomicCheckpointer
from sb_resizegan.training.export import export_generator, loading_code
from tests.inference.small import GENERATOR, small_generator, small_model

ROOT = Path(__file__).resolve().parents[2]
HPARAMS = f"seed: 3\nsample_rate: 16000\n{GENERATOR}"


@pytest.fixture
def run(tmp_path):
    """The output folder of a training with three checkpoints, of which the second is best."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(HPARAMS)
    for number, figure in enumerate((1.5, 2.5, 2.0)):
        average = exponential_average(small_generator(number))
        checkpointer = AtomicCheckpointer(folder / "save", {"generator_average": average})
        checkpointer.save_checkpoint({"pesq_wb": figure})
    return folder


def enhanced(model):
    noisy = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    return model.enhance_batch(noisy).cpu()


def expected(number):
    return enhanced(small_model(small_generator(number)))


def test_an_enhancer_is_exported_and_loaded(run):
    folder = export_generator(run)
    model = GenerativeEnhancement.from_hparams(source=folder)
    assert model.sample_rate == 16000
    torch.testing.assert_close(enhanced(model), expected(2))
    assert loading_code(folder) == f'GenerativeEnhancement.from_hparams(source="{folder}")'
    with pytest.raises(ModelSourceError, match=r"is 'enhancement'; load it with GenerativeEnhancement"):
        SpeechWindowGenerator.from_hparams(source=folder)


def test_the_highest_figure_is_found(run, tmp_path):
    best = tmp_path / "best"
    command = [sys.executable, "-m", "sb_resizegan", "export", run, "--highest", "pesq_wb", "-o", best]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f'load it: GenerativeEnhancement.from_hparams(source="{best}")' in done.stdout
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=best)), expected(1))
    lowest = export_generator(run, tmp_path / "worst", best_by="pesq_wb")
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=lowest)), expected(0))


def test_the_memory_is_limited_and_the_same_each_time(run, tmp_path):
    limited = [export_generator(run, tmp_path / str(n), memory_seconds=0.05) for n in range(2)]
    first, second = (load_file(folder / "generator.safetensors") for folder in limited)
    assert all(torch.equal(first[name], second[name]) for name in first)
    whole = load_file(export_generator(run) / "generator.safetensors")
    changed = {name for name in whole if not torch.equal(first[name], whole[name])}
    assert changed and all("time_path.recurrent.bias_ih" in name for name in changed)
    with pytest.raises(ModelSourceError, match=r"memory_seconds"):
        export_generator(run, tmp_path / "none", memory_seconds=-1.0)
    assert not list(tmp_path.glob(".none*")) and not (tmp_path / "none").exists()
