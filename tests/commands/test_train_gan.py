"""The training recipe by its real command line: what it leaves, what it survives, what it refuses."""

import csv
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
import torch
from matplotlib import image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.commands import train_gan
from sb_resizegan.inference import SpeechWindowGenerator

ROOT = Path(__file__).parents[2]
SMALL = [
    "--generator_channels=[16,8,8,4]",
    "--critic_channels=[4,8,8,16]",
    "--batch_size=8",
    "--number_of_epochs=2",
    "--iterations_per_epoch=3",
    "--critic_steps=2",
    "--measured_windows=80",
    "--num_workers=0",
    "--device=cpu",
]


def command(yaml, folder, corpus, *options):
    recipe = [str(ROOT / "recipes" / "train_gan.py"), str(ROOT / "hparams" / yaml)]
    # The parser takes no option twice.
    chosen = {option.split("=")[0]: option for option in [f"--data_folder={corpus}", *SMALL, *options]}
    return [*recipe, f"--output_folder={folder}", *chosen.values()]


def run(arguments, launcher=(sys.executable,), **kwargs):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*launcher, *arguments], capture_output=True, text=True, env=environment, **kwargs)


def weights(folder):
    return load_file(folder / "export" / "generator.safetensors")


def assert_same_weights(first, second, **tolerance):
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, **(tolerance or {"atol": 0}))


@pytest.fixture(scope="module")
def finished(small_corpus, tmp_path_factory):
    """A whole run: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    process = run(command("resize.yaml", folder, small_corpus))
    assert process.returncode == 0, process.stderr
    return folder, process


def test_a_run_leaves_all_that_it_promises(finished):
    folder, process = finished
    assert (folder / "train_log.txt").read_text().count("epoch: ") == 2
    with (folder / "measures.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    # A generator that has learnt nothing has no voiced window, and so no distribution of F0.
    assert all(float(row[name]) == float(row[name]) for row in rows for name in row if name != "f0_w1")
    assert {"c2st_auc", "c2st_auc_floor", "voicing_w1", "coverage", "below_60hz_real_db"} <= set(rows[0])
    for name in ("real", "epoch_0001", "epoch_0002"):
        sound = soundfile.info(folder / "samples" / f"{name}.wav")
        assert (sound.samplerate, sound.frames) == (16000, 64 * 2048)
    for epoch in (1, 2):
        picture = image.imread(folder / "spectrograms" / f"epoch_000{epoch}.png")
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 0.05
    assert (folder / "report.html").read_text().count("<audio") >= 2
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert {"wasserstein/train", "penalty/train", "frechet_log_mel/valid"} <= set(events.Tags()["scalars"])
    assert sorted(events.Tags()["audio"]) == ["generated", "real"]
    assert events.Tags()["images"] == ["spectrograms"]
    assert re.search(r"epoch 1: .*3/3 .*wasserstein=.*penalty=", process.stderr)


def test_its_last_words_are_true(finished):
    folder, process = finished
    words = process.stdout[process.stdout.index("Trained ") :]
    paths = re.findall(rf"{folder}[\w./]+", words)
    assert len(paths) >= 6
    assert [path for path in paths if not Path(path).exists()] == []
    code = re.search(r"load it +(.*)", words).group(1)
    windows = eval(code, {"SpeechWindowGenerator": SpeechWindowGenerator})
    assert windows.shape == (64, 2048)
    assert words.startswith("Trained 2 epochs of 3 generator steps")


def test_killed_again_and_again_it_ends_with_the_same_weights(finished, small_corpus, tmp_path):
    folder, reference = tmp_path / "killed", weights(finished[0])
    arguments = command(
        "resize.yaml", folder, small_corpus, "--ckpt_interval_minutes=0", "--ckpt_interval_steps=1"
    )
    clock, kills = random.Random(5), 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    while kills < 3:
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL)
        # Wait until this process has trained, then kill it somewhere in what follows.
        before = {path.name for path in folder.glob("save/*")}
        while process.poll() is None and not {p.name for p in folder.glob("save/CKPT*")} - before:
            time.sleep(0.02)
        time.sleep(clock.uniform(0, 0.5))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills >= 1
    final = run(arguments)
    assert final.returncode == 0, final.stderr
    assert_same_weights(reference, weights(folder))
    assert (folder / "train_log.txt").read_text().count("epoch: ") == 2
    assert not list(folder.glob("save/.*partial"))


def test_a_finished_run_started_again_trains_no_more_and_exports_again(
    finished, small_corpus, tmp_path, capsys
):
    folder = tmp_path / "again"
    shutil.copytree(finished[0], folder)
    shutil.rmtree(folder / "export")
    train_gan.main(command("resize.yaml", folder, small_corpus)[1:])
    assert "epoch 1" not in capsys.readouterr().err
    assert_same_weights(weights(finished[0]), weights(folder))


def test_two_processes_train_transposed_on_the_full_band_in_bfloat16(small_corpus, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    arguments = command(
        "transpose.yaml",
        tmp_path / "run",
        small_corpus,
        "--precision=bf16",
        "--downsampling=blur",
        "--lowpass_hz=null",
        "--cutoff_hz=null",
    )
    process = run(arguments, launcher)
    assert process.returncode == 0, process.stderr
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())
    assert "upsampling: transpose" in (tmp_path / "run" / "hyperparams.yaml").read_text()
    assert process.stdout.count("Trained 2 epochs") == 1


def test_a_second_process_in_the_same_folder_is_turned_away(small_corpus, tmp_path):
    arguments = command("resize.yaml", tmp_path / "run", small_corpus, "--number_of_epochs=1000")
    first = subprocess.Popen(
        [sys.executable, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )
    try:
        while first.poll() is None and not (tmp_path / "run" / "log.txt").exists():
            time.sleep(0.1)
        second = run(arguments)
    finally:
        first.kill()
        first.wait()
    assert second.returncode != 0
    assert f"process {first.pid} is already at work in {tmp_path / 'run'}" in second.stderr


def test_debug_leaves_the_output_folder_alone(small_corpus, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    process = run(command("resize.yaml", tmp_path / "run", small_corpus, "--debug"), launcher)
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upsampling=cubic"], "--upsampling: expected one of .*nearest.*, but got 'cubic'"),
        (["--downsampling=pool"], "--downsampling: expected one of strided, blur, but got 'pool'"),
        (["--kernel_size=0"], "--kernel_size: expected an integer from 1 to 65536, but got 0"),
        (["--factors=[4,4,4,0]"], "--factors: expected a list of 1 to 16, each an integer from 1"),
        (["--window_samples=128"], "resize.yaml: .*window_samples: expected at least the total factor 256"),
        (
            ["--lowpass_hz=9000"],
            "lowpass_hz: expected null or a frequency in Hz between 0 and 8000, but got 9000",
        ),
        (["--cutoff_hz=-1"], "cutoff_hz: expected null or a frequency"),
        (["--upsamplings=nearest"], "--upsamplings: .*did you mean 'upsampling'"),
        (
            ["--critic_steps=0", "--energy_weight=0"],
            "critic_steps: expected an integer of at least 1, but got 0",
        ),
        (["--adversarial_loss=x"], "adversarial_loss: expected one of wasserstein, relativistic"),
        (["--critic_inputs=x"], "inputs: expected one of waveform, spectral, both"),
        (["--batch_size=many"], "--batch_size: expected an integer from 1 to 65536, but got 'many'"),
        (["--measured_windows=3"], "measured_windows: expected at least sample_windows"),
        (["--device=cuda:7"], "--device cuda:7: not available here"),
        (
            ["--data_folder=/no/such/folder"],
            "data_folder: expected a folder or a list of speech, .*, but got '/no/such/folder'",
        ),
        (["--precision=fp16"], "--precision fp16: expected a GPU"),
        (["--valid_fraction=2"], "valid_fraction: expected a number above 0 and below 1, but got 2"),
        (["--num_workers=900"], "num_workers: expected at most .* but got 900: each is a process"),
        (["--checkpoint_key=pesq_wb"], "checkpoint_key: expected .*frechet_log_mel.*, but got 'pesq_wb'"),
        (["--seed=-5"], "--seed: expected an integer from 0 to 4294967295, but got -5"),
        (["--test_only"], "--test_only: there is no test stage"),
    ],
)
def test_settings_that_cannot_be_run_end_it_with_one_line(small_corpus, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message) as end:
        train_gan.main(command("resize.yaml", tmp_path / "run", small_corpus, *options)[1:])
    assert str(end.value).startswith("error: ")
    assert not list(tmp_path.glob("run/save/CKPT*"))


def test_a_folder_without_speech_ends_it_with_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=f"error: .*{tmp_path / 'empty'}"):
        train_gan.main(command("resize.yaml", tmp_path / "run", tmp_path / "empty")[1:])


def test_a_checkpoint_of_another_architecture_ends_it_with_one_line(finished, small_corpus, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    with pytest.raises(
        SystemExit, match=r"error: the checkpoint .*CKPT.* does not fit this run.*size mismatch"
    ):
        train_gan.main(command("resize.yaml", tmp_path / "run", small_corpus, "--kernel_size=22")[1:])


@pytest.mark.parametrize("room", [100, 30_000, 60_000])
def test_a_full_disk_is_said_in_one_line(room, small_corpus, tmp_path):
    """The system refuses files above a size: of the settings, of the log, of a checkpoint."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    done = run(
        command("resize.yaml", tmp_path / "out", small_corpus),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1])),
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert str(tmp_path / "out") in line and line.endswith("File too large")


def test_an_output_folder_that_is_a_file_is_said_in_one_line(small_corpus, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(SystemExit, match=f"^error: .*{tmp_path / 'out'}"):
        train_gan.main(command("resize.yaml", tmp_path / "out", small_corpus)[1:])
