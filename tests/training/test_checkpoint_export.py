"""Exports of enhancement trainings: what a training's yaml says decides what is written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from hyperpyyaml import load_hyperpyyaml
from safetensors.torch import load_file
from speechbrain.inference.enhancement import WaveformEnhancement
from speechbrain.inference.interfaces import Pretrained, foreign_class
from speechbrain.utils.fetching import LocalStrategy

from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError, SpeechWindowGenerator
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.training.checkpoint_export import export_generator, loading_code
from sb_resizegan.training.checkpoints import AtomicCheckpointer
from tests.inference.small import GENERATOR, small_generator, small_model

ROOT = Path(__file__).resolve().parents[2]
HPARAMS = f"task: enhancement\nseed: 3\nsample_rate: 16000\ncheckpoint_key: pesq_wb\n{GENERATOR}"


@pytest.fixture
def run(tmp_path):
    """The output folder of a training with three checkpoints, of which the second is best."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(HPARAMS)
    for number, figure in enumerate((1.5, 2.5, 2.0)):
        average = exponential_average(small_generator(number))
        checkpointer = AtomicCheckpointer(folder / "save", {"generator_average": average})
        checkpointer.save_checkpoint({"pesq_wb": figure, "objective": figure, "epoch": number})
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
    # The second is the best by the run's own key.
    torch.testing.assert_close(enhanced(model), expected(1))
    assert loading_code(folder) == f'GenerativeEnhancement.from_hparams(source="{folder}")'
    with pytest.raises(ModelSourceError, match=r"is 'enhancement'; load it with GenerativeEnhancement"):
        SpeechWindowGenerator.from_hparams(source=folder)


def test_the_best_is_found_by_the_direction_of_the_figure_and_the_newest_if_asked_for(run, tmp_path):
    best = tmp_path / "best"
    command = [sys.executable, "-m", "sb_resizegan", "export", run, "--best", "pesq_wb", "-o", best]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f'load it: GenerativeEnhancement.from_hparams(source="{best}")' in done.stdout
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=best)), expected(1))
    newest = export_generator(run, tmp_path / "newest", newest=True)
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=newest)), expected(2))
    (run / "hyperparams.yaml").write_text(HPARAMS.replace("pesq_wb", "objective"))
    by_objective = export_generator(run, tmp_path / "lowest")
    torch.testing.assert_close(enhanced(GenerativeEnhancement.from_hparams(source=by_objective)), expected(0))
    with pytest.raises(
        ModelSourceError, match="expected a figure of which higher or lower values are better"
    ):
        export_generator(run, tmp_path / "none", best_by="epoch")
    with pytest.raises(ModelSourceError, match="expected a checkpoint with the figure 'stoi'"):
        export_generator(run, tmp_path / "none", best_by="stoi")


def test_a_training_without_figures_yet_exports_its_newest_checkpoint(run, tmp_path):
    (run / "hyperparams.yaml").write_text(HPARAMS.replace("pesq_wb", "estoi"))
    model = GenerativeEnhancement.from_hparams(source=export_generator(run, tmp_path / "newest"))
    torch.testing.assert_close(enhanced(model), expected(2))


@pytest.mark.parametrize("task", ["windows", "enhancement"])
def test_trainings_of_before_are_exported_as_what_they_are(task, tmp_path):
    """Their yaml, kept as it was, states no task, and names modules by the addresses of then."""
    settings = (ROOT / "tests" / "fixtures" / "trainings_without_task" / f"{task}.yaml").read_text()
    (tmp_path / "hyperparams.yaml").write_text(settings)
    made = load_hyperpyyaml(settings, {"output_folder": str(tmp_path)})["generator"]
    average = exponential_average(made)
    AtomicCheckpointer(tmp_path / "save", {"generator_average": average}).save_checkpoint({"pesq_wb": 2.0})
    interface = {"windows": SpeechWindowGenerator, "enhancement": GenerativeEnhancement}[task]
    model = interface.from_hparams(source=export_generator(tmp_path, tmp_path / "export"))
    for name, value in made.state_dict().items():
        assert torch.equal(model.mods.generator.state_dict()[name], value)


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


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("where", [".", "..", "save", "save/model", "link", "file", "other", "foreign"])
def test_an_export_never_takes_the_place_of_something_else(run, where):
    (run / "link").symlink_to(".")
    (run / "file").write_text("mine")
    (run / "other").mkdir()
    (run / "other" / "hyperparams.yaml").write_text("of some other program: 1\n")
    (run / "foreign").mkdir()
    (run / "foreign" / "hyperparams.yaml").write_text("modules: 1\n")
    (run / "foreign" / "generator.ckpt").write_text("weights of another project")
    before = contents(run.parent)
    with pytest.raises(ModelSourceError, match=r"part of the training|is no folder|is no exported model"):
        export_generator(run, run / where)
    assert contents(run.parent) == before


def test_exporting_a_run_to_itself_by_the_command_leaves_it(run):
    before = contents(run)
    done = subprocess.run(
        [sys.executable, "-m", "sb_resizegan", "export", run, "-o", run],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (
        done.returncode != 0
        and "is part of the training" in done.stderr
        and len(done.stderr.splitlines()) == 1
    )
    assert contents(run) == before


def test_a_card_of_ones_own_is_kept(run):
    folder = export_generator(run)
    assert "written by sb_resizegan" in (folder / "README.md").read_text()
    export_generator(run)
    (folder / "README.md").write_text("# My model\n")
    export_generator(run)
    assert (folder / "README.md").read_text() == "# My model\n"
    assert not list(run.glob(".export*"))


def test_the_card_says_what_the_run_knows_and_no_path(run):
    text = (export_generator(run) / "README.md").read_text()
    for words in (
        "| generator | SpectralGenerator |",
        "| pesq_wb | 2.5 |",
        "| seed | 3 |",
        "| channels | 8 |",
    ):
        assert words in text
    assert str(run.parent) not in text


def test_a_damaged_checkpoint_is_not_exported(run, caplog):
    newest = sorted(
        (run / "save").iterdir(),
        key=lambda path: yaml.safe_load((path / "CKPT.yaml").read_text())["unixtime"],
    )[-1]
    data = bytearray((newest / "generator_average.ckpt").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "generator_average.ckpt").write_bytes(data)
    model = GenerativeEnhancement.from_hparams(source=export_generator(run, newest=True))
    torch.testing.assert_close(enhanced(model), expected(1))
    assert "an older checkpoint is taken" in caplog.text
    with pytest.raises(ModelSourceError, match=r"is damaged: generator_average\.ckpt"):
        export_generator(run, checkpoint=newest)


def test_weights_that_are_not_finite_are_not_exported(run):
    average = exponential_average(small_generator(4))
    average.module.band_embedding.data[0] = float("nan")
    AtomicCheckpointer(run / "save", {"generator_average": average}).save_checkpoint()
    with pytest.raises(
        ModelSourceError, match=r"expected finite weights, but band_embedding holds NaN or Inf"
    ):
        export_generator(run, newest=True)
    assert not (run / "export").exists()


@pytest.mark.parametrize("rate", [16000, 8000])
def test_speechbrains_own_interfaces_load_an_export(run, tmp_path, rate):
    text = (run / "hyperparams.yaml").read_text()
    (run / "hyperparams.yaml").write_text(text.replace("sample_rate: 16000", f"sample_rate: {rate}"))
    folder = str(export_generator(run))
    ours = GenerativeEnhancement.from_hparams(source=folder)
    path = tmp_path / "noisy.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(rate), rate, "FLOAT")
    waveform = ours.enhance_file(path)
    assert waveform.shape == (rate,)
    stock = WaveformEnhancement.from_hparams(source=folder, savedir=tmp_path / "kept")
    torch.testing.assert_close(stock.enhance_file(str(path), str(tmp_path / "out.wav")).cpu(), waveform)
    assert soundfile.info(tmp_path / "out.wav").samplerate == rate
    custom = foreign_class(source=folder, savedir=tmp_path / "copied", local_strategy=LocalStrategy.COPY)
    torch.testing.assert_close(custom.enhance_file(path), waveform)
    torch.testing.assert_close(
        Pretrained.from_hparams(source=folder).mods.generator.state_dict(), ours.mods.generator.state_dict()
    )


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a: [1", b"- 1\n- 2", b"", b"task: [1]\na: 1", b"task: 7"])
def test_a_training_whose_yaml_is_no_yaml_is_named(run, text):
    (run / "hyperparams.yaml").write_bytes(text)
    with pytest.raises(ModelSourceError, match=r"hyperparams\.yaml: "):
        export_generator(run)


def test_a_training_whose_yaml_is_damaged_exports_the_model_or_says_why_not(run):
    """Bytes of it changed: an error by its name at the export or when that is loaded, or the same model."""
    text = (run / "hyperparams.yaml").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        broken = bytearray(text)
        for place in rng.integers(0, len(text), rng.integers(1, 4)):
            broken[place] = rng.integers(32, 127)
        (run / "hyperparams.yaml").write_bytes(broken)
        try:
            model = GenerativeEnhancement.from_hparams(source=export_generator(run))
        except ModelSourceError as error:
            assert str(run) in str(error)
            refused += 1
            continue
        torch.testing.assert_close(enhanced(model), expected(1))
    assert 10 < refused < 60
