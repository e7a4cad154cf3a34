"""WebDataset's tars as sources: samples of one or several sound files each, local or by URL."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES
from sb_resizegan.dataio.unusable import UnusableAudioError
from sb_resizegan.utils.extras import require
from sb_resizegan.utils.files import replacing, user_cache_folder
from sb_resizegan.utils.partial import sync
from sb_resizegan.utils.shared_pieces import SharedPieces

__all__ = ["TarMember", "is_tar", "tar_members", "tar_urls", "unpacked"]

ENDINGS = (".tar", ".tar.gz", ".tgz")
SIDES = ("clean", "noisy")
SPEAKERS = ("speaker", "speaker_id", "spk_id")


class TarMember(NamedTuple):
    """A sound file of a sample."""

    name: str
    """Key and ending: ``p225_001.flac``; of a pair ``clean/p225_001.wav``."""

    content: bytes
    """The file."""

    speaker: str | None
    """Who speaks, where the sample's json says so."""


def is_tar(source: str | os.PathLike) -> bool:
    """Whether a source is one or several tars: by its ending, or a command to read one from (``pipe:``).

    Example
    -------
    >>> [is_tar(source) for source in ("a-{000..099}.tar", "https://x/a.tar?t=1", "pipe:cat a", "folder")]
    [True, True, True, False]
    """
    name = os.fspath(source)
    return name.startswith("pipe:") or name.partition("?")[0].lower().endswith(ENDINGS)


def tar_urls(pattern: str | os.PathLike) -> list[str]:
    """The tars of a pattern such as ``speech-{000..099}.tar``, in its order.

    Arguments
    ---------
    pattern : str or Path
        As WebDataset has them: braces, ``::`` between several, files or URLs or ``pipe:COMMAND``.

    Returns
    -------
    list of str
        Files by their absolute paths.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    MissingExtraError
        Without the extra ``webdataset``.

    Example
    -------
    >>> tar_urls("https://example.org/speech-{00..01}.tar")
    ['https://example.org/speech-00.tar', 'https://example.org/speech-01.tar']
    """
    require(["webdataset"], "webdataset", "reading tars")
    from webdataset.shardlists import expand_urls

    urls = []
    for url in expand_urls(os.fspath(pattern)):
        if not _is_remote(url):
            path = Path(url).expanduser().absolute()
            if not path.is_file():
                raise FileNotFoundError(f"sources: expected a tar, but there is no file {str(path)!r}")
            url = str(path)
        urls.append(url)
    return urls


def tar_members(url: str) -> Iterator[TarMember]:
    """Yields the sound files of a tar, in its order; what else a sample holds does not matter.

    Arguments
    ---------
    url : str
        From `tar_urls()`.

    Yields
    ------
    TarMember

    Raises
    ------
    UnusableAudioError
        If it cannot be read to its end, or a name leads out of it.
    MissingExtraError
        Without the extra ``webdataset``.
    """
    require(["webdataset"], "webdataset", "reading tars")
    from webdataset import WebDataset

    samples = WebDataset(url, shardshuffle=False, nodesplitter=None, workersplitter=None, empty_check=False)
    iterator = iter(samples)
    while True:
        try:
            sample = next(iterator, None)
        except Exception as error:  # of tarfile, of a pipe, of a network: all kinds
            raise UnusableAudioError("corrupt", url, str(error)) from error
        if sample is None:
            return
        key = sample["__key__"]
        if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
            raise UnusableAudioError("corrupt", url, f"the name {key!r} leads out of the tar")
        speaker = _speaker(sample.get("json"))
        for field, content in sample.items():
            *before, ending = field.split(".")
            if f".{ending}" not in AUDIO_SUFFIXES:
                continue
            folder = f"{before[0]}/" if before and before[0] in SIDES else ""
            middle = "".join(f".{part}" for part in before[bool(folder) :])
            yield TarMember(f"{folder}{key}{middle}.{ending}", content, speaker)


def unpacked(pattern: str | os.PathLike, cache_folder: str | os.PathLike | None = None) -> Path:
    """The sound files of tars in a folder, for what wants files: pairs, enhancing, scoring.

    Each tar is unpacked once, by whichever process gets there first. Fields ``clean.*`` and ``noisy.*`` of a
    sample, the two sides of a pair, go to folders of these names.

    Arguments
    ---------
    pattern : str or Path
        As for `tar_urls()`.
    cache_folder : str or Path, optional
        Where the folder goes: see `user_cache_folder()` for the default.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError, UnusableAudioError, MissingExtraError
        As `tar_urls()` and `tar_members()`.
    """
    urls = tar_urls(pattern)
    stamps = [tar_stamp(url) for url in urls]
    name = hashlib.sha256(" ".join(stamps).encode()).hexdigest()[:16]
    folder = user_cache_folder(cache_folder) / "tars" / name
    done = folder / ".done"
    done.mkdir(parents=True, exist_ok=True)

    def make(number: int, step: Callable[[], object]) -> None:
        for member in tar_members(urls[number]):
            with replacing(folder / member.name) as temporary:
                temporary.write_bytes(member.content)
            step()
        (done / stamps[number]).touch()
        sync(done)

    numbers = range(len(urls))
    SharedPieces(done, stamps, lambda number: (done / stamps[number]).exists(), make).make(numbers)
    return folder


def tar_stamp(url: str) -> str:
    """Digest of a tar's place, and of its size and time where it is a file."""
    facts = None
    if not _is_remote(url):
        status = os.stat(url)
        facts = status.st_size, status.st_mtime_ns
    return hashlib.sha256(f"{url}\0{facts}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _is_remote(url: str) -> bool:
    return url.startswith("pipe:") or "://" in url


def _speaker(described: bytes | None) -> str | None:
    try:
        facts = json.loads(described or b"{}")
    except ValueError:
        return None  # of some other kind
    found = [facts[name] for name in SPEAKERS if name in facts] if isinstance(facts, dict) else []
    return str(found[0]) if found else None
