"""What a training of windows leaves behind at the end of each epoch: figures, sound and pictures."""

from pathlib import Path

import soundfile
import torch
from matplotlib import image

from sb_resizegan.dataio.audio import write_audio
from sb_resizegan.metrics.summary import measure_windows
from sb_resizegan.report.figures import spectrogram_figure
from sb_resizegan.report.measures_csv import update_measures


class WindowMonitor:
    """Measures generated windows against real ones and writes what a user looks at and listens to.

    In ``output_folder`` it keeps ``measures.csv`` (a row per epoch), ``samples/real.wav``,
    ``samples/epoch_NNNN.wav`` and ``spectrograms/epoch_NNNN.png`` (real above generated).

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

    def __init__(self, output_folder, real, train, factors, sample_rate, cutoff_hz=None, sample_windows=64):
        self.output_folder = Path(output_folder)
        self.real = real
        self.train = train
        self.factors = tuple(factors)
        self.sample_rate = sample_rate
        self.cutoff_hz = cutoff_hz
        self.sample_windows = sample_windows

    def epoch(self, epoch, generated):
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
            The figures, as in :func:`~sb_resizegan.metrics.summary.measure_windows`.
        """
        generated = generated.float().cpu()
        row = measure_windows(
            generated, self.real, self.factors, self.sample_rate, cutoff_hz=self.cutoff_hz, train=self.train
        )
        update_measures(self.output_folder / "measures.csv", epoch, row)
        joined_real, joined = self.real[: self.sample_windows], generated[: self.sample_windows]
        samples = self.output_folder / "samples"
        write_audio(samples / "real.wav", joined_real.flatten(), self.sample_rate)
        write_audio(self.sample_path(epoch), joined.flatten(), self.sample_rate)
        spectrogram_figure(
            joined_real,
            joined,
            self.picture_path(epoch),
            self.sample_rate,
            title=f"{len(joined)} windows, epoch {epoch}",
        )
        return row

    def sample_path(self, epoch):
        """The sound file of an epoch."""
        return self.output_folder / "samples" / f"epoch_{epoch:04d}.wav"

    def picture_path(self, epoch):
        """The spectrogram of an epoch."""
        return self.output_folder / "spectrograms" / f"epoch_{epoch:04d}.png"


def log_to_tensorboard(writer, monitor, epoch):
    """Puts an epoch's sound and picture into a TensorBoard log.

    Arguments
    ---------
    writer : torch.utils.tensorboard.SummaryWriter
        The log.
    monitor : WindowMonitor
        What wrote the files.
    epoch : int
        The epoch.
    """
    waveform, rate = soundfile.read(monitor.sample_path(epoch), dtype="float32")
    writer.add_audio("generated", torch.from_numpy(waveform)[None], epoch, sample_rate=rate)
    writer.add_image(
        "spectrogram", image.imread(monitor.picture_path(epoch))[..., :3], epoch, dataformats="HWC"
    )
    writer.flush()
