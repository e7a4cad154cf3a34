"""The monitor of a training: its figures, its files, and models that are broken."""

import math

import numpy as np
import pytest
import soundfile
import torch
from matplotlib import image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.evaluation.by_snr import choose_shown
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.report.measures_csv import read_measures
from sb_resizegan.training.enhancement_monitor import EnhancementMonitor
from sb_resizegan.training.loggers import EpochTensorboardLogger


def test_figures_are_means_over_utterances(utterances, tmp_path):
    monitor = EnhancementMonitor(tmp_path, utterances, shown=2)
    row = monitor.epoch(1, lambda noisy: 0.5 * noisy)
    options = ScoringOptions(scores=("si_sdr", "intelligibility"))
    scores = score_utterances([u.clean for u in utterances], [u.noisy for u in utterances], options)
    for name in ("pesq_wb", "estoi", "si_sdr_db"):
        mean = np.mean([score[name] for score in scores])
        assert row[name] == pytest.approx(mean, abs=1e-3)
        assert monitor.noisy[name] == pytest.approx(mean, abs=1e-4)
    assert row["unscored"] == 0
    # Half the level is 6 dB, not the 10 dB of deleted speech; noise falls by as much as the speech.
    assert row["deleted_1_2khz_percent"] < 50 and monitor.noisy["deleted_1_2khz_percent"] < 10
    difference = row["noise_left_db"] - monitor.noisy["noise_left_db"]
    assert difference == pytest.approx(-6.02, abs=0.01)
    (read,) = read_measures(tmp_path / "measures.csv")
    assert read["pesq_wb"] == row["pesq_wb"] and read["si_sdr_noisy_db"] == monitor.noisy["si_sdr_db"]


def test_files_and_an_epoch_done_again(utterances, tmp_path):
    monitor = EnhancementMonitor(tmp_path, utterances[:3], shown=2, intelligibility=False)
    for epoch, gain in ((1, 0.5), (2, 0.1), (2, 0.25)):
        row = monitor.epoch(epoch, lambda noisy, gain=gain: gain * noisy)
    assert "estoi" not in row
    assert [row["epoch"] for row in read_measures(tmp_path / "measures.csv")] == [1, 2]
    # Shown are those of the lowest and the highest ratio.
    folders = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert folders == ["1_speech_1", "2_speech_0"]
    sounds = {
        name: soundfile.read(tmp_path / "samples" / "1_speech_1" / f"{name}.wav")[0]
        for name in ("noisy", "clean", "epoch_0001", "epoch_0002")
    }
    assert np.abs(sounds["clean"] - utterances[1].clean).max() < 1e-4
    assert np.abs(sounds["epoch_0002"] - 0.25 * utterances[1].noisy).max() < 1e-4
    assert [path.name for path in monitor.epoch_sounds(2).values()] == ["epoch_0002.wav"] * 2
    assert image.imread(monitor.picture_path(2))[..., :3].std() > 0.05

    logger = EpochTensorboardLogger(str(tmp_path / "log"))
    for epoch in (1, 2):
        monitor.log(logger.writer, epoch)
    log = EventAccumulator(str(tmp_path / "log"), size_guidance={"audio": 0, "images": 0}).Reload()
    assert [event.step for event in log.Audio("1_speech_1/enhanced")] == [1, 2]
    assert [event.step for event in log.Audio("2_speech_0/clean")] == [1]
    assert [event.step for event in log.Images("spectrograms")] == [1, 2]


@pytest.mark.parametrize("broken", [lambda noisy: 0 * noisy, lambda noisy: noisy * math.nan])
def test_a_broken_model_scores_lowest(utterances, tmp_path, broken):
    monitor = EnhancementMonitor(tmp_path, utterances[:2], intelligibility=False)
    row = monitor.epoch(1, broken)
    assert row["pesq_wb"] == 1.0 < monitor.noisy["pesq_wb"] and row["unscored"] == 2
    assert math.isnan(row["si_sdr_db"])
    assert monitor.epoch(2, lambda noisy: noisy)["unscored"] == 0
    assert [row["epoch"] for row in read_measures(tmp_path / "measures.csv")] == [1, 2]


def test_utterances_without_pesq_are_left_out_and_named(utterances, tmp_path, caplog):
    good = utterances[0]
    silent = ("silent one", good.noisy, 0 * good.clean, 0.0)
    short = ("short one", good.noisy[:1000], good.clean[:1000], None)
    monitor = EnhancementMonitor(tmp_path, [silent, good, short])
    assert [utterance.name for utterance in monitor.utterances] == [good.name]
    for words in ("silent one: PESQ refused: silent reference", "short one: PESQ refused: too short"):
        assert words in caplog.text
    with pytest.raises(ValueError, match="expected some that PESQ can score, but got none in 2"):
        EnhancementMonitor(tmp_path, [silent, short])


def test_utterances_come_whole_alone_and_in_order():
    signals = [torch.full((n,), float(k + 1)) for k, n in enumerate((1000, 8000, 990))]
    seen = []

    def enhance(noisy):
        seen.append(tuple(noisy.shape))
        return 2 * noisy

    outputs = enhance_utterances(enhance, signals)
    assert all((output == 2 * signal.numpy()).all() for output, signal in zip(outputs, signals, strict=True))
    assert sorted(seen) == [(1, 990), (1, 1000), (1, 8000)]
    with pytest.raises(ValueError, match="enhance: expected an output of shape"):
        enhance_utterances(lambda noisy: noisy[0], signals)


def test_utterances_come_in_batches_of_one_length_or_of_similar_ones():
    signals = [torch.full((n,), float(k + 1)) for k, n in enumerate((900, 1000, 900, 800, 990))]
    seen = []

    def enhance(noisy, samples=None):
        seen.append((noisy.shape, samples))
        if samples is not None:
            assert all(not row[count:].any() for row, count in zip(noisy, samples, strict=True))
        return 2 * noisy

    for padded, expected in (
        (False, [((1, 1000), None), ((1, 990), None), ((2, 900), None), ((1, 800), None)]),
        (True, [((2, 1000), [1000, 990]), ((2, 900), [900, 900]), ((1, 800), [800])]),
    ):
        seen.clear()
        outputs = enhance_utterances(enhance, signals, batch_size=2, padded=padded)
        assert seen == expected
        for output, signal in zip(outputs, signals, strict=True):
            assert output.shape == signal.shape and (output == 2 * signal.numpy()).all()


def test_what_is_shown_does_not_depend_on_the_order(utterances):
    names = [utterances[k].name for k in choose_shown(utterances, 3)]
    turned = utterances[::-1]
    assert [turned[k].name for k in choose_shown(turned, 3)] == names
    assert len(choose_shown(utterances, 99)) == len(utterances) and choose_shown(utterances, 0) == []
