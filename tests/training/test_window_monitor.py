"""The monitor of windows: its row, its files, and what goes into the log."""

import numpy as np
import pytest
import soundfile
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sb_resizegan.report.measures_csv import read_measures
from sb_resizegan.training.epoch_monitor import EpochMonitor
from sb_resizegan.training.loggers import EpochTensorboardLogger
from sb_resizegan.training.window_monitor import WindowMonitor


@pytest.fixture
def windows():
    return 0.1 * torch.randn(48, 2048, generator=torch.Generator().manual_seed(0))


def test_an_epoch_leaves_its_row_sounds_and_picture(windows, tmp_path):
    monitor = WindowMonitor(tmp_path, windows[:32], windows[32:], [4, 4], 16000, sample_windows=4)
    for epoch, gain in ((1, 0.5), (2, 0.1), (2, 0.25)):
        monitor.epoch(epoch, gain * windows[:16])
    rows = read_measures(tmp_path / "measures.csv")
    assert [row["epoch"] for row in rows] == [1, 2]
    # Spectra of the same windows at another level are as far apart as the levels.
    assert [row["spectral_distance_db"] for row in rows] == pytest.approx([6.0, 12.0], abs=1.5)
    for epoch, gain in ((1, 0.5), (2, 0.25)):
        heard = soundfile.read(monitor.sample_path(epoch))[0]
        np.testing.assert_allclose(heard, gain * windows[:4].flatten(), atol=1e-4)
        assert monitor.picture_path(epoch).is_file()

    logger = EpochTensorboardLogger(str(tmp_path / "log"))
    for epoch in (1, 2):
        monitor.log(logger.writer, epoch)
    log = EventAccumulator(str(tmp_path / "log"), size_guidance={"audio": 0, "images": 0}).Reload()
    assert [event.step for event in log.Audio("generated")] == [1, 2]
    assert [event.step for event in log.Audio("real")] == [1]
    assert [event.step for event in log.Images("spectrograms")] == [1, 2]


def test_a_monitor_without_sounds_says_so(tmp_path):
    with pytest.raises(NotImplementedError, match="EpochMonitor has no epoch_sounds"):
        EpochMonitor(tmp_path, 16000).epoch_sounds(1)
