"""The command `score`."""

import csv
import functools
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sb_resizegan.commands.main import main
from sb_resizegan.evaluation import folder_scores as folders_module

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def score(call):
    """Function that runs the command with some arguments."""
    return functools.partial(call, "score")


def score_apart(*arguments, launcher=()):
    """The same in processes of its own."""
    command = [sys.executable, *launcher, "-m", "sb_resizegan", "score", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


@pytest.fixture(scope="module")
def folders(speech_files, tmp_path_factory):
    """Clean and noisy files, with most of what can be wrong with them."""
    root = tmp_path_factory.mktemp("score")
    clean, noisy = root / "clean", root / "noisy"
    (clean / "sub").mkdir(parents=True)
    (noisy / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, name in enumerate(("one", "sub/two", "three")):
        speech = soundfile.read(speech_files[number])[0][: 16000 * (2 + number)]
        soundfile.write(clean / f"{name}.wav", speech, 16000)
        degraded = speech + 0.01 * (1 + number) * rng.standard_normal(len(speech))
        soundfile.write(noisy / f"{name}.flac", degraded[: len(degraded) - 100 * number], 16000)
    soundfile.write(clean / "lonely.wav", np.zeros(16000), 16000)
    soundfile.write(noisy / "stranger.wav", np.zeros(16000), 16000)
    soundfile.write(clean / "rate.wav", speech[::2], 8000)
    soundfile.write(noisy / "rate.wav", speech, 16000)
    soundfile.write(clean / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(noisy / "silent.wav", speech[:16000], 16000)
    soundfile.write(clean / "broken.wav", speech, 16000)
    (noisy / "broken.wav").write_bytes(b"RIFF and nothing else")
    (noisy / "notes.txt").write_text("not audio")
    return clean, noisy


def test_scores_are_tabled_and_every_problem_is_named(folders, tmp_path, score):
    done = score(*folders, "--official", "--csv", tmp_path / "scores.csv", "--jobs", 0)
    assert done.returncode == 1, done.stderr
    for label in ("sb_resizegan", "pesq 0.0.4", "STOI (pystoi)", "ESTOI", "SI-SDR"):
        assert label in done.stdout
    for words in (
        "lonely.wav: no partner among the degraded",
        "stranger.wav: no partner among the references",
        "rate: expected 16000 Hz, but got 8000 (reference) and 16000 Hz (degraded)",
        "broken.wav: corrupt",
        "silent: PESQ refused: silent reference",
        "sub/two: lengths differ: 48000 (reference) and 47900 samples (degraded)",
    ):
        assert words in done.stderr
    assert "notes.txt" not in done.stderr
    with open(tmp_path / "scores.csv", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"one", "sub/two", "three", "silent"}
    for name in ("one", "sub/two", "three"):
        row = rows[name]
        assert abs(float(row["pesq_wb"]) - float(row["pesq_wb_official"])) < 0.005
        assert 1 < float(row["pesq_wb"]) < 4.65 and 0.3 < float(row["estoi"]) <= float(row["stoi"]) <= 1
    assert rows["silent"]["pesq_wb"] == "" and "silent reference" in rows["silent"]["notes"]
    assert float(rows["one"]["si_sdr_db"]) > float(rows["three"]["si_sdr_db"])


def test_processes_of_torchrun_score_as_one_does(folders, tmp_path):
    """Pairs in parts of four, taken as the two go."""
    alone = score_apart(*folders, "--csv", tmp_path / "alone.csv", "--batch_size", 1, "--jobs", 1)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    both = score_apart(*folders, "--csv", tmp_path / "both.csv", "--batch_size", 1, launcher=launcher)
    assert alone.returncode == both.returncode == 1, both.stderr
    assert both.stdout == alone.stdout and len(alone.stdout) > 100
    assert (tmp_path / "both.csv").read_text() == (tmp_path / "alone.csv").read_text()
    assert "rate: expected 16000 Hz" in both.stderr and both.stderr.count("lonely.wav: no partner") == 1


def test_a_complete_pair_of_folders_is_a_success(folders, tmp_path, score):
    for side, folder in zip(("clean", "noisy"), folders, strict=True):
        (tmp_path / side).mkdir()
        source = next(folder.glob("one.*"))
        (tmp_path / side / source.name).write_bytes(source.read_bytes())
    done = score(tmp_path / "clean", tmp_path / "noisy", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "pesq 0.0.4" not in done.stdout and "To be noted" not in done.stderr


def test_deletion_is_scored_beside_the_noisy_speech(folders, tmp_path, score):
    clean, noisy = folders
    for side, folder in (("clean", clean), ("noisy", noisy), ("enhanced", clean)):
        (tmp_path / side).mkdir()
        source = next(folder.glob("one.*"))
        (tmp_path / side / source.name).write_bytes(source.read_bytes())
    sides = [tmp_path / "clean", tmp_path / "enhanced"]
    done = score(*sides, "--noisy", tmp_path / "noisy", "--scores", "deletion", "--jobs", 0)
    assert done.returncode == 0, done.stderr
    assert "speech deleted, 4–8 kHz, %" in done.stdout
    done = score(*sides, "--scores", "deletion")
    assert done.returncode == 2 and "deletion: expected the noisy speech" in done.stderr
    done = score(*sides, "--noisy", tmp_path, "--scores", "deletion")
    assert done.returncode == 2 and "expected the noisy version of 'one'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "."], "nowhere: no such folder"),
        ([".", ".", "--device", "tpu"], "--device: tpu"),
        ([".", ".", "--scores", "pesqq"], "--scores: expected some of si_sdr"),
    ],
)
def test_wrong_calls_say_what_is_wrong(arguments, words, score):
    done = score(*arguments)
    assert done.returncode == 2 and words in done.stderr


def test_a_csv_that_cannot_be_written_is_named_and_the_old_one_stays(folders, tmp_path, monkeypatch, capsys):
    clean, noisy, table = tmp_path / "clean", tmp_path / "noisy", tmp_path / "scores.csv"
    for side, folder in ((clean, folders[0]), (noisy, folders[1])):
        side.mkdir()
        # As long a name as there is, of bytes that are no UTF-8, and what csv files need care for.
        source = next(folder.glob("one.*"))
        stem = b"\xff $1#=\"'\n,".ljust(250, b"n")
        (side / (os.fsdecode(stem) + source.suffix)).write_bytes(source.read_bytes())
    table.write_text("what was there")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    score_pairs = folders_module.score_pairs

    def score_and_fill_the_disk(*arguments):
        score_pairs(*arguments)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))

    with monkeypatch.context() as patch:
        patch.setattr(folders_module, "score_pairs", score_and_fill_the_disk)
        try:
            status = main(["score", str(clean), str(noisy), "--jobs", "0", "--csv", str(table)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1 and "scores.csv: File too large" in capsys.readouterr().err
    assert table.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", "noisy", "scores.csv"]
    assert main(["score", str(clean), str(noisy), "--jobs", "0", "--csv", str(table)]) == 0
    with open(table, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        (row,) = csv.DictReader(stream)
    assert os.fsencode(row["file"]) == stem


def test_empty_folders_are_no_success(tmp_path, score):
    done = score(tmp_path, tmp_path)
    assert done.returncode == 1 and "no pair of files" in done.stderr
