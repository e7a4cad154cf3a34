"""An evaluation and its page: rows that must come out, files that agree, nothing outside the page."""

import io
import re

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.evaluation.pair_evaluation import evaluate
from sb_resizegan.evaluation.scoring_options import EvaluationOptions, ScoringOptions
from sb_resizegan.report.enhancement_page import is_enhancement_run, write_enhancement_report
from sb_resizegan.report.evaluation_folder import read_examples, read_variation, write_evaluation
from sb_resizegan.report.score_table import cells, read_scores
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from tests.report.test_windows_page import Page

WITHOUT_DNSMOS = ScoringOptions(scores=("si_sdr", "intelligibility", "official_pesq"))
PESQ_ALONE = EvaluationOptions(ScoringOptions(scores=()))


class Oracle:
    """Knows the clean signals."""

    def __init__(self, utterances):
        self.known = {u.noisy.tobytes(): u.clean for u in utterances}

    def __call__(self, noisy):
        return torch.stack([torch.from_numpy(self.known[row.numpy().tobytes()]) for row in noisy])


@pytest.fixture(scope="module")
def stage(utterances, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage") / "run" / "test"
    systems = {"regression": lambda noisy: 5 * noisy, "this <model>": Oracle(utterances)}
    result = evaluate(
        utterances,
        systems,
        EvaluationOptions(WITHOUT_DNSMOS, num_samples=2, latent_utterances=2),
        samplers={"this <model>": lambda x: x + 0.01 * torch.randn_like(x)},
    )
    write_evaluation(result, folder, shown=2, save_audio=True, remarks=["One pair was left out."])
    return folder, result.scores


def test_rows_are_noisy_and_the_systems(stage, utterances):
    _, scores = stage
    assert list(scores.systems) == ["noisy", "regression", "this <model>"]
    rows = {row.system: row.means for row in scores.rows() if row.bucket == "all"}
    for name, mean in rows["noisy"].items():
        assert rows["regression"][name] == pytest.approx(mean, rel=1e-3)  # louder, else the same
    assert rows["this <model>"]["pesq_wb"] > 4.64 and rows["this <model>"]["si_sdr_db"] > 80
    # The sixth states no ratio: with measured ones there are ranges instead of nominal values.
    assert [bucket for bucket, _ in scores.buckets()] == [
        "all",
        "-2.5 to 2.5 dB",
        "2.5 to 7.5 dB",
        "7.5 to 12.5 dB",
    ]
    assert [len(indices) for _, indices in scores.buckets()] == [6, 2, 2, 2]


def test_files_say_the_same(stage, utterances):
    folder, scores = stage
    text = (folder / "scores.md").read_text(encoding="utf-8")
    assert "One pair was left out." in text and "this <model>: Over 2 latents for each of 2" in text
    assert cells(read_scores(folder / "scores.csv")) == cells(scores)
    level = read_variation(folder)["this <model>"]["latent_difference_db"]
    assert f"{level:.1f}".replace("-", "−") in text
    examples = read_examples(folder)
    # A noisiest one and a least noisy one.
    names = [name for name, _, _ in examples]
    assert names[0] in ("speech/1", "speech/4") and names[1] in ("speech/0", "speech/5")
    for name, picture, sounds in examples:
        assert picture.is_file()
        assert [version for version, _ in sounds] == ["noisy", "regression", "this <model>", "clean"]
        utterance = next(u for u in utterances if u.name == name)
        heard = {version: soundfile.read(path)[0] for version, path in sounds}
        assert np.abs(heard["noisy"] - utterance.noisy).max() < 1e-4
        # What would exceed full scale is turned down as a whole.
        assert np.corrcoef(heard["regression"], utterance.noisy)[0, 1] > 0.99999
    saved = sorted(path.relative_to(folder).as_posix() for path in (folder / "enhanced").rglob("*.wav"))
    assert len(saved) == 12 and saved[0] == "enhanced/regression/speech/0.wav"


def test_the_page_is_self_contained(stage, utterances, tmp_path):
    folder, _ = stage
    run = folder.parent
    page = Page(write_enhancement_report([folder], tmp_path / "test.html", title="A & <B>"))
    for words in ("A & <B>", "this <model>", "SI-SDR, dB", "2.5 to 7.5 dB", "Over 2 latents", "speech/1"):
        assert words in page.text
    assert len(page.media("img")) == 3 and len(page.media("audio")) == 8
    assert all(soundfile.read(io.BytesIO(sound))[1] == 16000 for sound in page.media("audio"))
    without_data = re.sub(r"data:[\w/]*(;base64)?,[A-Za-z0-9+/=]*", "", page.source)
    assert not re.search(r"https?:|//|@import|url\(|<script|\bon\w+=", without_data)
    assert "Not found" not in page.text

    # A training around it brings its curves, settings and log, and names what it lacks.
    EnhancementMonitor(run, utterances[:1]).epoch(1, lambda noisy: noisy)
    (run / "hyperparams.yaml").write_text("causal: True\nboom: !apply:os.abort []\noutput_folder: a/b\n")
    page = Page(write_enhancement_report([run], tmp_path / "run.html"))
    for words in ("causal", "noisy speech", "PESQ-WB", "2.5 to 7.5 dB", "train_log.txt"):
        assert words in page.text
    assert "abort" not in page.source and "a/b" not in page.text


def test_a_training_without_a_test(utterances, tmp_path):
    monitor = EnhancementMonitor(tmp_path / "run", utterances[:2], shown=2, intelligibility=False)
    for epoch in (1, 2):
        monitor.epoch(epoch, lambda noisy: noisy)
    assert is_enhancement_run(tmp_path / "run") and not is_enhancement_run(tmp_path)
    page = Page(write_enhancement_report([tmp_path / "run"], tmp_path / "report.html"))
    assert len(page.media("audio")) == 6 and len(page.media("img")) == 1
    assert "output, epoch 2" in page.text and "Not found in this run: hyperparams.yaml" in page.text
    with pytest.raises(ValueError, match="found neither"):
        write_enhancement_report([tmp_path], tmp_path / "report.html")
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        write_enhancement_report([tmp_path / "nowhere"], tmp_path / "report.html")


def test_damaged_results_count_as_missing(stage, tmp_path):
    folder, _ = stage
    run = tmp_path / "test"
    (run / "examples" / "1_a").mkdir(parents=True)
    (run / "scores.csv").write_text((folder / "scores.csv").read_text())
    (run / "examples" / "examples.csv").write_text("folder,utterance,version,file\n1_a,a,noisy,gone.wav\n")
    page = Page(write_enhancement_report([run], tmp_path / "report.html"))
    for name in ("pesq_by_snr.png", "1_a/gone.wav", "1_a/spectrograms.png"):
        assert name in page.text
    (run / "scores.csv").write_text("a,b\n1,2\n")
    assert "scores.csv" in Page(write_enhancement_report([run], tmp_path / "report.html")).text


def test_wrong_calls(utterances, tmp_path):
    with pytest.raises(ValueError, match=r"expected names other than .* but got 'clean'"):
        evaluate(utterances[:1], {"clean": lambda x: x}, PESQ_ALONE)
    with pytest.raises(ValueError, match="expected utterances"):
        evaluate([], {"a": lambda x: x}, PESQ_ALONE)
    outside = utterances[0]._replace(name="../../outside")
    result = evaluate([outside], {"a": lambda x: x}, PESQ_ALONE)
    with pytest.raises(ValueError, match=r"within a folder, but got 'a/\.\./\.\./outside.wav'"):
        write_evaluation(result, tmp_path / "out", save_audio=True)
    assert not list(tmp_path.rglob("*"))


def test_an_evaluation_writes_nothing(utterances, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = evaluate(utterances[:1], {"a": lambda noisy: noisy}, PESQ_ALONE)
    assert list(result.outputs) == ["noisy", "a"] and not list(tmp_path.iterdir())
