"""The vocoder's recipe and what is made with its export: what they leave, survive and refuse."""

import csv
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from matplotlib import image
from safetensors.torch import load_file

from sb_resizegan.commands import train_vocoder, vocode
from sb_resizegan.dataio.mel_files import read_mel, write_mel
from sb_resizegan.evaluation.anchors import griffin_lim, true_phase, world
from sb_resizegan.evaluation.copying import copier, evaluate_copies, score_copies
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.nnet.mel_analysis import MelAnalysis
from sb_resizegan.training.settings_file import load_training

ROOT = Path(__file__).parents[2]
SMALL = {
    "generator_channels": "[8, 8, 8]",
    "dilations": "[1]",
    "window_frames": "[1, 2]",
    "window_width": 2,
    "spectral_channels": "[4, 4, 4]",
    "spectral_scales": "[256]",
    "segment_frames": 16,
    "batch_size": 2,
    "number_of_epochs": 2,
    "iterations_per_epoch": 2,
    "valid_utterances": 2,
    "device": "cpu",
}


def command(folder, corpus, yaml="vocoder.yaml", **options):
    options = {**SMALL, "data_folder": corpus, "cache_folder": Path(corpus) / ".cache", **options}
    words = [f"--{key}={value}" for key, value in options.items()]
    return [str(ROOT / "hparams" / yaml), f"--output_folder={folder}", *words, "--noprogressbar"]


def weights(folder):
    return load_file(folder / "export" / "generator.safetensors")


@pytest.fixture(scope="module")
def finished(small_corpus, tmp_path_factory):
    """The folder of a whole run."""
    folder = tmp_path_factory.mktemp("vocoder") / "whole"
    train_vocoder.main(command(folder, small_corpus))
    return folder


def test_a_run_leaves_all_that_it_promises(finished):
    with (finished / "measures.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"pesq_wb", "estoi", "mcd_db", "voicing_f1", "prominence_worst_real_db"} <= set(rows[0])
    log = (finished / "train_log.txt").read_text()
    assert log.count("epoch: ") == 2 and "features" in log and "energy" in log
    sounds = sorted(path.name for path in (finished / "samples").glob("1_*/*.wav"))
    assert sounds == ["clean.wav", "epoch_0001.wav", "epoch_0002.wav"]
    assert image.imread(finished / "spectrograms" / "epoch_0002.png").std() > 0.05
    page = (finished / "report.html").read_text()
    assert page.count("<audio") == 2 * 5 and "Griffin-Lim" in page and "Not found" not in page
    with (finished / "test" / "scores.csv").open() as stream:
        systems = [row["system"] for row in csv.DictReader(stream)]
    assert set(systems) == {"this model", "Griffin-Lim", "true phase", "WORLD"} and len(systems) == 8
    assert re.search(r"this model [01]\.\d{3} ±", (finished / "test" / "scores.md").read_text())


def test_an_interrupted_run_ends_with_the_same_weights(finished, small_corpus, tmp_path, monkeypatch):
    def stopped(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt
        return {"pesq_wb": 1.0}

    arguments = command(tmp_path, small_corpus, checkpoint_key="null", with_anchors=False)
    with monkeypatch.context() as patch:
        patch.setattr(train_vocoder, "measure_epoch", stopped)
        with pytest.raises(SystemExit, match="interrupted; the same command goes on"):
            train_vocoder.main(arguments)
    train_vocoder.main(arguments)
    newest = max((finished / "save").glob("CKPT*"))
    average = torch.load(newest / "generator_average.ckpt", weights_only=True)
    for name, value in weights(tmp_path).items():
        assert torch.equal(value, average[f"module.{name}"]), name


def test_two_processes_train_together(small_corpus, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    recipe = str(ROOT / "recipes" / "train_vocoder.py")
    words = command(tmp_path, small_corpus, batch_size=1, number_of_epochs=1, with_anchors=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run([*launcher, recipe, *words], capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("Trained 1 epochs") == 1
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


def test_a_training_starts_from_an_export(finished, small_corpus, tmp_path):
    options = {"start_from": finished / "export", "number_of_epochs": 1, "learning_rate": 0}
    options |= {"final_learning_rate": 0, "with_anchors": False}
    train_vocoder.main(command(tmp_path, small_corpus, **options))
    for name, value in weights(finished).items():
        torch.testing.assert_close(weights(tmp_path)[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 22050}, "sample_rate: expected 16000 Hz"),
        ({"data_folder": "/nowhere"}, "data_folder: expected something that is there"),
        ({"segment_frames": 1}, "--segment_frames: expected an integer from 2"),
        ({"segment_frames": 6}, "segment_frames: expected at least 16 .* 4096 samples, but got 6"),
        ({"factors": "[2, 3]"}, "factors: at a hop of 256 expected a product"),
        ({"mel_wieght": 1}, "did you mean 'mel_weight'"),
        ({"start_from": "/nowhere"}, "/nowhere"),
        ({"checkpoint_key": "stoi"}, "checkpoint_key: expected .*pesq_wb.*, but got 'stoi'"),
        ({"balance_minutes": 1, "data_folder": "LIST"}, "columns 'path' and 'speaker'"),
        (
            dict.fromkeys(
                ("mel_weight", "stft_weight", "energy_weight", "pesq_weight", "adversarial_weight"), 0
            ),
            "nothing would be learned",
        ),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(options, message, tmp_path, small_corpus):
    if options.get("data_folder") == "LIST":
        listed = tmp_path / "list.csv"
        names = [str(path) for path in small_corpus.glob("*.wav")]
        listed.write_text("path\n" + "\n".join(names) + "\n")
        options = {**options, "data_folder": listed}
    with pytest.raises(SystemExit, match=message) as end:
        train_vocoder.main(command(tmp_path / "run", small_corpus, **options))
    assert str(end.value).startswith("error: ") and "\n" not in str(end.value)
    assert not list(tmp_path.glob("run/save/CKPT*"))


def test_sizes_are_what_the_yamls_say(tmp_path):
    yamls = sorted((ROOT / "hparams").glob("vocoder*.yaml"))
    assert len(yamls) >= 5
    for yaml in yamls:
        hparams, _ = load_training(yaml, "vocoder", {"output_folder": str(tmp_path)})
        assert sum(p.numel() for p in hparams["generator"].parameters()) <= 700_000, yaml


def test_recordings_and_mel_spectra_become_speech(finished, speech_files, tmp_path):
    model = ["--model", str(finished / "export")]
    recording = speech_files[0]
    assert vocode.main([str(recording), "-o", str(tmp_path), "--save_mel", *model]) == 0
    copy, rate = soundfile.read(tmp_path / f"{recording.stem}.wav")
    assert rate == 16000 and len(copy) == soundfile.info(recording).frames
    mel = read_mel(tmp_path / f"{recording.stem}.npz", {"sample_rate": 16000, "hop_length": 256})
    signal = torch.from_numpy(soundfile.read(recording, dtype="float32")[0])
    np.testing.assert_allclose(mel, MelAnalysis()(signal[None])[0], atol=1e-3)
    # Of the mel file the same comes, to the end of its last frame.
    assert vocode.main([str(tmp_path), "-o", str(tmp_path / "again"), *model]) == 1  # one name for two files
    again = soundfile.read(tmp_path / "again" / f"{recording.stem}.wav")[0]
    assert len(again) in (len(copy), 256 * mel.shape[1])


BAD = {
    "bands.npz": (np.zeros((40, 9), np.float32), {}, r"shape \(batch, 80, frames\), but got \(1, 40, 9\)"),
    "nothing.npz": (np.zeros((80, 0), np.float32), {}, "at least one frame"),
    "nan.npz": (np.full((80, 9), np.nan, np.float32), {}, "9 frames hold NaN or Inf"),
    "decibels.npz": (np.linspace(-90, 20, 720, dtype=np.float32).reshape(80, 9), {}, "decibels"),
    "rate.npz": (np.full((80, 9), -5, np.float32), {"sample_rate": 22050}, "sample_rate: expected 16000"),
    "hop.npz": (np.full((80, 9), -5, np.float32), {"hop_length": 200}, "hop_length: expected 256"),
}


def test_what_cannot_be_vocoded_is_named_and_the_rest_is_made(finished, tmp_path, capsys):
    place = tmp_path / "in"
    place.mkdir()
    settings = {"sample_rate": 16000, "hop_length": 256}
    for name, (mel, own, _) in BAD.items():
        write_mel(place / name, mel, {**settings, **own})
    good = MelAnalysis()(0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)))[0].numpy()
    write_mel(place / "good.npz", good, settings)
    write_mel(place / "decades.npz", np.repeat(good, 4, 1) / math.log(10), settings)
    (place / "cut.npz").write_bytes((place / "good.npz").read_bytes()[:900])
    (place / "stub.npy").write_bytes(b"\x93NUMPY\x01\x00")
    soundfile.write(place / "short.wav", 0.1 * np.ones(500), 16000)
    soundfile.write(place / "broken.wav", np.full(20000, np.nan), 16000, subtype="FLOAT")
    words = [str(place), "-o", str(tmp_path / "out"), "--model", str(finished / "export")]
    assert vocode.main(words) == 1
    errors = capsys.readouterr().err
    expected = {name: message for name, (*_, message) in BAD.items()}
    expected |= {"cut.npz": "cut off or damaged", "short.wav": "at least a window of 1024 samples"}
    expected |= {"broken.wav": "(?i)not finite|nan", "stub.npy": "cut off or damaged"}
    for name, message in expected.items():
        (line,) = [line for line in errors.splitlines() if name in line]
        assert re.search(message, line), line
    assert (tmp_path / "out" / "good.wav").is_file()
    for name in expected:
        assert not (tmp_path / "out" / name).with_suffix(".wav").exists(), name


def test_calls_that_are_wrong_are_said_at_once(finished, tmp_path, capsys):
    for words, message in (
        (["/nowhere.wav", "-o", str(tmp_path), "--model", str(finished / "export")], "no such file"),
        ([str(tmp_path), "-o", str(tmp_path / "o"), "--model", "/nowhere"], "/nowhere"),
    ):
        with pytest.raises(SystemExit):
            vocode.main(words)
        assert message in capsys.readouterr().err


def test_anchors_stand_in_their_order(speech_files):
    signal = soundfile.read(speech_files[1], dtype="float32")[0][8000:56000]
    recording, analysis = torch.from_numpy(signal)[None], MelAnalysis()
    copies = [
        world(recording),
        griffin_lim(recording, analysis, 2),
        griffin_lim(recording, analysis),
        true_phase(recording, analysis),
    ]
    scores = score_copies([signal] * 4, [copy[0].numpy() for copy in copies], ScoringOptions(("si_sdr",)))
    _, hasty, patient, bound = [score["pesq_wb"] for score in scores]
    assert 1.0 < hasty < patient < bound < 4.64
    assert all(score["voicing_f1"] > 0.8 for score in (scores[0], scores[3]))
    assert scores[3]["mcd_db"] == min(score["mcd_db"] for score in scores)


def test_a_copy_that_is_not_finite_has_no_figure(utterances):
    result = evaluate_copies(
        utterances[:1], {"broken": lambda x: x * math.nan}, ScoringOptions(("si_sdr",), jobs=0)
    )
    (score,) = result.scores.systems["broken"]
    assert all(math.isnan(score[name]) for name in ("pesq_wb", "mcd_db", "voicing_f1"))


def test_a_copier_keeps_the_length():
    model = copier(lambda mel: torch.zeros(len(mel), 256 * mel.shape[2]), MelAnalysis())
    assert model(torch.zeros(1, 5000)).shape == (1, 5000)
