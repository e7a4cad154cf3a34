"""Logs of a run that was interrupted and resumed."""

from types import SimpleNamespace

import pytest
from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.train_logger import TrainLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.training.loggers import EpochFileLogger, EpochTensorboardLogger
from sb_resizegan.training.run import training_loggers
from sb_resizegan.training.run_checks import RunError
from sb_resizegan.training.settings_file import load_training


def test_an_epoch_done_again_replaces_its_row(tmp_path):
    log = EpochFileLogger(tmp_path / "train_log.txt")
    for epoch, loss in ((1, 2.5), (2, 3.5), (3, 4.5), (2, 5.5)):
        log.log_stats({"epoch": epoch}, {"loss": loss})
    assert (tmp_path / "train_log.txt").read_text() == (
        "epoch: 1 - train loss: 2.50\nepoch: 2 - train loss: 5.50\n"
    )


def test_a_test_has_a_row_of_its_own_beside_its_epoch(tmp_path):
    log = EpochFileLogger(tmp_path / "train_log.txt")
    log.log_stats({"epoch": 1}, {"loss": 2.5})
    for score in (1.5, 1.75):  # a finished run that is started again tests again
        log.log_stats({"epoch": 1}, test_stats={"pesq_wb": score})
    assert (tmp_path / "train_log.txt").read_text() == (
        "epoch: 1 - train loss: 2.50\nepoch: 1 - test pesq_wb: 1.75\n"
    )


def test_a_test_is_a_point_at_its_epoch(tmp_path):
    log = EpochTensorboardLogger(tmp_path)
    log.log_stats({"epoch": 4}, {"loss": 1.0})
    log.log_stats({"epoch": 4}, test_stats={"pesq_wb": 2.5})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("pesq_wb/test")] == [(4, 2.5)]
    assert len(events.Scalars("epoch")) == 1


class Kept(TrainLogger):
    """A logger of one's own."""

    def __init__(self):
        self.rows = []

    def log_stats(self, stats_meta, train_stats=None, valid_stats=None, test_stats=None, verbose=False):
        self.rows.append((stats_meta, train_stats, valid_stats, test_stats))


def test_loggers_of_the_yaml_get_what_the_others_get(tmp_path):
    """SpeechBrain's for Weights & Biases, with what takes the place of its client, and one of one's own."""
    sent, own = [], Kept()
    run = SimpleNamespace(log=lambda row, step: sent.append((step, row)))
    yaml = (
        "loggers:\n    - !new:speechbrain.utils.train_logger.WandBLogger\n"
        "        initializer: !name:tests.training.test_loggers.client\n"
    )
    (wandb,) = load_hyperpyyaml(yaml)["loggers"]
    assert wandb.run == "a client"
    wandb.run = run
    loggers = training_loggers({"output_folder": str(tmp_path), "loggers": [wandb, own]})
    for log in loggers:
        log.log_stats({"epoch": 3}, {"loss": 1.0}, {"loss": 2.0})
    loggers.log_test(3, {"pesq_wb": 2.5})
    assert sent == [
        (3, {"train": {"loss": 1.0}, "valid": {"loss": 2.0}, "epoch": 3}),
        (3, {"test": {"pesq_wb": 2.5}, "epoch": 3}),
    ]
    assert own.rows == [
        ({"epoch": 3}, {"loss": 1.0}, {"loss": 2.0}, None),
        ({"epoch": 3}, None, None, {"pesq_wb": 2.5}),
    ]


def client():
    return "a client"


ONE = "!new:speechbrain.utils.train_logger.FileTrainLogger\n        save_file: !ref <output_folder>/"


@pytest.mark.parametrize("yaml", ["enhance.yaml", "resize.yaml"])
@pytest.mark.parametrize(
    ("text", "names"), [(f"{ONE}a", ["a"]), (f"\n    - {ONE}a\n    - {ONE}b", ["a", "b"])]
)
def test_a_yaml_may_have_loggers(tmp_path, yaml, text, names):
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: {yaml}\nloggers: {text}\n")
    task = "enhancement" if yaml == "enhance.yaml" else "windows"
    hparams, _ = load_training(path, task, {"output_folder": str(tmp_path / "run")})
    loggers = training_loggers({**hparams, "output_folder": str(tmp_path)})
    assert [log.save_file for log in loggers.others] == [str(tmp_path / "run" / name) for name in names]


def test_what_is_no_logger_is_named(tmp_path):
    with pytest.raises(RunError, match=r"loggers: expected objects of .*TrainLogger, but got 'wandb'"):
        training_loggers({"output_folder": str(tmp_path), "loggers": "wandb"})


def test_tensorboard_goes_on_at_the_resumed_epoch(tmp_path):
    EpochTensorboardLogger(tmp_path).log_stats({"epoch": 1}, {"loss": 1.0})
    resumed = EpochTensorboardLogger(tmp_path)
    resumed.log_stats({"epoch": 7}, {"loss": 0.5})
    resumed.log_stats({"epoch": 8}, {"loss": 0.25})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/train")] == [(1, 1.0), (7, 0.5), (8, 0.25)]
