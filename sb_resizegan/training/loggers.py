"""SpeechBrain's train loggers, with rows that belong to epochs: a resumed run writes none twice."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import main_process_only

# Importing SpeechBrain's loggers warns that without torchvision no figures can be saved; here they are.
logging.getLogger("speechbrain.utils.train_logger").addFilter(
    lambda record: "torchvision is not available" not in record.getMessage()
)

from speechbrain.utils.train_logger import FileTrainLogger, TensorboardLogger, TrainLogger  # noqa: E402


class EpochFileLogger(FileTrainLogger):
    """Text log with one row per epoch, and one for a test after it.

    Rows of the epoch that is logged, and of later ones, are replaced; a test replaces no row of a training.

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
            tested = _is_test(train_stats, valid_stats)
            kept = [
                row
                for row in rows
                if _epoch_of(row) < stats_meta["epoch"] or (tested and " - test " not in row)
            ]
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
        # The training has logged what belongs to the epoch itself.
        meta = {} if _is_test(train_stats, valid_stats) else stats_meta
        super().log_stats(meta, train_stats, valid_stats, test_stats, verbose)
        self.writer.flush()


@dataclass
class TrainLoggers:
    """What a training writes its figures to at the end of every epoch, for a Brain's ``train_loggers``."""

    text: EpochFileLogger
    """A row of text for each epoch."""

    tensorboard: EpochTensorboardLogger
    """Curves, and the sounds and pictures of a monitor."""

    others: Sequence[TrainLogger] = ()
    """What a yaml lists besides."""

    def __iter__(self) -> Iterator[TrainLogger]:
        return iter((self.text, self.tensorboard, *self.others))

    def log_test(self, epoch: int, stats: Mapping[str, float]) -> None:
        """Logs the figures of a test after the last epoch."""
        for log in self:
            log.log_stats({"epoch": epoch}, test_stats=dict(stats))


def _is_test(train_stats: Mapping[str, Any] | None, valid_stats: Mapping[str, Any] | None) -> bool:
    return train_stats is None and valid_stats is None


def _epoch_of(row: str) -> int:
    found = re.match(r"epoch: (\d+)", row)
    return int(found.group(1)) if found else 0
