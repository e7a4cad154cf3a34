"""VoiceBank-DEMAND as it is downloaded: its folders of clean and noisy files, and its logs."""

import re
from pathlib import Path

from sb_resizegan.dataio.prepare.pair_lists import SIDES
from sb_resizegan.dataio.prepare.pair_matching import FoundPairs, PairFiles, files_by_key, joined

__all__ = ["VOICEBANK_FOLDER", "find_voicebank"]

VOICEBANK_FOLDER = re.compile(r"(clean|noisy)_(train|test)set(?:_(28|56)spk)?(?:_wav)?(_?16k(?:hz)?)?", re.I)
VOICEBANK_LOG = re.compile(r"log_(train|test)set.*\.txt", re.I)


def find_voicebank(
    found: FoundPairs, folders: list[tuple[Path, list[str], list]], sample_rate: int, wanted: set[str]
) -> list[tuple[str, PairFiles]] | None:
    """The corpus's pairs.

    Arguments
    ---------
    found : FoundPairs
        Takes the logs that were read, and what is left out.
    folders : list of tuple
        Path, names of its folders, names of its files.
    sample_rate : int
        Of the training to come, in Hz: up to 16000, 16 kHz copies are preferred.
    wanted : set of str
        "28", "56": the speakers of the training sets.

    Returns
    -------
    list of tuple or None
        Name of the set and `PairFiles`; None if there is no such folder.
    """
    # Set, then whether it is a 16 kHz copy, then side.
    sets: dict[tuple[str, str | None], dict[bool, dict[str, Path]]] = {}
    for folder, subfolders, _ in folders:
        for name in subfolders:
            match = VOICEBANK_FOLDER.fullmatch(name)
            if match is None:
                continue
            side, split, speakers, copy = match.groups()
            # The corpus' first edition has the 28 speakers, and says so nowhere.
            speakers = None if split.lower() == "test" else speakers or "28"
            if speakers is None or speakers in wanted:
                versions = sets.setdefault((split.lower(), speakers), {})
                versions.setdefault(copy is not None, {}).setdefault(side.lower(), folder / name)
    if not sets:
        return None
    found.texts = [
        folder / name for folder, _, names in folders for name in names if VOICEBANK_LOG.fullmatch(name)
    ]
    snrs: dict[str, float] = {}
    for path in found.texts:
        snrs |= _read_log(path)
    sources = []
    for (split, speakers), versions in sets.items():
        copy = max(versions, key=lambda copy: (len(versions[copy]), copy == (sample_rate <= 16000)))
        sides = [files_by_key(found, versions[copy].get(side), lambda name: name.stem) for side in SIDES]
        sources += [
            (speakers or "", PairFiles(name, split, clean, noisy, snrs.get(name), name.split("_")[0]))
            for name, clean, noisy in joined(*sides)
        ]
    return sources


def _read_log(path: Path) -> dict[str, float]:
    """SNR by file of VoiceBank-DEMAND's logs: lines of name, noise, SNR."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = (re.fullmatch(r"\s*(\S+)\s+\S+\s+(-?\d+(?:\.\d+)?)\s*", line) for line in lines)
    return {match[1]: float(match[2]) for match in matches if match}
