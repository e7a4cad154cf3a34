"""Scores of two folders of recordings, pair by pair: PESQ, STOI, ESTOI and SI-SDR."""

import concurrent.futures
import multiprocessing
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch

from sb_resizegan.dataio.audio import UnusableAudioError, read_mono, resample
from sb_resizegan.metrics.pesq import PesqStatus, pesq_details

SAMPLE_RATE = 16000
SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".w64"))
BATCH_SECONDS = 400  # a batch of long files is cut short here, to bound the memory


@dataclass
class FilePair:
    """A reference and its degraded version.

    Arguments
    ---------
    name : str
        Path within both folders, without suffix.
    reference, degraded : Path
        The files.
    seconds : float
        Length of the reference.
    notes : list of str
        What a reader of the scores should know.
    scores : dict
        Figure by name; NaN where there is none, with a note.
    """

    name: str
    reference: Path
    degraded: Path
    seconds: float
    notes: list = field(default_factory=list)
    scores: dict = field(default_factory=dict)


def _audio_files(folder):
    """Files by their path without suffix, and complaints about those of one name."""
    files, problems = {}, []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                problems.append(f"{path}: same name as {files[name].name}, left out")
            else:
                files[name] = path
    return files, problems


def find_pairs(reference_folder, degraded_folder, resampling=False):
    """Matches the recordings of two folders by their path without suffix.

    Arguments
    ---------
    reference_folder, degraded_folder : Path
        Searched with all folders in them.
    resampling : bool
        Whether to take rates other than 16 kHz; they are resampled when read.

    Returns
    -------
    pairs : list of FilePair
        Ready to be scored, shortest first.
    problems : list of str
        A line for each file left out: no partner, unreadable, or at another rate.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for side, name in (("clean", "a.wav"), ("clean", "b.wav"), ("noisy", "a.flac")):
    ...     (folder / side).mkdir(exist_ok=True)
    ...     soundfile.write(folder / side / name, np.zeros(8000), 16000)
    >>> pairs, problems = find_pairs(folder / "clean", folder / "noisy")
    >>> [pair.name for pair in pairs], [line.rsplit(": ", 1)[1] for line in problems]
    (['a'], ['no partner among the degraded files'])
    """
    references, problems = _audio_files(Path(reference_folder))
    degraded, more = _audio_files(Path(degraded_folder))
    problems += more
    problems += [
        f"{references[name]}: no partner among the degraded files"
        for name in references
        if name not in degraded
    ]
    problems += [
        f"{degraded[name]}: no partner among the references" for name in degraded if name not in references
    ]
    pairs = []
    for name in sorted(references.keys() & degraded.keys()):
        pair = FilePair(name, references[name], degraded[name], 0.0)
        problem = _inspect(pair, resampling)
        if problem is None:
            pairs.append(pair)
        else:
            problems.append(problem)
    return sorted(pairs, key=lambda pair: pair.seconds), problems


def _inspect(pair, resampling):
    """Reads the headers of a pair; returns why it cannot be scored, or None."""
    headers = []
    for path in (pair.reference, pair.degraded):
        try:
            headers.append(soundfile.info(os.fsencode(path)))
        except soundfile.SoundFileError as error:
            return f"{path}: corrupt: {error}"
    rates = [header.samplerate for header in headers]
    if rates != [SAMPLE_RATE] * 2:
        if not resampling:
            return (
                f"{pair.name}: expected {SAMPLE_RATE} Hz, but got {rates[0]} (reference) and {rates[1]} Hz "
                f"(degraded); resample the files or give --resample"
            )
        pair.notes.append(f"resampled from {rates[0]} and {rates[1]} Hz")
    elif headers[0].frames != headers[1].frames:
        pair.notes.append(
            f"lengths differ: {headers[0].frames} (reference) and {headers[1].frames} samples (degraded); "
            f"scored over the shorter"
        )
    pair.seconds = headers[0].duration
    return None


def read_pair(pair):
    """Reads both files of a pair at 16 kHz, cut to the shorter one.

    Arguments
    ---------
    pair : FilePair

    Returns
    -------
    list of numpy.ndarray
        Reference and degraded, float32.

    Raises
    ------
    UnusableAudioError
        If a file cannot be decoded.
    """
    signals = []
    for path in (pair.reference, pair.degraded):
        waveform, rate = read_mono(path)
        signals.append(waveform if rate == SAMPLE_RATE else resample(waveform, rate, SAMPLE_RATE))
    length = min(len(signal) for signal in signals)
    return [np.asarray(signal[:length], dtype=np.float32) for signal in signals]


def batches(pairs, batch_size):
    """Cuts pairs, sorted by length, into batches of at most a size and a number of seconds.

    Arguments
    ---------
    pairs : list of FilePair
    batch_size : int

    Yields
    ------
    list of FilePair

    Example
    -------
    >>> pairs = [FilePair(str(s), None, None, s) for s in (1, 1, 300, 300)]
    >>> [len(batch) for batch in batches(pairs, 3)]
    [2, 1, 1]
    """
    batch = []
    for pair in pairs:
        # Padding makes every one as long as the longest, which is the newest.
        if batch and (len(batch) == batch_size or (len(batch) + 1) * pair.seconds > BATCH_SECONDS):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def score_pesq(batch, device="cpu"):
    """Scores a batch with this package's PESQ, under ``pesq_wb``.

    Arguments
    ---------
    batch : list of FilePair
        Their scores and notes are added to.
    device : str or torch.device
    """
    loaded = []
    for pair in batch:
        pair.scores["pesq_wb"] = float("nan")
        try:
            loaded.append((pair, read_pair(pair)))
        except UnusableAudioError as error:
            pair.notes.append(str(error))
    if not loaded:
        return
    longest = max(len(signals[0]) for _, signals in loaded)
    padded = np.zeros((2, len(loaded), longest), dtype=np.float32)
    for row, (_, signals) in enumerate(loaded):
        padded[:, row, : len(signals[0])] = signals
    lengths = torch.tensor([len(signals[0]) / longest for _, signals in loaded], dtype=torch.float64)
    details = pesq_details(*torch.from_numpy(padded).to(device), lengths=lengths.to(device))
    for (pair, _), score, status in zip(loaded, details.mos_lqo.tolist(), details.status, strict=True):
        pair.scores["pesq_wb"] = score
        if status != PesqStatus.OK:
            pair.notes.append(f"PESQ refused: {PesqStatus(status).name.lower().replace('_', ' ')}")


def score_others(pair, official):
    """STOI, ESTOI (pystoi), SI-SDR (SpeechBrain's SI-SNR) and, if wanted, PESQ of the ``pesq`` package.

    Arguments
    ---------
    pair : FilePair
    official : bool
        Whether to call the ``pesq`` package.

    Returns
    -------
    scores : dict
        ``stoi``, ``estoi``, ``si_sdr_db`` and perhaps ``pesq_wb_official``; NaN where there is none.
    notes : list of str
        Why.
    """
    import pesq as package
    from pystoi import stoi
    from speechbrain.nnet.losses import cal_si_snr

    names = ["stoi", "estoi", "si_sdr_db", *(["pesq_wb_official"] if official else [])]
    scores, notes = dict.fromkeys(names, float("nan")), []
    try:
        reference, degraded = read_pair(pair)
    except UnusableAudioError:
        return scores, notes  # the batched PESQ says so
    if not (np.any(reference) and np.any(degraded)):
        return scores, notes
    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 where fewer than 30 frames have speech.
        warnings.filterwarnings("error", category=RuntimeWarning)
        for name, extended in (("stoi", False), ("estoi", True)):
            try:
                scores[name] = float(stoi(reference, degraded, SAMPLE_RATE, extended=extended))
            except RuntimeWarning as warning:
                notes.append(f"{name}: {str(warning).split('.')[0]}")
    columns = [torch.from_numpy(x.astype(np.float64)).view(-1, 1, 1) for x in (reference, degraded)]
    scores["si_sdr_db"] = -float(cal_si_snr(*columns))
    if official:
        try:
            scores["pesq_wb_official"] = float(package.pesq(SAMPLE_RATE, reference, degraded, "wb"))
        except (package.PesqError, ValueError) as error:
            notes.append(f"pesq package refused: {type(error).__name__}")
    return scores, notes


def _start_worker():
    torch.set_num_threads(1)
    # Twice as fast for the pesq package, with the same scores.
    torch.set_flush_denormal(True)


def score_pairs(pairs, device="cpu", official=False, batch_size=16, jobs=None, progress=None):
    """Scores all pairs: PESQ in batches here, the rest file by file in other processes.

    Arguments
    ---------
    pairs : list of FilePair
        Sorted by length; their scores and notes are filled in.
    device : str or torch.device
        Where the batches are scored.
    official : bool
        Whether to call the ``pesq`` package too.
    batch_size : int
        Most pairs in a batch.
    jobs : int, optional
        Processes; by default one for each core but one, which scores the batches.
    progress : callable, optional
        Called with a number of pairs each time some are done, twice for each pair in all.
    """
    progress = progress or (lambda count: None)
    # A fresh interpreter for each worker: forking a process whose threads hold locks can hang.
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs or max(1, os.cpu_count() - 1), multiprocessing.get_context("spawn"), _start_worker
    )
    try:
        waiting = {pool.submit(score_others, pair, official): pair for pair in pairs}
        for batch in batches(pairs, batch_size):
            score_pesq(batch, device)
            progress(len(batch))
        for done in concurrent.futures.as_completed(waiting):
            scores, notes = done.result()
            waiting[done].scores.update(scores)
            waiting[done].notes.extend(notes)
            progress(1)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
