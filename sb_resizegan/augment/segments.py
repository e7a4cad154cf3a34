"""Segments of a fixed length from recordings of any length: speech with pauses, noise without end."""

import numpy as np

from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.utils.random import Draws

__all__ = ["noise_segment", "speech_segment"]

FADE_SECONDS = 0.005
LOOP_FADE_SECONDS = 0.02
PAUSE_SECONDS = (0.1, 0.6)
# Pieces below this say nothing.
SHORTEST_SECONDS = 0.2
SILENT_ENDS = 0.15
LONGEST_SILENT_END = 0.25
LEVEL_STEP_DB = 3.0
# Of active speech, and of each voice that babbles.
SPEECH_RMS = 0.1


def speech_segment(speech: Recordings, draws: Draws, samples: int) -> tuple[np.ndarray, int]:
    """A segment that holds active speech, of one utterance or of several of the same folder.

    A moment of activity is drawn, each equally likely, and comes to lie anywhere in the segment but within
    its outer tenths. Where the utterance ends before the segment does, another one of its folder follows
    after a pause of 0.1 to 0.6 s, and so on. Active speech has an RMS of about 0.1 (an utterance's own, from
    ``Recordings.levels``; those that follow differ by up to 3 dB). With a probability of 0.15 each, silence
    takes up to a quarter of the segment at its beginning and at its end.

    Arguments
    ---------
    speech : Recordings
        Utterances.
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length of the segment.

    Returns
    -------
    tuple
        The segment, ``(samples,)`` float32, and the number of its first recording.
    """
    fade = int(FADE_SECONDS * speech.sample_rate)
    lead, trail = (
        int(draws.between(0, LONGEST_SILENT_END) * samples) if draws.chance(SILENT_ENDS) else 0
        for _ in range(2)
    )
    cursor, end = lead, samples - trail
    recording, anchor = speech.locate(draws.number())
    before = int(draws.between(0.1, 0.9) * (end - cursor))
    start = max(min(anchor - before, speech.facts(recording).samples - (end - cursor)), 0)
    first, gain_db = recording, 0.0
    segment = np.zeros(samples, dtype=np.float32)
    while True:
        piece = speech.read(recording, start, end - cursor)
        piece *= np.float32(SPEECH_RMS / speech.facts(recording).level * 10 ** (gain_db / 20))
        # What is cut off by the segment's own edges needs no fade.
        _fade_edges(piece, fade if cursor > 0 else 0, fade if cursor + len(piece) < samples else 0)
        segment[cursor : cursor + len(piece)] = piece
        cursor += len(piece) + int(draws.between(*PAUSE_SECONDS) * speech.sample_rate)
        if end - cursor < SHORTEST_SECONDS * speech.sample_rate:
            return segment, first
        recording, start = speech.neighbour(recording, draws.number()), 0
        gain_db = draws.between(-LEVEL_STEP_DB, LEVEL_STEP_DB)


def noise_segment(noise: Recordings, recording: int, anchor: int, draws: Draws, samples: int) -> np.ndarray:
    """A stretch of a recording around a moment of it; a shorter recording runs in a loop.

    Where the loop closes, end and beginning are cross-faded for 20 ms at equal power.

    Arguments
    ---------
    noise : Recordings
        What is read from.
    recording, anchor : int
        A sample of a recording, as from ``Recordings.locate``.
    draws : Draws
        Where the random numbers come from.
    samples : int
        Length of the segment.

    Returns
    -------
    numpy.ndarray
        ``(samples,)``, float32, at the level of the recording.
    """
    length = noise.facts(recording).samples
    start = anchor - int(draws.number() * samples)
    if length >= samples:
        return noise.read(recording, max(min(start, length - samples), 0), samples)
    loop = noise.read(recording)
    fade = min(int(LOOP_FADE_SECONDS * noise.sample_rate), length // 4)
    if fade > 0:
        angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
        loop[:fade] = loop[:fade] * np.sin(angle) + loop[-fade:] * np.cos(angle)
        loop = loop[: length - fade]
    return np.take(loop, np.arange(start, start + samples), mode="wrap")


def _fade_edges(piece: np.ndarray, first: int, last: int) -> None:
    for fade, part in ((first, piece), (last, piece[::-1])):
        fade = min(fade, len(part))
        part[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
