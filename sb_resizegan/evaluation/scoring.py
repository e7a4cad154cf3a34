"""Scores of many utterances: PESQ in batches on the device, everything else pair by pair in processes.

What is scored is this package's PESQ, ``pesq_wb``, and any of
`sb_resizegan.metrics.speech_scores.SCORES`.
"""

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sb_resizegan.dataio.audio import UnusableAudioError
from sb_resizegan.evaluation.scoring_options import ScoringOptions, columns_of
from sb_resizegan.metrics.pair_score import Context
from sb_resizegan.metrics.pesq import PesqStatus, pesq_details
from sb_resizegan.metrics.speech_scores import score_pair

__all__ = ["batches", "score_sources", "score_utterances"]

SAMPLE_RATE = 16000
# This package's PESQ takes 1.7 MB for each second. P.862 was made for utterances.
LONGEST_PESQ = 600  # seconds
BATCH_SECONDS = 400  # a batch of long utterances is cut short here, to bound the memory
# A process takes seconds to start and to import what it needs: less than this is sooner done here.
SECONDS_FOR_PROCESSES = 200


def score_utterances(
    references: Sequence[np.ndarray | torch.Tensor],
    estimates: Sequence[np.ndarray | torch.Tensor],
    options: ScoringOptions | None = None,
    sample_rate: int = SAMPLE_RATE,
    noisy: Sequence[np.ndarray | torch.Tensor] | None = None,
    transcripts: Sequence[str | None] | None = None,
) -> list[dict]:
    """Scores enhanced utterances.

    Arguments
    ---------
    references : sequence of numpy.ndarray or torch.Tensor
        Clean speech, ``(time,)`` each.
    estimates : sequence of numpy.ndarray or torch.Tensor
        What is scored, of the same lengths.
    options : ScoringOptions, optional
        What is measured, and where. Less than 200 s of audio are scored here, unless it names a number of
        processes.
    sample_rate : int
        16000 Hz.
    noisy : sequence of numpy.ndarray or torch.Tensor, optional
        What was enhanced, for the scores that need it.
    transcripts : sequence of str or None, optional
        What was said, for word error rates.

    Returns
    -------
    list of dict
        For each utterance, in order, its figures by measure, NaN where it has none, and under ``notes`` a
        list of str that says why.

    Raises
    ------
    ValueError
        For another sampling rate, if references and estimates differ in number, shape or length, or if a
        score needs the noisy speech and there is none.

    Example
    -------
    >>> speech = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> options = ScoringOptions(scores=["si_sdr"])
    >>> scores = score_utterances([speech, speech], [speech, 0 * speech], options)
    >>> round(scores[0]["pesq_wb"], 3), round(scores[1]["pesq_wb"], 3), scores[1]["notes"]
    (4.644, nan, ['PESQ refused: silent degraded'])
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"expected sample_rate {SAMPLE_RATE}, but got {sample_rate}; resample the signals first"
        )
    if len(references) != len(estimates):
        raise ValueError(
            f"expected as many references as estimates, but got {len(references)} and {len(estimates)}"
        )
    columns = [references, estimates] if noisy is None else [references, estimates, noisy]
    pairs = [tuple(np.asarray(x, dtype=np.float32) for x in pair) for pair in zip(*columns, strict=True)]
    for number, (reference, estimate, *others) in enumerate(pairs):
        if others and others[0].shape != reference.shape:
            raise ValueError(
                f"utterance {number}: expected noisy speech of the reference's shape {reference.shape}, "
                f"but got {others[0].shape}"
            )
        if reference.ndim != 1 or reference.shape != estimate.shape:
            raise ValueError(
                f"utterance {number}: expected a reference and an estimate (time,) of one length, but got "
                f"{reference.shape} and {estimate.shape}"
            )
    options = options or ScoringOptions()
    seconds = [len(reference) / SAMPLE_RATE for reference, *_ in pairs]
    if options.jobs is None and sum(seconds) < SECONDS_FOR_PROCESSES:
        options = replace(options, jobs=0)
    return score_sources(
        pairs, _itself, seconds, options, has_noisy=noisy is not None, transcripts=transcripts
    )


def score_sources(
    sources: Sequence[Any],
    load: Callable,
    seconds: Sequence[float],
    options: ScoringOptions,
    progress: Callable | None = None,
    has_noisy: bool = False,
    transcripts: Sequence[str | None] | None = None,
) -> list[dict]:
    """Scores pairs of signals wherever they are: PESQ in batches here, the rest one by one elsewhere.

    Arguments
    ---------
    sources : sequence
        What stands for a pair; goes to other processes, so it must be picklable.
    load : callable
        From a source to reference and estimate, and what was enhanced where it is there: float32 arrays
        ``(time,)`` at 16 kHz; may raise ``UnusableAudioError``. A function of a module.
    seconds : sequence of float
        About how long each pair is.
    options : ScoringOptions
        What is measured, and where.
    progress : callable, optional
        Called with a number of pairs each time some are done, twice for each pair in all.
    has_noisy : bool
        Whether ``load`` gives what was enhanced too.
    transcripts : sequence of str or None, optional
        What was said.

    Returns
    -------
    list of dict
        As `score_utterances()`.
    """
    progress = progress or (lambda count: None)
    names = options.names(has_noisy)
    transcripts = [None] * len(sources) if transcripts is None else list(transcripts)
    results = [{"pesq_wb": float("nan"), "notes": []} for _ in sources]
    jobs = max(1, (os.cpu_count() or 1) - 1) if options.jobs is None else options.jobs
    # A fresh interpreter for each worker: forking a process whose threads hold locks can hang.
    pool = (
        concurrent.futures.ProcessPoolExecutor(
            min(jobs, len(sources)), multiprocessing.get_context("spawn"), _start_worker
        )
        if jobs and sources
        else None
    )
    others = {}
    try:
        if pool:
            waiting = {
                pool.submit(_load_and_score, source, load, names, transcripts[index]): index
                for index, source in enumerate(sources)
            }
        for batch in batches(seconds, options.batch_size):
            _score_pesq([(results[index], sources[index]) for index in batch], load, options.device)
            progress(len(batch))
        if pool:
            for done in concurrent.futures.as_completed(waiting):
                others[waiting[done]] = done.result()
                progress(1)
        else:
            for index, source in enumerate(sources):
                others[index] = _load_and_score(source, load, names, transcripts[index])
                progress(1)
    finally:
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)
    columns = columns_of(names)
    for index, result in enumerate(results):
        figures, notes = others[index]
        found = {**result, **figures}
        results[index] = {**{name: found[name] for name in columns}, "notes": result["notes"] + notes}
    return results


def batches(seconds: Sequence[float], batch_size: int) -> Iterator[list[int]]:
    """Cuts utterances, shortest first, into batches of at most a size and a number of seconds.

    Arguments
    ---------
    seconds : sequence of float
        Length of each utterance.
    batch_size : int

    Yields
    ------
    list of int
        Numbers of utterances.

    Example
    -------
    >>> list(batches([300, 1, 300, 1], 3))
    [[1, 3], [0], [2]]
    """
    batch: list[int] = []
    for index in sorted(range(len(seconds)), key=lambda index: seconds[index]):
        # Padding makes every one as long as the longest, which is the newest.
        if batch and (len(batch) == batch_size or (len(batch) + 1) * seconds[index] > BATCH_SECONDS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _itself(pair: Any) -> Any:
    return pair


def _start_worker() -> None:
    torch.set_num_threads(1)
    # Twice as fast for the pesq package, with the same scores.
    torch.set_flush_denormal(True)


def _score_pesq(batch: Any, load: Callable, device: str | torch.device) -> None:
    """Fills in this package's PESQ of a batch of ``(result, source)``."""
    loaded = []
    for result, source in batch:
        try:
            signals = load(source)[:2]
        except UnusableAudioError as error:
            result["notes"].append(str(error))
            continue
        seconds = len(signals[0]) / SAMPLE_RATE
        if seconds > LONGEST_PESQ:
            result["notes"].append(f"PESQ refused: {seconds:.0f} s, the limit is {LONGEST_PESQ} s")
        else:
            loaded.append((result, signals))
    if not loaded:
        return
    longest = max(1, *(len(reference) for _, (reference, _) in loaded))
    padded = np.zeros((2, len(loaded), longest), dtype=np.float32)
    for row, (_, signals) in enumerate(loaded):
        padded[:, row, : len(signals[0])] = signals
    lengths = torch.tensor([len(signals[0]) / longest for _, signals in loaded], dtype=torch.float64)
    reference, estimate = torch.from_numpy(padded).to(device)
    details = pesq_details(reference, estimate, lengths=lengths.to(device))
    for (result, _), score, status in zip(loaded, details.mos_lqo.tolist(), details.status, strict=True):
        result["pesq_wb"] = score
        if status != PesqStatus.OK:
            result["notes"].append(f"PESQ refused: {PesqStatus(status).name.lower().replace('_', ' ')}")


def _load_and_score(source: Any, load: Callable, names: Sequence[str], transcript: str | None) -> Any:
    """All scores of a pair but this package's PESQ."""
    try:
        reference, estimate, *noisy = load(source)
    except UnusableAudioError:
        # The batched PESQ says so.
        nothing = np.zeros(0, dtype=np.float32)
        return score_pair(nothing, nothing, names)
    return score_pair(reference, estimate, names, Context(noisy[0] if noisy else None, transcript))
