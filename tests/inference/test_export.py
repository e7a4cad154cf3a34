"""Exports of enhancement trainings: what a training's yaml says decides what is written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sb_resizegan.export import export_generator, loading_code
from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, SpeechWindowGenerator
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.utils.checkpoints import AtomicCheckpointer
from tests.inference.stand_in import MaskGenerator

ROOT = Path(__file__).resolve().parents[2]
HPARAMS = """\
seed: 3
task: enhancement
sample_rate: 16000
generator: !new:tests.inference.stand_in.MaskGenerator
    latent_dim: 2
"""


@pytest.fixture
def run(tmp_path):
    """The output folder of a training with three checkpoints, of which the second is best."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(HPARAMS)
    for number, figure in enumerate((1.5, 2.5, 2.0)):
        torch.manual_seed(number)
        average = exponential_average(MaskGenerator(latent_dim=2))
        AtomicCheckpointer(folder / "save", {"generator_average": average}).save_checkpoint(
            {"pesq_wb": figure}
        )
    return folder


def enhanced(model):
    noisy = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    return model.enhance_batch(noisy).cpu()


def expected(number):
    torch.manual_seed(number)
    return enhanced(GenerativeEnhancement({"generator": MaskGenerator(latent_dim=2)}, {"sample_rate": 16000}))


def test_an_enhancer_is_exported_and_loaded(run):
    folder = export_generator(run)
    model = GenerativeEnhancement.from_hparams(source=folder)
    assert model.sample_rate == 16000
    torch.testing.assert_close(enhanced(model), expected(2))
    assert loading_code(folder) == f'GenerativeEnhancement.from_hparams(source="{folder}")'
    with pytest.raises(ModelSourceError, match=r"is 'enhancement'; load it with GenerativeEnhancement"):
        SpeechWindowGenerator.from_hparams(source=folder)


def test_the_highest_figure_is_found(run, tmp_path):
    command = [
        sys.executable,
        ROOT / "recipes" / "export.py",
        run,
        "--highest",
        "pesq_wb",
        "-o",
        tmp_path / "best",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f'load it: GenerativeEnhancement.from_hparams(source="{tmp_path / "best"}")' in done.stdout
    torch.testing.assert_close(
        enhanced(GenerativeEnhancement.from_hparams(source=tmp_path / "best")), expected(1)
    )
    lowest = export_generator(run, tmp_path / "worst", best_by="pesq_wb")
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=lowest)), expected(0))


def test_an_unknown_task_is_named(run):
    (run / "hyperparams.yaml").write_text(HPARAMS.replace("enhancement", "separation"))
    with pytest.raises(ModelSourceError, match=r"task: expected one of \['enhancement', 'windows'\]"):
        export_generator(run)
