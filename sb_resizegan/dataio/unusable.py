"""The error that every reader of recordings raises."""

import os

__all__ = ["UnusableAudioError"]


class UnusableAudioError(ValueError):
    """A file that holds no usable audio.

    Arguments
    ---------
    reason : str
        In a word or two: "corrupt", "empty", "not finite", "unreadable".
    path : str or Path
        The file.
    detail : str
        What was found.

    Example
    -------
    >>> print(UnusableAudioError("corrupt", "a.wav", "ends after 3 bytes"))
    a.wav: corrupt: ends after 3 bytes
    """

    def __init__(self, reason: str, path: str | os.PathLike, detail: str) -> None:
        super().__init__(f"{path}: {reason}: {detail}")
        self.reason = reason
        self._parts = (reason, path, detail)

    def __reduce__(self) -> tuple[type, tuple]:
        # Errors come back from worker processes by way of pickle.
        return type(self), self._parts
