"""The enhancement training by its real command line: what it leaves, what it survives, what it refuses."""

import csv
import functools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.commands import train_enhance
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.inference import GenerativeEnhancement
from sb_resizegan.utils.hparams import load_hparams

ROOT = Path(__file__).parents[2]
SMALL = {
    "channels": 8,
    "time_units": 8,
    "band_units": 8,
    "blocks": 1,
    "critic_channels": "[4,8,8,8]",
    "batch_size": 4,
    "number_of_epochs": 2,
    "iterations_per_epoch": 2,
    "segment_seconds": 1.0,
    "valid_utterances": 3,
    "device": "cpu",
}


def run(yaml, folder, launcher=(sys.executable,), **options):
    arguments = command(yaml, folder, **options)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launcher, *arguments], capture_output=True, text=True, env=environment)


def command(yaml, folder, **options):
    # What has no effect is not accepted.
    idle = ["critic_channels"] if yaml.startswith(("enhance_regression", "enhance_base")) else []
    idle += ["valid_utterances"] if options.get("data_folder") else []
    chosen = {**SMALL, **dict.fromkeys(idle), "output_folder": folder, **options}
    words = [f"--{key}={value}" for key, value in chosen.items() if value is not None]
    return [str(ROOT / "recipes" / "train_enhance.py"), str(ROOT / "hparams" / yaml), *words]


def weights(folder):
    return load_file(folder / "export" / "generator.safetensors")


def figures(folder):
    with (folder / "measures.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def train(monkeypatch):
    """Function that trains in this process: a new one imports for seconds, and scores in the end for more."""
    monkeypatch.setattr(
        train_enhance, "ScoringOptions", functools.partial(ScoringOptions, ("si_sdr",), jobs=0)
    )
    return lambda yaml, folder, **options: train_enhance.main(command(yaml, folder, **options)[1:])


@pytest.fixture(scope="module")
def paired_folder(speech_files, tmp_path_factory):
    """Six pairs as clean/ and noisy/."""
    folder = tmp_path_factory.mktemp("pairs")
    random_state = np.random.default_rng(0)
    for side in ("clean", "noisy"):
        (folder / side).mkdir()
    for path in speech_files[20:26]:
        clean = soundfile.read(path, dtype="float32")[0][:48000]
        noisy = clean + 0.02 * random_state.standard_normal(len(clean)).astype(np.float32)
        soundfile.write(folder / "clean" / path.name, clean, 16000)
        soundfile.write(folder / "noisy" / path.name, noisy, 16000)
    return folder


@pytest.fixture(scope="module")
def finished(small_corpus, tmp_path_factory):
    """A whole adversarial run on mixtures: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    process = run("enhance.yaml", folder, clean=small_corpus)
    assert process.returncode == 0, process.stderr
    return folder, process


def test_a_run_leaves_all_that_it_promises(finished):
    folder, process = finished
    rows = figures(folder)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(1 <= float(row["pesq_wb"]) <= 4.65 for row in rows)
    log = (folder / "train_log.txt").read_text().splitlines()
    assert [line.split(" - ")[0].split(",")[0] for line in log] == ["epoch: 1", "epoch: 2", "epoch: 2"]
    assert "test pesq_wb: " in log[2] and "train" not in log[2]
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert {"wasserstein/train", "penalty/train", "pesq_distance/train", "pesq_distance/valid"} <= set(
        events.Tags()["scalars"]
    )
    assert events.Tags()["images"] == ["spectrograms"]
    noisy = [(event.step, event.value) for event in events.Scalars("pesq_wb/noisy")]
    assert noisy == [(int(row["epoch"]), pytest.approx(float(row["pesq_wb_noisy"]))) for row in rows]
    with (folder / "test" / "scores.csv").open() as stream:
        tested = list(csv.DictReader(stream))
    for tag, system in (("pesq_wb", "this model"), ("pesq_wb_noisy", "noisy")):
        ((step, value),) = [(event.step, event.value) for event in events.Scalars(f"{tag}/test")]
        scores = [float(row["pesq_wb"]) for row in tested if row["system"] == system]
        assert step == 2 and value == pytest.approx(sum(scores) / len(scores), abs=1e-3)
    assert len(list(folder.glob("samples/*/epoch_0002.wav"))) == 3
    for path in (word for word in process.stdout[process.stdout.index("Trained ") :].split() if "/" in word):
        assert Path(path.strip('",)').removeprefix('GenerativeEnhancement.from_hparams(source="')).exists(), (
            path
        )


def test_the_exported_model_is_the_best_average(finished):
    folder, _ = finished
    model = GenerativeEnhancement.from_hparams(source=str(folder / "export"))
    noisy = torch.randn(2, 5000)
    assert model.enhance_batch(noisy).shape == (2, 5000)
    best = max(figures(folder), key=lambda row: float(row["pesq_wb"]))["epoch"]
    saved = {
        path: yaml_value(path / "CKPT.yaml", "epoch")
        for path in (folder / "save").glob("CKPT*")
        if path.is_dir()
    }
    (checkpoint,) = [path for path, epoch in saved.items() if float(epoch) == float(best)]
    average = torch.load(checkpoint / "generator_average.ckpt", weights_only=True)
    for name, value in weights(folder).items():
        assert torch.equal(value, average[f"module.{name}"]), name


def yaml_value(path, key):
    (line,) = [line for line in path.read_text().splitlines() if line.startswith(f"{key}:")]
    return line.split(":")[1]


def test_killed_it_goes_on_to_the_same_weights(finished, small_corpus, tmp_path):
    folder = tmp_path / "killed"
    options = {"clean": small_corpus, "ckpt_interval_minutes": 0, "ckpt_interval_steps": 1}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, *command("enhance.yaml", folder, **options)]
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(folder.glob("save/CKPT*")):
        time.sleep(0.02)
    time.sleep(random.Random(3).uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    final = run("enhance.yaml", folder, **options)
    assert final.returncode == 0, final.stderr
    for name, value in weights(finished[0]).items():
        assert torch.equal(value, weights(folder)[name]), name


def test_more_epochs_go_on_after_the_end(small_corpus, tmp_path, train):
    folder = tmp_path / "run"
    for epochs in (1, 2):
        train("enhance_regression.yaml", folder, clean=small_corpus, number_of_epochs=epochs)
        assert len(figures(folder)) == epochs
    assert "wasserstein" not in (folder / "train_log.txt").read_text()


@pytest.mark.parametrize("yaml", ["enhance_wave.yaml", "enhance_causal.yaml", "enhance_base_causal.yaml"])
def test_variants_train_on_paired_folders(yaml, paired_folder, tmp_path, train):
    folder = tmp_path / "run"
    options = {"data_folder": paired_folder, "number_of_epochs": 1}
    if yaml == "enhance_wave.yaml":
        options.update(channels="[4,4,4,8,8,8]", time_units=None, band_units=None, blocks=None)
    train(yaml, folder, **options)
    assert len(figures(folder)) == 1
    model = GenerativeEnhancement.from_hparams(source=str(folder / "export"))
    assert model.mods.generator.causal == ("causal" in yaml)


def test_it_starts_from_an_exported_model(finished, small_corpus, tmp_path, train):
    start, folder = finished[0] / "export", tmp_path / "run"
    options = {"clean": small_corpus, "start_from": start, "number_of_epochs": 1, "learning_rate": 0.0}
    train("enhance_regression.yaml", folder, **options, final_learning_rate=0.0)
    for name, value in weights(finished[0]).items():
        torch.testing.assert_close(weights(folder)[name], value)


def test_two_processes_train_together(small_corpus, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    process = run("enhance.yaml", tmp_path / "two", launcher, clean=small_corpus, number_of_epochs=1)
    assert process.returncode == 0, process.stderr
    assert len(figures(tmp_path / "two")) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_folder": "/tmp", "clean": "/tmp"}, "data_folder: expected either a paired corpus or"),
        ({"noise": "/tmp"}, "clean: expected speech to mix with"),
        ({"clean": "/nowhere"}, "clean: expected something that is there, but there is no '/nowhere'"),
        (
            {"clean": "[/tmp, /nowhere]"},
            "clean: expected something that is there, but there is no '/nowhere'",
        ),
        ({"data_folder": "/nowhere"}, "data_folder: expected something that is there"),
        ({"general_share": 0.5}, "general_share: expected no value, for it has no effect"),
        ({"upsampling": "cubic"}, "--upsampling: expected one of transpose, nearest"),
        ({"critic_steps": -1}, "--critic_steps: expected an integer from 0"),
        ({"sample_rate": 8000}, "sample_rate: expected 16000 Hz"),
        ({"segment_seconds": 0.1}, "--segment_seconds: expected a number from 0.5"),
        ({"snr_db": "[20, -5]"}, r"--snr_db: expected \[lowest, highest\]"),
        ({"pesq_wieght": 1}, "did you mean 'pesq_weight'"),
        ({"start_from": "/nowhere"}, "/nowhere"),
        ({"precision": "fp16"}, "expected a GPU"),
        ({"num_workers": 900}, "num_workers: expected at most"),
        ({"checkpoint_key": "stoi"}, "checkpoint_key: expected .*pesq_wb.*, but got 'stoi'"),
        ({"test_data": "/nowhere"}, "test_data: expected something that is there"),
        ({"compare_with": "/nowhere"}, "/nowhere"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(options, message, tmp_path, small_corpus):
    if not {"clean", "data_folder", "noise"} & options.keys():
        options = {**options, "clean": small_corpus}
    with pytest.raises(SystemExit, match=message) as end:
        train_enhance.main(command("enhance.yaml", tmp_path / "run", **options)[1:])
    assert str(end.value).startswith("error: ") and "\n" not in str(end.value)
    assert not list(tmp_path.glob("run/save/CKPT*"))


def test_the_lowest_objective_is_kept_and_exported(small_corpus, tmp_path, monkeypatch):
    measured = {1: 2.0, 2: 1.0, 3: 3.0}
    monkeypatch.setattr(train_enhance, "measure_epoch", lambda epoch, *_: {"objective": measured[epoch]})
    for step in ("evaluate", "log_test", "write_evaluation", "write_enhancement_report", "summarise"):
        monkeypatch.setattr(train_enhance, step, lambda *_, **__: None)
    options = {"clean": small_corpus, "checkpoint_key": "objective", "number_of_epochs": 3}
    train_enhance.main(command("enhance_regression.yaml", tmp_path, **options)[1:])
    saved = {yaml_value(path, "epoch").strip(): path.parent for path in tmp_path.glob("save/CKPT*/CKPT.yaml")}
    assert sorted(saved) == ["2.0", "3.0"]  # the best, and the newest
    average = torch.load(saved["2.0"] / "generator_average.ckpt", weights_only=True)
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, average[f"module.{name}"]), name


def test_sizes_are_what_the_yamls_say(tmp_path):
    def parameters(name):
        hparams, _ = load_hparams(ROOT / "hparams" / name, {"output_folder": str(tmp_path)})
        return sum(parameter.numel() for parameter in hparams["generator"].parameters())

    for name in ("enhance_small.yaml", "enhance_base_small.yaml"):
        assert parameters(name) <= 60_000, name
    for name in (
        "enhance.yaml",
        "enhance_base.yaml",
        "enhance_causal.yaml",
        "enhance_base_causal.yaml",
        "enhance_wave.yaml",
    ):
        assert parameters(name) <= 300_000, name
