"""Checks of room impulse responses before a training begins."""

from sb_resizegan.dataio.recordings import Recordings

__all__ = ["UnusableResponsesError", "check_responses"]


class UnusableResponsesError(ValueError):
    """Room impulse responses that mixtures cannot be made with."""


def check_responses(rirs: Recordings, segment_samples: int) -> None:
    """Makes sure that all responses can be used for segments of a length.

    Arguments
    ---------
    rirs : Recordings
        Room impulse responses, read with ``impulse_responses=True``.
    segment_samples : int
        Length of the segments.

    Raises
    ------
    UnusableResponsesError
        If one is silent, longer than the segment, or had a lower sampling rate and so lacks the upper band.
    """
    silent = rirs.skipped.get("silent", [])
    if silent:
        raise UnusableResponsesError(
            f"rir: expected room responses with sound in them, but {len(silent)} are silent, such as "
            f"{silent[0]}"
        )
    rate = rirs.sample_rate
    longest = int(rirs.lengths.argmax())
    if rirs.lengths[longest] > segment_samples:
        raise UnusableResponsesError(
            f"rir: expected room responses no longer than a segment of {segment_samples / rate:g} s, but "
            f"{rirs.names[longest]} takes {rirs.lengths[longest] / rate:g} s"
        )
    lowest = int(rirs.source_rates.argmin())
    if rirs.source_rates[lowest] < rate:
        raise UnusableResponsesError(
            f"rir: expected room responses at {rate} Hz or above, but {rirs.names[lowest]} has "
            f"{rirs.source_rates[lowest]} Hz"
        )
