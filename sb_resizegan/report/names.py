"""Names of files and systems as they can be shown."""

__all__ = ["printable"]


def printable(text: str) -> str:
    """A text that can be shown: bytes of a file's name that are no UTF-8 become replacement characters.

    Arguments
    ---------
    text : str
        With such bytes as surrogates, as Python reads them from the system.

    Returns
    -------
    str

    Example
    -------
    >>> printable("a\\udcffb") == "a\\ufffdb"
    True
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
