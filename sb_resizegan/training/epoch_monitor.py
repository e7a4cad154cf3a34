"""What every monitor of a training does alike: where an epoch's files lie, its row of figures, its log."""

from pathlib import Path
from typing import Any

import torch
from matplotlib import image

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.report.measures_csv import update_measures

__all__ = ["EpochMonitor", "epoch_name"]


class EpochMonitor:
    """Base of monitors, which measure a generator at the end of each epoch and write what it makes.

    In ``output_folder`` it keeps ``measures.csv`` (a row per epoch), ``samples/`` and
    ``spectrograms/epoch_NNNN.png``. A subclass measures and writes; it says by `epoch_sounds()` and
    `constant_sounds()` where its sounds are. Only the main process has one.

    Arguments
    ---------
    output_folder : str or Path
        The run's folder.
    sample_rate : int
        In Hz.
    """

    def __init__(self, output_folder: str | Path, sample_rate: int) -> None:
        self.output_folder = Path(output_folder)
        self.sample_rate = sample_rate
        self._logged = False

    def epoch_sounds(self, epoch: int) -> dict:
        """Sounds of an epoch: paths by the name that a log gives them."""
        raise NotImplementedError(f"{type(self).__name__} has no epoch_sounds()")

    def constant_sounds(self) -> dict:
        """Sounds that are the same in every epoch: paths by the name that a log gives them."""
        return {}

    @property
    def samples_folder(self) -> Path:
        """Where sounds are kept."""
        return self.output_folder / "samples"

    def picture_path(self, epoch: int) -> Path:
        """The spectrograms of an epoch."""
        return self.output_folder / "spectrograms" / f"{epoch_name(epoch)}.png"

    def write_row(self, epoch: int, row: dict) -> None:
        """Adds an epoch's figures to ``measures.csv``; what an interrupted run wrote for it is replaced."""
        update_measures(self.output_folder / "measures.csv", epoch, row)

    def log(self, writer: Any, epoch: int) -> None:
        """Puts an epoch's sounds and picture into a TensorBoard log, after they were written.

        Arguments
        ---------
        writer : torch.utils.tensorboard.SummaryWriter
            The log, the attribute ``writer`` of
            `EpochTensorboardLogger`.
        epoch : int
            The epoch.
        """
        sounds = self.epoch_sounds(epoch)
        if not self._logged:
            sounds = {**self.constant_sounds(), **sounds}
        for tag, path in sounds.items():
            waveform = torch.from_numpy(read_mono(path)[0])[None]
            writer.add_audio(tag, waveform, epoch, sample_rate=self.sample_rate)
        if self.picture_path(epoch).is_file():
            picture = image.imread(self.picture_path(epoch))[..., :3]
            writer.add_image("spectrograms", picture, epoch, dataformats="HWC")
        self._logged = True
        writer.flush()


def epoch_name(epoch: int) -> str:
    """Name of the files of an epoch, without ending.

    Example
    -------
    >>> epoch_name(3)
    'epoch_0003'
    """
    return f"epoch_{epoch:04d}"
