"""What a training of an enhancer leaves behind at the end of each epoch: figures, sound and pictures."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.utterances import Utterance
from sb_resizegan.evaluation.by_snr import choose_shown
from sb_resizegan.evaluation.enhancing import enhance_utterances
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.scoring_options import ScoringOptions
from sb_resizegan.metrics.measures import noisy_column
from sb_resizegan.metrics.speech_scores import SCORES
from sb_resizegan.report.enhancement_figures import utterances_figure
from sb_resizegan.report.sounds import folder_name, write_signal
from sb_resizegan.training.epoch_monitor import EpochMonitor, epoch_name
from sb_resizegan.utils.processes import Share, gathered

__all__ = ["EnhancementMonitor"]

logger = get_logger(__name__)

LOWEST_PESQ = 1.0
BATCH_SIZE = 16


class EnhancementMonitor(EpochMonitor):
    """Enhances validation utterances, measures them, and writes what a user looks at and listens to.

    In ``output_folder`` it keeps ``measures.csv`` (a row per epoch, with the figures of the noisy speech
    beside those of the enhanced), ``spectrograms/epoch_NNNN.png``, and for each utterance that is shown
    ``samples/N_NAME/noisy.wav``, ``clean.wav`` and ``epoch_NNNN.wav``.

    Where several processes train together, each has one and takes its share of the utterances; their scores
    are brought together, and the main process writes.

    Arguments
    ---------
    output_folder : str or Path
        The run's folder.
    utterances : sequence of Utterance
        Or of tuples ``(name, noisy, clean, snr_db)``, signals ``(time,)``. Those that PESQ refuses even as
        they are (too short, silent) are named in a warning and left out.
    sample_rate : int
        16000 Hz.
    shown : int
        How many utterances are kept as sound and picture, spread over the signal-to-noise ratios.
    device : str or torch.device
        Where ``enhance`` takes its input and PESQ is computed.
    intelligibility : bool
        Whether to measure ESTOI as well, which runs on the CPU.

    Raises
    ------
    ValueError
        If no utterance can be scored, or signals are of another rate or shape.

    Example
    -------
    >>> clean, noise = torch.randn(2, 16000).numpy()
    >>> monitor = EnhancementMonitor(getfixture("tmp_path"), [("a", clean + 0.1 * noise, clean, 20.0)])
    >>> row = monitor.epoch(1, enhance=lambda noisy: noisy)
    >>> [name for name in row if not name.startswith("deleted")]
    ['pesq_wb', 'estoi', 'si_sdr_db', 'noise_left_db', 'unscored']
    """

    def __init__(
        self,
        output_folder: str | Path,
        utterances: Sequence[Utterance],
        sample_rate: int = 16000,
        shown: int = 4,
        device: str | torch.device = "cpu",
        intelligibility: bool = True,
    ) -> None:
        super().__init__(output_folder, sample_rate)
        self.device = torch.device(device)
        self.intelligibility = intelligibility
        utterances = [Utterance(*utterance) for utterance in utterances]
        numbers = list(Share(range(len(utterances))))
        own = [utterances[number] for number in numbers]
        scores = self._score(own, [utterance.noisy for utterance in own])
        scores = _together(dict(zip(numbers, scores, strict=True)))
        self.utterances, kept = [], []
        for utterance, score in zip(utterances, scores, strict=True):
            if math.isfinite(score["pesq_wb"]):
                self.utterances.append(utterance)
                kept.append(score)
            else:
                logger.warning(f"validation leaves out {utterance.name}: {'; '.join(score['notes'])}")
        if not self.utterances:
            raise ValueError(
                f"utterances: expected some that PESQ can score, but got none in {len(utterances)}"
            )
        self.noisy = self._figures(kept)
        self.shown = choose_shown(self.utterances, shown)

    def epoch(self, epoch: int, enhance: Callable, padded: bool = False) -> dict[str, float]:
        """Measures and writes one epoch.

        Arguments
        ---------
        epoch : int
            Its number; what an interrupted run wrote for it is replaced.
        enhance : callable
            From noisy speech ``(batch, time)`` on the device to enhanced speech of the same shape.
        padded : bool
            Whether it gets utterances of different lengths together, with their samples
            (`enhance_utterances()`).

        Returns
        -------
        dict of str to float
            Means over utterances: ``pesq_wb``, ``estoi``, ``si_sdr_db``, speech deleted by band and noise
            left (`sb_resizegan.metrics.deletion`); and ``unscored``, the number of outputs that PESQ refuses
            (silence, NaN). In ``pesq_wb`` these count as 1, in the others not at all, so that a broken model
            doesn't look better than a poor one.
        """
        # In the order of their lengths, so that those of a process are alike.
        order = sorted(range(len(self.utterances)), key=lambda number: -len(self.utterances[number].noisy))
        numbers = list(Share(order))
        own = [self.utterances[number] for number in numbers]
        inputs = [utterance.noisy for utterance in own]
        found = enhance_utterances(enhance, inputs, self.device, batch_size=BATCH_SIZE, padded=padded)
        row = self._figures(_together(dict(zip(numbers, self._score(own, found), strict=True))))
        outputs = {number: output for number, output in zip(numbers, found, strict=True)}
        outputs = {n: output for part in gathered(self._to_show(outputs)) for n, output in part.items()}
        if if_main_process():
            self._write(epoch, row, outputs)
        return row

    def _to_show(self, outputs: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        return {number: outputs[number] for number in self.shown if number in outputs}

    def _write(self, epoch: int, row: dict[str, float], outputs: dict[int, np.ndarray]) -> None:
        if row["unscored"]:
            count = len(self.utterances)
            logger.warning(f"epoch {epoch}: PESQ refuses {row['unscored']} of {count} outputs")
        noisy = {noisy_column(name): self.noisy[name] for name in row if name != "unscored"}
        self.write_row(epoch, {**row, **noisy})
        for number in self.shown:
            utterance, folder = self.utterances[number], self._folder(number)
            for name, signal in (
                ("noisy", utterance.noisy),
                ("clean", utterance.clean),
                (epoch_name(epoch), outputs[number]),
            ):
                write_signal(folder / f"{name}.wav", signal, self.sample_rate)
        rows = {
            _label(self.utterances[number]): {
                "noisy": self.utterances[number].noisy,
                "enhanced": outputs[number],
                "clean": self.utterances[number].clean,
            }
            for number in self.shown
        }
        if rows:
            utterances_figure(rows, self.picture_path(epoch), self.sample_rate, title=f"epoch {epoch}")

    def log(self, writer: Any, epoch: int) -> None:
        """As `EpochMonitor.log()`; besides, the figures of the noisy speech, as lines beside the others."""
        for name, value in self.noisy.items():
            writer.add_scalar(f"{name}/noisy", value, epoch)
        super().log(writer, epoch)

    def constant_sounds(self) -> dict:
        """Noisy and clean speech of the utterances that are shown."""
        return {
            f"{self._folder(number).name}/{name}": self._folder(number) / f"{name}.wav"
            for number in self.shown
            for name in ("noisy", "clean")
        }

    def epoch_sounds(self, epoch: int) -> dict:
        """The enhanced utterances of an epoch."""
        folders = [self._folder(number) for number in self.shown]
        return {f"{folder.name}/enhanced": folder / f"{epoch_name(epoch)}.wav" for folder in folders}

    def _folder(self, number: int) -> Path:
        name = folder_name(self.shown.index(number), self.utterances[number].name)
        return self.samples_folder / name

    def _score(self, utterances: Sequence[Utterance], outputs: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        scores = ("si_sdr", "deletion", *["intelligibility"] * self.intelligibility)
        options = ScoringOptions(scores, self.device, jobs=0)
        clean = [utterance.clean for utterance in utterances]
        noisy = [utterance.noisy for utterance in utterances]
        return score_utterances(clean, outputs, options, self.sample_rate, noisy=noisy)

    def _figures(self, scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Means over utterances."""
        row = {"pesq_wb": _mean([_or_lowest(score["pesq_wb"]) for score in scores])}
        for name in [*["estoi"] * self.intelligibility, "si_sdr_db", *SCORES["deletion"].columns]:
            row[name] = _mean([score[name] for score in scores if math.isfinite(score[name])])
        row["unscored"] = sum(not math.isfinite(score["pesq_wb"]) for score in scores)
        return row


def _together(scores: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """The scores of all processes, in the order of the utterances."""
    found = {number: score for part in gathered(scores) for number, score in part.items()}
    return [found[number] for number in sorted(found)]


def _label(utterance: Utterance) -> str:
    return utterance.name if utterance.snr_db is None else f"{utterance.name}, {utterance.snr_db:g} dB"


def _or_lowest(pesq: float) -> float:
    return pesq if math.isfinite(pesq) else LOWEST_PESQ


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
