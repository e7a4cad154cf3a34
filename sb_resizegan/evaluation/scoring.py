"""Measures of enhanced speech against clean speech, utterance by utterance.

``pesq_wb`` is this package's PESQ, in batches on the device, ``pesq_wb_official`` that of package ``pesq``.
STOI and ESTOI are ``pystoi``'s, SI-SDR is SpeechBrain's SI-SNR, DNSMOS (P.835, without reference) is that of
``speechmos``, where it is installed.
"""

import concurrent.futures
import importlib
import multiprocessing
import os
import warnings
from typing import NamedTuple

import numpy as np
import torch
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.audio import UnusableAudioError
from sb_resizegan.metrics.pesq import PesqStatus, pesq_details

__all__ = ["LABELS", "Wanted", "batches", "dnsmos_installed", "score_sources", "score_utterances"]

logger = get_logger(__name__)

LABELS = {
    "pesq_wb": "PESQ-WB (P.862.2, no Corr. 2), sb_resizegan",
    "pesq_wb_official": "PESQ-WB (P.862.2, no Corr. 2), pesq 0.0.4",
    "stoi": "STOI (pystoi)",
    "estoi": "ESTOI (pystoi)",
    "si_sdr_db": "SI-SDR in dB (SpeechBrain)",
    "dnsmos_sig": "DNSMOS P.835 SIG (speechmos)",
    "dnsmos_bak": "DNSMOS P.835 BAK (speechmos)",
    "dnsmos_ovrl": "DNSMOS P.835 OVRL (speechmos)",
}
SAMPLE_RATE = 16000
BATCH_SECONDS = 400  # a batch of long utterances is cut short here, to bound the memory
# A process takes seconds to start and to import what it needs: less than this is sooner done here.
SECONDS_FOR_PROCESSES = 200
STOI_SECONDS = 0.4  # of 30 frames, the fewest that STOI is defined for


def score_utterances(
    references,
    estimates,
    sample_rate=16000,
    official=True,
    jobs=None,
    device="cpu",
    batch_size=16,
    dnsmos=None,
    intelligibility=True,
):
    """Scores enhanced utterances.

    Arguments
    ---------
    references : sequence of numpy.ndarray or torch.Tensor
        Clean speech, ``(time,)`` each.
    estimates : sequence of numpy.ndarray or torch.Tensor
        What is scored, of the same lengths.
    sample_rate : int
        16000 Hz.
    official : bool
        Whether to call the ``pesq`` package too.
    jobs : int, optional
        Processes for all but the batched PESQ; 0 does it here. By default here for less than 200 s of audio,
        else in one process for each core but one.
    device : str or torch.device
        Where the batched PESQ runs.
    batch_size : int
        Most utterances in a batch of PESQ.
    dnsmos : bool, optional
        Whether to call ``speechmos``; by default where it is installed.
    intelligibility : bool
        Whether to compute STOI and ESTOI.

    Returns
    -------
    list of dict
        For each utterance, in order, the measures of :data:`LABELS` that were asked for, NaN
        where an utterance has none, and under ``notes`` a list of str that says why.

    Raises
    ------
    ValueError
        For another sampling rate, or if references and estimates differ in number, shape or length.

    Example
    -------
    >>> speech = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> scores = score_utterances([speech, speech], [speech, 0 * speech], official=False)
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
    pairs = [
        tuple(np.asarray(x, dtype=np.float32) for x in pair)
        for pair in zip(references, estimates, strict=True)
    ]
    for number, (reference, estimate) in enumerate(pairs):
        if reference.ndim != 1 or reference.shape != estimate.shape:
            raise ValueError(
                f"utterance {number}: expected a reference and an estimate (time,) of one length, but got "
                f"{reference.shape} and {estimate.shape}"
            )
    seconds = [len(reference) / SAMPLE_RATE for reference, _ in pairs]
    if jobs is None and sum(seconds) < SECONDS_FOR_PROCESSES:
        jobs = 0
    dnsmos = dnsmos_installed() if dnsmos is None else dnsmos
    wanted = Wanted(official, dnsmos, intelligibility)
    return score_sources(pairs, _itself, seconds, wanted, device, batch_size, jobs)


class Wanted(NamedTuple):
    """What is measured besides this package's PESQ and SI-SDR."""

    official: bool = False
    """PESQ of the ``pesq`` package."""

    dnsmos: bool = False
    """DNSMOS of ``speechmos``."""

    intelligibility: bool = True
    """STOI and ESTOI."""


def score_sources(sources, load, seconds, wanted, device="cpu", batch_size=16, jobs=None, progress=None):
    """Scores pairs of signals wherever they are: PESQ in batches here, the rest one by one elsewhere.

    Arguments
    ---------
    sources : sequence
        What stands for a pair; goes to other processes, so it must be picklable.
    load : callable
        From a source to reference and estimate, float32 arrays ``(time,)`` at 16 kHz; may raise
        ``UnusableAudioError``. A function of a module.
    seconds : sequence of float
        About how long each pair is.
    wanted : Wanted
        The measures.
    device : str or torch.device
        Where the batches are scored.
    batch_size : int
        Most pairs in a batch.
    jobs : int, optional
        Processes, 0 for none; by default one for each core but one, which scores the batches.
    progress : callable, optional
        Called with a number of pairs each time some are done, twice for each pair in all.

    Returns
    -------
    list of dict
        As :func:`score_utterances`.
    """
    progress = progress or (lambda count: None)
    results = [{"pesq_wb": float("nan"), "notes": []} for _ in sources]
    jobs = max(1, os.cpu_count() - 1) if jobs is None else jobs
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
                pool.submit(_load_and_score, source, load, wanted): index
                for index, source in enumerate(sources)
            }
        for batch in batches(seconds, batch_size):
            _score_pesq([(results[index], sources[index]) for index in batch], load, device)
            progress(len(batch))
        if pool:
            for done in concurrent.futures.as_completed(waiting):
                others[waiting[done]] = done.result()
                progress(1)
        else:
            for index, source in enumerate(sources):
                others[index] = _load_and_score(source, load, wanted)
                progress(1)
    finally:
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)
    for index, result in enumerate(results):
        scores, notes = others[index]
        found = {**result, **scores}
        found["notes"] = result["notes"] + notes
        results[index] = {name: found[name] for name in (*LABELS, "notes") if name in found}
    return results


def batches(seconds, batch_size):
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
    batch = []
    for index in sorted(range(len(seconds)), key=lambda index: seconds[index]):
        # Padding makes every one as long as the longest, which is the newest.
        if batch and (len(batch) == batch_size or (len(batch) + 1) * seconds[index] > BATCH_SECONDS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def dnsmos_installed():
    """Whether DNSMOS can be had; says so once if not.

    Returns
    -------
    bool
    """
    try:
        importlib.import_module("speechmos.dnsmos")
    except ImportError as error:
        logger.warning_once(
            "No DNSMOS: %s. pip install 'sb_resizegan[dnsmos]' brings what it needs.", str(error)
        )
        return False
    return True


def _itself(pair):
    return pair


def _start_worker():
    torch.set_num_threads(1)
    # Twice as fast for the pesq package, with the same scores.
    torch.set_flush_denormal(True)


def _score_pesq(batch, load, device):
    """Fills in this package's PESQ of a batch of ``(result, source)``."""
    loaded = []
    for result, source in batch:
        try:
            loaded.append((result, load(source)))
        except UnusableAudioError as error:
            result["notes"].append(str(error))
    if not loaded:
        return
    longest = max(1, *(len(reference) for _, (reference, _) in loaded))
    padded = np.zeros((2, len(loaded), longest), dtype=np.float32)
    for row, (_, signals) in enumerate(loaded):
        padded[:, row, : len(signals[0])] = signals
    lengths = torch.tensor([len(signals[0]) / longest for _, signals in loaded], dtype=torch.float64)
    details = pesq_details(*torch.from_numpy(padded).to(device), lengths=lengths.to(device))
    for (result, _), score, status in zip(loaded, details.mos_lqo.tolist(), details.status, strict=True):
        result["pesq_wb"] = score
        if status != PesqStatus.OK:
            result["notes"].append(f"PESQ refused: {PesqStatus(status).name.lower().replace('_', ' ')}")


def _load_and_score(source, load, wanted):
    """All other measures of a pair, NaN where there is none, and notes that say why."""
    measures = {_si_sdr: ["si_sdr_db"]}
    if wanted.intelligibility:
        measures[_intelligibility] = ["stoi", "estoi"]
    if wanted.official:
        measures[_official] = ["pesq_wb_official"]
    if wanted.dnsmos:
        measures[_dnsmos] = ["dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"]
    scores, notes = {name: float("nan") for names in measures.values() for name in names}, []
    try:
        reference, estimate = load(source)
    except UnusableAudioError:
        return scores, notes  # the batched PESQ says so
    finite = np.isfinite(reference).all() and np.isfinite(estimate).all()
    if not (finite and np.any(reference) and np.any(estimate)):
        return scores, notes  # as well
    for measure in measures:
        measure(reference, estimate, scores, notes)
    return scores, notes


def _unit(*signals):
    """Signals with a peak of 1: so that constants inside a measure without scale mean the same for all."""
    return [signal.astype(np.float64) / np.abs(signal).max() for signal in signals]


def _intelligibility(reference, estimate, scores, notes):
    from pystoi import stoi

    if len(reference) < STOI_SECONDS * SAMPLE_RATE:
        notes.append(f"stoi, estoi: under {STOI_SECONDS} s")
        return
    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 where fewer than 30 frames have speech.
        warnings.filterwarnings("error", category=RuntimeWarning)
        for name, extended in (("stoi", False), ("estoi", True)):
            try:
                scores[name] = float(stoi(*_unit(reference, estimate), SAMPLE_RATE, extended=extended))
            except RuntimeWarning as warning:
                notes.append(f"{name}: {str(warning).split('.')[0]}")


def _si_sdr(reference, estimate, scores, notes):
    from speechbrain.nnet.losses import cal_si_snr

    columns = [torch.from_numpy(x).view(-1, 1, 1) for x in _unit(reference, estimate)]
    scores["si_sdr_db"] = -float(cal_si_snr(*columns))


def _official(reference, estimate, scores, notes):
    import pesq as package

    try:
        scores["pesq_wb_official"] = float(package.pesq(SAMPLE_RATE, reference, estimate, "wb"))
    except (package.PesqError, ValueError) as error:
        notes.append(f"pesq package refused: {type(error).__name__}")


def _dnsmos(reference, estimate, scores, notes):
    from speechmos import dnsmos

    peak = np.abs(estimate).max()
    if peak > 1:
        notes.append(f"DNSMOS: scaled to full scale, from {20 * np.log10(peak):.1f} dB above")
        estimate = estimate / peak
    found = dnsmos.run(estimate, sr=SAMPLE_RATE)
    for name in ("sig", "bak", "ovrl"):
        scores[f"dnsmos_{name}"] = float(found[f"{name}_mos"])
