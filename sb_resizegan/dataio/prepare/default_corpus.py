"""The default corpus: licensed studio speech that anybody can fetch without a password.

The Asterisk project's voice prompts (about 25 minutes of one voice per language, G.722 at 16 kHz) come from
the Debian package ``asterisk-core-sounds-<language>-g722`` or, where there is no ``apt-get``, from the
tarball that Debian built it of.
"""

import shutil
import tarfile
import tempfile
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

import numpy as np
import soundfile
from speechbrain.utils.logger import get_logger

from sb_resizegan.dataio.prepare.archives import ArchiveSourceError, open_debian_package, open_tarball
from sb_resizegan.utils.files import user_cache_folder
from sb_resizegan.utils.locks import file_lock

__all__ = ["LANGUAGES", "CorpusUnavailableError", "prepare_default_corpus"]

logger = get_logger(__name__)

SAMPLE_RATE = 16000
VERSION = "1.6.1"
ARCHIVE_URL = "https://downloads.asterisk.org/pub/telephony/sounds/releases"
# Tones, chimes and silence, which every language's prompts contain.
NOT_SPEECH = {
    "ascending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",
    "confbridge-leave",
    "descending-2tone",
    *(f"silence/{seconds}" for seconds in range(1, 11)),
}
# A package that yields less than this is not the one that we know.
FEWEST_PROMPTS = 300


class _Voice(NamedTuple):
    """Who speaks, under which licence, and the SHA-256 of the upstream tarball.

    The checksums are those of Debian's signed source package 1.6.1-1 (``orig-<language>-g722.tar.gz``);
    OpenWrt's telephony feed pins the same ones for the upstream files.
    """

    speaker: str
    licence: str
    sha256: str


LANGUAGES = {
    "en": _Voice(
        "Allison Smith (http://www.theivrvoice.com), 2003-2010",
        "CC-BY-SA-3.0",
        "59891033e764d9dffc5ccdd78e845a1c8ea6bed0b434128bb0199c63ef591770",
    ),
    "es": _Voice(
        "Allison Smith (http://www.theivrvoice.com), 2003-2010",
        "CC-BY-SA-3.0",
        "3c474f73cc4f65478b3cf05ab0c5da19c8ce408699f61491f6aafba450cb540a",
    ),
    "fr": _Voice(
        "June Wallack (http://www.junewallack.com), 2006-2008",
        "CC-BY-SA-3.0",
        "7ff3ca96bbb295a6458e6eb1ff92690d9a5d0db0b4ddfa2c488237e4d251efbe",
    ),
    "it": _Voice(
        "Carlo Flora (http://www.carloflora.com), 2012",
        "CC-BY-3.0",
        "44a7fd7b067ff7f71df7fec31f9a8c960e13d35ca30c31878913c4020bfc00b6",
    ),
    "ru": _Voice(
        "Maxim Topal (http://www.ivrvoice.ru), 2010",
        "CC-BY-3.0",
        "fde2a071b811a081219138693d6813d122d91c2c3423936274b110b97645b61b",
    ),
}


class CorpusUnavailableError(RuntimeError):
    """The default corpus is neither in the cache nor to be had from anywhere."""


def prepare_default_corpus(
    language: str = "en", cache_folder: str | Path | None = None, archive_url: str = ARCHIVE_URL
) -> Path:
    """Returns the folder of the default corpus, fetching it the first time.

    Processes that call this at once wait for the first of them. The folder appears only when it is whole,
    with the licence and ``ATTRIBUTION.txt`` in the folder above it. Needs the network the first time only.

    Arguments
    ---------
    language : str
        One of ``LANGUAGES``: "en", "es", "fr", "it", "ru".
    cache_folder : str or Path, optional
        See ``user_cache_folder`` for the default.
    archive_url : str
        Folder on the web from which to take the tarball where ``apt-get`` is missing or fails. Its
        SHA-256 is checked.

    Returns
    -------
    Path
        Folder of 16 kHz, mono, 16-bit wav files, one prompt each, some in sub-folders.

    Raises
    ------
    ValueError
        If the language is unknown.
    CorpusUnavailableError
        If the corpus is not cached and no source can be reached.

    Example
    -------
    >>> prepare_default_corpus("tlh")
    Traceback (most recent call last):
    ...
    ValueError: language: expected one of en, es, fr, it, ru, but got 'tlh'
    """
    if language not in LANGUAGES:
        raise ValueError(f"language: expected one of {', '.join(LANGUAGES)}, but got {language!r}")
    cache = user_cache_folder(cache_folder)
    name = f"asterisk-core-sounds-{language}"
    folder = cache / name
    if (folder / "wav").is_dir():
        return folder / "wav"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with file_lock(cache / f".{name}.lock"):
            if not (folder / "wav").is_dir():
                _fetch(language, folder, archive_url)
    except OSError as error:
        raise CorpusUnavailableError(
            f"the default corpus cannot be written to the cache folder {cache}: {error}. {_advice()}"
        ) from error
    return folder / "wav"


def _advice() -> str:
    return (
        "Pass any folder of speech with --data_folder PATH, or set SB_RESIZEGAN_CACHE to a cache folder that "
        "holds the corpus or can be written to."
    )


def _fetch(language: str, folder: Path, archive_url: str) -> None:
    """Tries the sources in turn; fills a folder beside the destination, then renames it."""
    prefix = f".{folder.name}.part-"
    # Only the holder of the lock gets here: what lies about was left by a killed process.
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left)
    name = f"asterisk-core-sounds-{language}-g722"
    url = f"{archive_url.rstrip('/')}/{name}-{VERSION}.tar.gz"
    sources = {
        "Debian package": lambda scratch: open_debian_package(name, scratch),
        "upstream tarball": lambda scratch: open_tarball(url, scratch, LANGUAGES[language].sha256),
    }
    failures = []
    for source, open_archive in sources.items():
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as scratch:
            scratch = Path(scratch)
            whole = scratch / "corpus"
            logger.info("Fetching speech prompts (%s, about 11 MB): %s", language, source)
            try:
                with open_archive(scratch) as archive:
                    seconds = _decode(archive, whole)
            except (ArchiveSourceError, tarfile.TarError, EOFError) as error:
                failures.append(f"{source}: {error}")
                continue
            _write_attribution(language, source, whole)
            whole.rename(folder)
            logger.info("Decoded %.1f minutes of speech to %s", seconds / 60, folder)
            return
    tried = "".join(f"\n  - {failure}" for failure in failures)
    raise CorpusUnavailableError(
        f"the default corpus is not in the cache ({folder}) and could not be fetched:{tried}\n{_advice()}"
    )


def _decode(archive: tarfile.TarFile, folder: Path) -> float:
    """Decodes the spoken prompts of an open tar archive; returns their seconds."""
    from G722 import G722  # built from C, and needed here alone

    prompts, samples = 0, 0
    for member in archive:
        if not member.isfile():
            continue
        path = PurePosixPath(member.name)
        if path.suffix == ".g722":
            prompt = _prompt_name(path)
            if prompt in NOT_SPEECH:
                continue
            # Each prompt is a stream of its own: the decoder adapts, and starts afresh.
            decoder = G722(SAMPLE_RATE, 64000)
            waveform = np.asarray(decoder.decode(_content(archive, member)), dtype=np.int16)
            target = folder / "wav" / f"{prompt}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(target, waveform, SAMPLE_RATE, subtype="PCM_16")
            prompts += 1
            samples += len(waveform)
        elif path.name.startswith(("copyright", "LICENSE", "CREDITS")):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).write_bytes(_content(archive, member))
    if prompts < FEWEST_PROMPTS:
        raise ArchiveSourceError(
            f"expected at least {FEWEST_PROMPTS} prompts, but the archive holds {prompts}"
        )
    return samples / SAMPLE_RATE


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    assert stream is not None  # a file, no folder
    return stream.read()


def _prompt_name(path: PurePath) -> str:
    """The prompt's name as Asterisk knows it, the same for both sources: "hello" or "digits/1"."""
    groups = ("dictate", "digits", "followme", "letters", "phonetic", "silence")
    return f"{path.parent.name}/{path.stem}" if path.parent.name in groups else path.stem


def _write_attribution(language: str, source: str, folder: Path) -> None:
    voice = LANGUAGES[language]
    (folder / "ATTRIBUTION.txt").write_text(
        f"Asterisk core sounds, voice prompts, language {language}\n"
        f"Recorded by {voice.speaker}.\n"
        f"Licence: {voice.licence}. See the copyright notice in this folder for the full text.\n"
        f"Source: {ARCHIVE_URL} (asterisk-core-sounds-{language}-g722), obtained as: {source}.\n"
        "Changes: decoded from G.722 to 16-bit PCM at 16 kHz; tones and silence left out.\n",
        encoding="utf-8",
    )
