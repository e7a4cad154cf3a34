"""What a training of a vocoder leaves behind at the end of each epoch: figures, sound and pictures."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.by_snr import choose_shown
from sb_resizegan.evaluation.copying import COPY_MEASURES, score_copies
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.metrics.stride_tones import stride_tone_prominence, worst_prominence
from sb_resizegan.report.enhancement_figures import utterances_figure
from sb_resizegan.report.sounds import folder_name, write_signal
from sb_resizegan.training.epoch_monitor import EpochMonitor, epoch_name

__all__ = ["COPY_FIGURES", "VocoderMonitor", "tone_windows"]

logger = get_logger(__name__)

COPY_FIGURES = ("pesq_wb", "estoi", *COPY_MEASURES, "prominence_worst_db", "unscored")
LOWEST_PESQ = 1.0
TONE_SAMPLES = 16384


class VocoderMonitor(EpochMonitor):
    """Copies held-out recordings by their mel spectra, measures the copies, and writes some.

    In ``output_folder`` it keeps ``measures.csv`` (a row per epoch), ``spectrograms/epoch_NNNN.png``, and for
    each recording that is shown ``samples/N_NAME/clean.wav`` and ``epoch_NNNN.wav``.

    Arguments
    ---------
    output_folder : str or Path
        The run's folder.
    utterances : sequence of Utterance
        The recordings, as ``clean``. Those that PESQ refuses even beside themselves (too short, silent) are
        named in a warning and left out.
    factors : sequence of int
        Upsampling factors of the generator and, at last, the hop of its transform where it has one.
    sample_rate : int
        16000 Hz.
    shown : int
        How many are kept as sound and picture.
    device : str or torch.device
        Where ``copy`` takes its input and PESQ is computed.

    Raises
    ------
    ValueError
        If no recording can be scored, or signals are of another rate or shape.

    Example
    -------
    >>> noise = torch.randn(16000).numpy()
    >>> monitor = VocoderMonitor(getfixture("tmp_path"), [Utterance("a", noise, noise, math.inf)], (4, 4))
    >>> row = monitor.epoch(1, copy=lambda recordings: 0.5 * recordings)
    >>> list(row)
    ['pesq_wb', 'estoi', 'mcd_db', ..., 'prominence_worst_db', 'unscored']
    """

    def __init__(
        self,
        output_folder: str | Path,
        utterances: Sequence[Utterance],
        factors: Sequence[int],
        sample_rate: int = 16000,
        shown: int = 4,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(output_folder, sample_rate)
        self.device = torch.device(device)
        self.factors = tuple(factors)
        self.options = ScoringOptions(("intelligibility",), self.device, jobs=0)
        recordings = [utterance.clean for utterance in utterances]
        scores = score_copies(recordings, recordings, self.options, sample_rate)
        self.utterances = []
        for utterance, score in zip(utterances, scores, strict=True):
            if math.isfinite(score["pesq_wb"]):
                self.utterances.append(utterance)
            else:
                logger.warning(f"validation leaves out {utterance.name}: {'; '.join(score['notes'])}")
        if not self.utterances:
            raise ValueError(
                f"utterances: expected some that PESQ can score, but got none in {len(utterances)}"
            )
        self.real_tone = self._worst_tone([utterance.clean for utterance in self.utterances])
        self.shown = choose_shown(self.utterances, shown)

    def epoch(self, epoch: int, copy: Callable) -> dict[str, float]:
        """Measures and writes one epoch.

        Arguments
        ---------
        epoch : int
            Its number; what an interrupted run wrote for it is replaced.
        copy : callable
            From a recording ``(1, time)`` on the device to its copy of the same shape.

        Returns
        -------
        dict of str to float
            ``COPY_FIGURES``: means over recordings; ``prominence_worst_db``, the worst stride tone of all
            copies together; and ``unscored``, the number of copies that PESQ refuses, which count as 1 in
            ``pesq_wb`` and not at all in the others.
        """
        recordings = [utterance.clean for utterance in self.utterances]
        copies = enhance_utterances(copy, recordings, self.device)
        scores = score_copies(recordings, copies, self.options, self.sample_rate)
        pesq = [score["pesq_wb"] if math.isfinite(score["pesq_wb"]) else LOWEST_PESQ for score in scores]
        row = {"pesq_wb": sum(pesq) / len(pesq)}
        for name in ("estoi", *COPY_MEASURES):
            values = [score[name] for score in scores if math.isfinite(score[name])]
            row[name] = sum(values) / len(values) if values else math.nan
        row["prominence_worst_db"] = self._worst_tone(copies)
        row["unscored"] = sum(not math.isfinite(score["pesq_wb"]) for score in scores)
        if row["unscored"]:
            logger.warning(f"epoch {epoch}: PESQ refuses {row['unscored']} of {len(copies)} copies")
        self.write_row(epoch, {**row, "prominence_worst_real_db": self.real_tone})
        for number in self.shown:
            folder = self._folder(number)
            write_signal(folder / "clean.wav", self.utterances[number].clean, self.sample_rate)
            write_signal(folder / f"{epoch_name(epoch)}.wav", copies[number], self.sample_rate)
        rows = {
            self.utterances[number].name: {
                "copy": copies[number],
                "recording": self.utterances[number].clean,
            }
            for number in self.shown
        }
        utterances_figure(rows, self.picture_path(epoch), self.sample_rate, title=f"epoch {epoch}")
        return row

    def constant_sounds(self) -> dict:
        """The recordings that are shown."""
        return {
            f"{self._folder(number).name}/recording": self._folder(number) / "clean.wav"
            for number in self.shown
        }

    def epoch_sounds(self, epoch: int) -> dict:
        """The copies of an epoch."""
        folders = [self._folder(number) for number in self.shown]
        return {f"{folder.name}/copy": folder / f"{epoch_name(epoch)}.wav" for folder in folders}

    def _folder(self, number: int) -> Path:
        name = folder_name(self.shown.index(number), self.utterances[number].name)
        return self.samples_folder / name

    def _worst_tone(self, signals: Sequence) -> float:
        windows = tone_windows(signals)
        if not windows.isfinite().all():
            return math.nan
        return worst_prominence(stride_tone_prominence(windows, self.factors, self.sample_rate))


def tone_windows(signals: Sequence, samples: int = TONE_SAMPLES) -> torch.Tensor:
    """Signals cut into windows for the measure of stride tones, ``(windows, samples)``.

    Arguments
    ---------
    signals : sequence of numpy.ndarray
        ``(time,)`` each; a short one is filled up with zeros.
    samples : int
        Of a window.

    Returns
    -------
    torch.Tensor

    Example
    -------
    >>> tone_windows([torch.ones(40000), torch.ones(100)]).shape
    torch.Size([3, 16384])
    """
    windows = []
    for signal in signals:
        signal = torch.as_tensor(signal)
        short = max(0, samples - len(signal))
        windows.append(torch.nn.functional.pad(signal, (0, short)).unfold(0, samples, samples))
    return torch.cat(windows)
