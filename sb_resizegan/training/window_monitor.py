"""What a training of windows leaves behind at the end of each epoch: figures, sound and pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch

from sb_resizegan.dataio.sinks import write_audio
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.report.text_strip import print_epoch
from sb_resizegan.report.window_figures import spectrogram_figure
from sb_resizegan.training.epoch_monitor import EpochMonitor, epoch_name

__all__ = ["WindowMonitor"]


class WindowMonitor(EpochMonitor):
    """Measures generated windows against real ones and writes what a user looks at and listens to.

    In ``output_folder`` it keeps ``measures.csv`` (a row per epoch), ``samples/real.wav``,
    ``samples/epoch_NNNN.wav`` and ``spectrograms/epoch_NNNN.png`` (real above generated). On the terminal it
    shows both as characters, and the figures that count.

    Arguments
    ---------
    output_folder : str or Path
        The run's folder.
    real : torch.Tensor
        Windows of files that are not trained on, ``(windows, time)``.
    train : torch.Tensor
        Windows that are trained on, ``(windows, time)``, for the search of copies.
    factors : sequence of int
        Upsampling factors of the generator.
    sample_rate : int
        In Hz.
    cutoff_hz : float or None
        Lower edge of the band in which real data has nothing.
    sample_windows : int
        Windows joined in samples and pictures.
    """

    def __init__(
        self,
        output_folder: str | Path,
        real: torch.Tensor,
        train: torch.Tensor,
        factors: Sequence[int],
        sample_rate: int,
        cutoff_hz: float | None = None,
        sample_windows: int = 64,
    ) -> None:
        super().__init__(output_folder, sample_rate)
        self.real = real
        self.train = train
        self.factors = tuple(factors)
        self.cutoff_hz = cutoff_hz
        self.sample_windows = sample_windows
        self._last_row: dict[str, float] | None = (
            None  # its floors hold for all epochs: they are of the same real windows
        )

    def epoch(self, epoch: int, generated: torch.Tensor) -> dict[str, float]:
        """Measures and writes one epoch.

        Arguments
        ---------
        epoch : int
            Its number; what an interrupted run wrote for it is replaced.
        generated : torch.Tensor
            Windows ``(windows, time)`` of the generator, at least ``sample_windows``.

        Returns
        -------
        dict of str to float
            The figures, as in `measure_windows()`.
        """
        generated = generated.float().cpu()
        row = measure_windows(
            generated,
            self.real,
            self.factors,
            self.sample_rate,
            cutoff_hz=self.cutoff_hz,
            train=self.train,
            floor=self._last_row,
        )
        self.write_row(epoch, row)
        self._last_row = row
        joined_real, joined = self.real[: self.sample_windows], generated[: self.sample_windows]
        write_audio(self.samples_folder / "real.wav", joined_real.flatten(), self.sample_rate)
        write_audio(self.sample_path(epoch), joined.flatten(), self.sample_rate)
        spectrogram_figure(
            joined_real,
            joined,
            self.picture_path(epoch),
            self.sample_rate,
            title=f"{len(joined)} windows, epoch {epoch}",
        )
        top_hz = self.cutoff_hz or self.sample_rate / 2
        print_epoch(epoch, joined_real, joined, row, self.sample_rate, top_hz)
        return row

    def sample_path(self, epoch: int) -> Path:
        """The sound file of an epoch."""
        return self.samples_folder / f"{epoch_name(epoch)}.wav"

    def epoch_sounds(self, epoch: int) -> dict:
        """The generated windows of an epoch."""
        return {"generated": self.sample_path(epoch)}

    def constant_sounds(self) -> dict:
        """The real windows."""
        return {"real": self.samples_folder / "real.wav"}
