"""Logs of a run that was interrupted and resumed."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.training.loggers import EpochFileLogger, EpochTensorboardLogger


def test_an_epoch_done_again_replaces_its_row(tmp_path):
    log = EpochFileLogger(tmp_path / "train_log.txt")
    for epoch, loss in ((1, 2.5), (2, 3.5), (3, 4.5), (2, 5.5)):
        log.log_stats({"epoch": epoch}, {"loss": loss})
    assert (tmp_path / "train_log.txt").read_text() == (
        "epoch: 1 - train loss: 2.50\nepoch: 2 - train loss: 5.50\n"
    )


def test_tensorboard_goes_on_at_the_resumed_epoch(tmp_path):
    EpochTensorboardLogger(tmp_path).log_stats({"epoch": 1}, {"loss": 1.0})
    resumed = EpochTensorboardLogger(tmp_path)
    resumed.log_stats({"epoch": 7}, {"loss": 0.5})
    resumed.log_stats({"epoch": 8}, {"loss": 0.25})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/train")] == [(1, 1.0), (7, 0.5), (8, 0.25)]
