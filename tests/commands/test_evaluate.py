"""The command `evaluate`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.commands import evaluate
from sb_resizegan.report.score_table import markdown, read_scores
from tests.inference.small import EXPORTED, small_generator

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "evaluate.py"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "untrained"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(EXPORTED)
    torch.save(small_generator().state_dict(), folder / "generator.ckpt")
    return folder


@pytest.fixture(scope="module")
def corpus(speech_files, tmp_path_factory):
    """Folders of two pairs, and a noisy file without a partner."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for side in ("clean", "noisy"):
        (folder / side).mkdir()
        for number in range(2):
            speech = soundfile.read(speech_files[number])[0][16000:48000]
            noise = 0.02 * rng.standard_normal(len(speech)) * (side == "noisy")
            soundfile.write(folder / side / f"{number}.wav", speech + noise, 16000)
    return folder


@pytest.fixture(scope="module")
def main():
    """The command in this process, for what needs no process of its own."""
    return lambda *arguments: evaluate.main([*map(str, arguments), "--device", "cpu"])


def test_models_are_scored_side_by_side(model, corpus, tmp_path):
    command = [
        sys.executable,
        RECIPE,
        model,
        "--data",
        corpus,
        "-o",
        tmp_path,
        "--device",
        "cpu",
        "--no_dnsmos",
        "--jobs",
        "0",
    ]
    done = subprocess.run(
        [*map(str, command), "--compare", f"other={model}", "--num_samples", "2", "--save_audio"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    table = read_scores(tmp_path / "scores.csv")
    assert list(table.systems) == ["noisy", "other", "this model"]
    for score, other in zip(table.systems["this model"], table.systems["other"], strict=True):
        # The rows of one batch differ by rounding: the last bit of a float32, the last digit of the file.
        assert score.pop("notes") == other.pop("notes") == []
        assert score == pytest.approx(other, abs=2e-6)
    assert table.systems["noisy"][0]["pesq_wb"] != table.systems["other"][0]["pesq_wb"]
    assert markdown(table).splitlines()[0] in done.stdout and "Over 2 latents" in done.stdout
    assert (tmp_path / "report.html").stat().st_size > 1e5
    assert soundfile.info(tmp_path / "enhanced" / "this model" / "1.wav").frames == 32000


def test_a_pair_that_is_left_out_is_named(model, corpus, main, tmp_path):
    folder = tmp_path / "pairs"
    for path in corpus.glob("*/*.wav"):
        target = folder / path.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes() if path.stem == "0" else b"RIFF and nothing else")
    quick = ("--no_official", "--no_dnsmos", "--num_samples", 0, "--shown", 0)
    assert main(model, "--data", folder, "-o", tmp_path / "out", *quick) == 1
    assert "corrupt" in (tmp_path / "out" / "scores.md").read_text()
    assert len(read_scores(tmp_path / "out" / "scores.csv").names) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "--data", "."], "nowhere"),
        (["MODEL", "--data", "no_such_corpus"], "no_such_corpus"),
        (["MODEL", "--data", "EMPTY"], "expected"),
        (["MODEL", "--data", ".", "--compare", "noisy=x"], "--compare: expected NAME=MODEL"),
        (["MODEL", "--data", ".", "--num_samples", 1], "--num_samples: expected 0 or at least 2"),
        (["MODEL", "--data", ".", "--layout", "librispeech"], "--layout"),
        (["MODEL", "--data", ".", "--scores", "pesqq"], "--scores: expected some of si_sdr"),
        (["MODEL", "--data", "CORPUS", "--compare_folder", "a=EMPTY"], "each of"),
        (["MODEL", "--data", "CORPUS", "--compare_folder", "noisy=EMPTY"], "expected NAME=FOLDER"),
        (["MODEL", "--data", "CORPUS", "--transcripts", "SAID"], "there is no file for 'nobody'"),
    ],
)
def test_wrong_calls_say_what_is_wrong(main, model, corpus, tmp_path, capsys, arguments, words):
    (tmp_path / "empty").mkdir()
    said = tmp_path / "said.csv"
    said.write_text("id,transcript\nnobody,Hello.\n")
    places = {"MODEL": model, "EMPTY": tmp_path / "empty", "CORPUS": corpus, "SAID": said}
    for name, place in places.items():
        arguments = [str(argument).replace(name, str(place)) for argument in arguments]
    try:
        status = main(*arguments, "-o", tmp_path / "out")
    except SystemExit as error:
        status = error.code
    assert status == 2 and words in capsys.readouterr().err
