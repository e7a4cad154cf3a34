"""PESQ over the batches of a validation, for Brains."""

import itertools
from typing import Any, TextIO

import torch
from speechbrain.utils.metric_stats import MetricStats

from sb_resizegan.metrics.pesq.inputs import PesqStatus
from sb_resizegan.metrics.pesq.mos import pesq_details
from sb_resizegan.utils.processes import gathered, interleaved


class PesqStats(MetricStats):
    """Wide-band PESQ of all utterances of a data set, batch by batch on their device.

    Takes the place of ``MetricStats(metric=pesq, ...)``: the same calls, and the same summary, of the
    utterances that have a score. Those that PESQ refuses keep their place with a score of NaN, and the
    summary counts and names them.

    Arguments
    ---------
    sample_rate : int
        16000; other rates are an error.

    Example
    -------
    >>> import torch
    >>> stats = PesqStats()
    >>> clean = torch.randn(2, 8000)
    >>> stats.append(["a", "b"], predict=clean, target=clean, lengths=torch.tensor([1.0, 0.1]))
    >>> summary = stats.summarize()
    >>> summary["max_id"], summary["scored"], summary["failures"]
    ('a', 1, {'TOO_SHORT': ['b']})
    """

    def __init__(self, sample_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        super().__init__(metric=pesq_details)

    def clear(self) -> None:
        """Forgets all utterances."""
        super().clear()
        self.ids: list[str] = []
        self.scores: list[float] = []
        self.statuses: list[PesqStatus] = []
        self._batches: list[int] = []

    def append(
        self, ids: list[str], predict: torch.Tensor, target: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> None:
        """Scores a batch.

        Arguments
        ---------
        ids : list of str
            Of the utterances, (batch,).
        predict : Tensor
            Degraded or enhanced speech at 16 kHz, (batch, time).
        target : Tensor
            Clean speech, (batch, time).
        lengths : Tensor, optional
            Relative lengths, (batch,).

        Raises
        ------
        ValueError
            If there are not as many ids as utterances.
        """
        details = self.metric(target.detach(), predict.detach(), self.sample_rate, lengths)
        ids = list(ids)
        if len(ids) != len(details.status):
            raise ValueError(f"expected {len(details.status)} ids, but got {len(ids)}")
        self.ids += ids
        self._batches.append(len(ids))
        self.scores += details.mos_lqo.tolist()
        self.statuses += [PesqStatus(int(status)) for status in details.status]
        self.summary: dict[str, Any] = {}

    def gather(self) -> None:
        """Brings together what all processes of a distributed evaluation have scored.

        All have to call it, before `summarize()`; then all have all utterances, in the order in which batches
        were shared out one by one (`Share`). Nothing happens in a process alone.
        """
        parts = gathered((self._batches, self.ids, self.scores, self.statuses))
        rows = interleaved([_by_batch(*part) for part in parts])
        self._batches = [len(batch) for batch in rows]
        joined = [row for batch in rows for row in batch]
        self.ids = [row[0] for row in joined]
        self.scores = [row[1] for row in joined]
        self.statuses = [row[2] for row in joined]
        self.summary = {}

    def summarize(self, field: str | None = None) -> Any:
        """Mean, lowest and highest score, and what could not be scored.

        Arguments
        ---------
        field : str, optional
            Return this entry alone.

        Returns
        -------
        dict, or one of its values
            ``average``, ``min_score``, ``min_id``, ``max_score``, ``max_id`` over the utterances that have
            a score (NaN and None if there are none); ``scored``, their number; ``failed``, the number of
            others; and ``failures``, the ids of those by the name of their `PesqStatus`.
        """
        scored = [i for i, status in enumerate(self.statuses) if status == PesqStatus.OK]
        failures: dict[str, list[str]] = {}
        for name, status in zip(self.ids, self.statuses, strict=True):
            if status != PesqStatus.OK:
                failures.setdefault(status.name, []).append(name)
        lowest = min(scored, key=self.scores.__getitem__, default=None)
        highest = max(scored, key=self.scores.__getitem__, default=None)
        nan = float("nan")
        self.summary = {
            "average": sum(self.scores[i] for i in scored) / len(scored) if scored else nan,
            "min_score": nan if lowest is None else self.scores[lowest],
            "min_id": None if lowest is None else self.ids[lowest],
            "max_score": nan if highest is None else self.scores[highest],
            "max_id": None if highest is None else self.ids[highest],
            "scored": len(scored),
            "failed": len(self.scores) - len(scored),
            "failures": failures,
        }
        return self.summary if field is None else self.summary[field]

    def write_stats(self, filestream: TextIO, verbose: bool = False) -> None:
        """Writes the summary.

        Arguments
        ---------
        filestream : file-like object
            Open for writing.
        verbose : bool
            Whether to print it too.
        """
        summary = self.summarize()
        lines = [
            f"PESQ-WB (P.862.2, without Corrigendum 2): {summary['average']:.4f}",
            f"Lowest: {summary['min_score']:.4f} id: {summary['min_id']}",
            f"Highest: {summary['max_score']:.4f} id: {summary['max_id']}",
            f"Scored: {summary['scored']}, not scored: {summary['failed']}",
        ]
        lines += [f"{name}: {', '.join(map(str, ids))}" for name, ids in summary["failures"].items()]
        message = "\n".join(lines) + "\n"
        filestream.write(message)
        if verbose:
            print(message)


def _by_batch(
    sizes: list[int], ids: list[str], scores: list[float], statuses: list[PesqStatus]
) -> list[list[tuple[str, float, PesqStatus]]]:
    rows = iter(zip(ids, scores, statuses, strict=True))
    return [list(itertools.islice(rows, size)) for size in sizes]
