"""Fixtures shared by all tests: real speech, fetched once and kept in the user's cache folder."""

import shutil

import pytest
import soundfile
import torch

from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus

torch.set_flush_denormal(True)


@pytest.fixture(scope="session")
def corpus_folder():
    """Folder of the default corpus: 16 kHz mono wav files of one English voice (read only, please)."""
    return prepare_default_corpus("en")


@pytest.fixture(scope="session")
def speech_files(corpus_folder):
    """Paths of the 40 longest prompts, longest first."""
    paths = sorted(corpus_folder.rglob("*.wav"))
    return sorted(paths, key=lambda path: soundfile.info(path).frames, reverse=True)[:40]


@pytest.fixture(scope="session")
def small_corpus(speech_files, tmp_path_factory):
    """Folder with copies of 20 prompts of 7 to 20 seconds, 4.4 minutes in all, for quick runs of recipes."""
    folder = tmp_path_factory.mktemp("small_corpus")
    chosen = [path for path in speech_files if soundfile.info(path).duration < 20][:20]
    for path in chosen:
        shutil.copy(path, folder / path.name)
    return folder
