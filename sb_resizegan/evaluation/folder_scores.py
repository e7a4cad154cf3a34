"""Scores of two folders of recordings, pair by pair: PESQ, STOI, ESTOI and SI-SDR."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sb_resizegan.dataio.audio import UnusableAudioError, audio_header, count_frames
from sb_resizegan.dataio.long_signal import Signal, cut_alike, read_any_length
from sb_resizegan.evaluation.matched_folders import FolderOfSound, MatchedFolders
from sb_resizegan.evaluation.scoring import SAMPLE_RATE, score_sources
from sb_resizegan.evaluation.scoring_options import ScoringOptions


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
    noisy : Path, optional
        What was enhanced.
    transcript : str, optional
        What was said.
    scores : dict
        Figure by name; NaN where there is none, with a note.
    """

    name: str
    reference: Path
    degraded: Path
    seconds: float
    notes: list = field(default_factory=list)
    noisy: Path | None = None
    transcript: str | None = None
    scores: dict = field(default_factory=dict)


def find_pairs(
    reference_folder: Path, degraded_folder: Path, resampling: bool = False
) -> tuple[list[FilePair], list[str]]:
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
    >>> import numpy as np, soundfile
    >>> folder = getfixture("tmp_path")
    >>> for side, name in (("clean", "a.wav"), ("clean", "b.wav"), ("noisy", "a.flac")):
    ...     (folder / side).mkdir(exist_ok=True)
    ...     soundfile.write(folder / side / name, np.zeros(8000), 16000)
    >>> pairs, problems = find_pairs(folder / "clean", folder / "noisy")
    >>> [pair.name for pair in pairs], [line.rsplit(": ", 1)[1] for line in problems]
    (['a'], ['no partner among the degraded files'])
    """
    matched = MatchedFolders(reference_folder, degraded_folder)
    return inspected(matched, range(len(matched)), matched.problems, resampling)


def inspected(
    matched: MatchedFolders, numbers: Iterable[int], problems: list[str], resampling: bool = False
) -> tuple[list[FilePair], list[str]]:
    """Looks at some pairs: how long they are, and which cannot be scored.

    Arguments
    ---------
    matched : MatchedFolders
        What there is.
    numbers : iterable of int
        Which of them.
    problems : list of str
        Those that are known.
    resampling : bool
        As in `find_pairs()`.

    Returns
    -------
    pairs : list of FilePair
        Shortest first.
    problems : list of str
        With a line more for each pair that cannot be scored.
    """
    pairs, problems = [], list(problems)
    for number in numbers:
        pair = FilePair(*matched[int(number)], 0.0)
        problem = _inspect(pair, resampling)
        if problem is None:
            pairs.append(pair)
        else:
            problems.append(problem)
    return sorted(pairs, key=lambda pair: (pair.seconds, pair.name)), problems


def _inspect(pair: Any, resampling: bool) -> str | None:
    """Reads the headers of a pair; returns why it cannot be scored, or None."""
    headers, lengths = [], []
    for path in (pair.reference, pair.degraded):
        try:
            header = audio_header(path)
            frames = count_frames(path)
        except UnusableAudioError as error:
            return str(error)
        headers.append(header)
        lengths.append(math.ceil(frames * SAMPLE_RATE / header.samplerate))
    rates = [header.samplerate for header in headers]
    if rates != [SAMPLE_RATE] * 2:
        if not resampling:
            return (
                f"{pair.name}: expected {SAMPLE_RATE} Hz, but got {rates[0]} (reference) and {rates[1]} Hz "
                f"(degraded); resample the files or give --resample"
            )
        pair.notes.append(f"resampled from {rates[0]} and {rates[1]} Hz")
    if lengths[0] != lengths[1]:
        pair.notes.append(
            f"lengths differ: {lengths[0]} (reference) and {lengths[1]} samples (degraded) at "
            f"{SAMPLE_RATE} Hz; scored over the shorter"
        )
    channels = [header.channels for header in headers]
    if channels != [1, 1]:
        pair.notes.append(
            f"mixed down to one channel from {channels[0]} (reference) and {channels[1]} (degraded)"
        )
    pair.seconds = lengths[0] / SAMPLE_RATE
    return None


def noisy_versions(matched: MatchedFolders, folder: Path) -> FolderOfSound:
    """The folder of what was enhanced.

    Arguments
    ---------
    matched : MatchedFolders
        What is to be scored.
    folder : Path
        Searched as those of the pairs.

    Returns
    -------
    FolderOfSound

    Raises
    ------
    ValueError
        If there is none for a pair.
    """
    files = FolderOfSound(folder)
    for number in range(len(matched)):
        name = matched[number][0]
        if files.find(name) is None:
            raise ValueError(f"{folder}: expected the noisy version of {name!r}, but there is none")
    return files


def read_pair(pair: FilePair) -> list[Signal]:
    """Reads the files of a pair at 16 kHz, cut to the shortest one.

    Arguments
    ---------
    pair : FilePair

    Returns
    -------
    list of numpy.ndarray or LongSignal
        Reference and degraded, and noisy where there is one, float32; what is longer than 10 minutes lies on
        the disk.

    Raises
    ------
    UnusableAudioError
        If a file cannot be decoded.
    """
    paths = filter(None, (pair.reference, pair.degraded, pair.noisy))
    signals = [read_any_length(path, SAMPLE_RATE) for path in paths]
    return cut_alike(signals, SAMPLE_RATE)


def score_pairs(pairs: list[FilePair], options: ScoringOptions, progress: Callable | None = None) -> None:
    """Scores all pairs: PESQ in batches here, the rest file by file in other processes.

    Arguments
    ---------
    pairs : list of FilePair
        Their scores and notes are filled in.
    options : ScoringOptions
        What is measured, and where.
    progress : callable, optional
        Called with a number of pairs each time some are done, twice for each pair in all.
    """
    results = score_sources(
        pairs,
        read_pair,
        [pair.seconds for pair in pairs],
        options,
        progress,
        has_noisy=all(pair.noisy is not None for pair in pairs),
        transcripts=[pair.transcript for pair in pairs],
    )
    for pair, result in zip(pairs, results, strict=True):
        pair.notes += result.pop("notes")
        pair.scores.update(result)
