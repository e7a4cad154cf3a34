"""SpeechBrain's train loggers, with rows that belong to epochs: a resumed run writes none twice."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from speechbrain.utils.distributed import main_process_only

# Importing SpeechBrain's loggers warns that without torchvision no figures can be saved; here they are.
logging.getLogger("speechbrain.utils.train_logger").addFilter(
    lambda record: "torchvision is not available" not in record.getMessage()
)

from speechbrain.utils.train_logger import FileTrainLogger, TensorboardLogger  # noqa: E402


class EpochFileLogger(FileTrainLogger):
    """Text log with one row per epoch; rows of the epoch that is logged, and of later ones, are replaced.

    A run that was killed between logging an epoch and saving its checkpoint does that epoch again.

    Arguments
    ---------
    save_file : str
        The text file.
    precision : int
        Decimal places.
    """

    @main_process_only
    def log_stats(
        self,
        stats_meta: Mapping[str, Any],
        train_stats: Mapping[str, Any] | None = None,
        valid_stats: Mapping[str, Any] | None = None,
        test_stats: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        """See `speechbrain.utils.train_logger.TrainLogger`; ``stats_meta`` has the key ``epoch``."""
        path = Path(self.save_file)
        if path.is_file():
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if _epoch_of(row) < stats_meta["epoch"]]
            if len(kept) < len(rows):
                path.write_text("".join(kept), encoding="utf-8")
        super().log_stats(stats_meta, train_stats, valid_stats, test_stats, verbose)


class EpochTensorboardLogger(TensorboardLogger):
    """TensorBoard log whose steps are epochs, also after a run was resumed.

    Arguments
    ---------
    save_dir : str
        Folder of the log.
    """

    @main_process_only
    def log_stats(
        self,
        stats_meta: Mapping[str, Any],
        train_stats: Mapping[str, Any] | None = None,
        valid_stats: Mapping[str, Any] | None = None,
        test_stats: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        """See `speechbrain.utils.train_logger.TrainLogger`; ``stats_meta`` has the key ``epoch``."""
        before = stats_meta["epoch"] - 1
        self.global_step["meta"] = before
        for name, stats in (("train", train_stats), ("valid", valid_stats), ("test", test_stats)):
            self.global_step[name] = dict.fromkeys(stats or {}, before)
        super().log_stats(stats_meta, train_stats, valid_stats, test_stats, verbose)
        self.writer.flush()


class TrainLoggers(NamedTuple):
    """What a training writes its figures to at the end of every epoch, for a Brain's ``train_loggers``."""

    text: EpochFileLogger
    """A row of text for each epoch."""

    tensorboard: EpochTensorboardLogger
    """Curves, and the sounds and pictures of a monitor."""


def _epoch_of(row: str) -> int:
    found = re.match(r"epoch: (\d+)", row)
    return int(found.group(1)) if found else 0
