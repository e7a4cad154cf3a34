"""Fixtures shared by all tests: commands in this process; real speech, kept in the user's cache folder."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.commands.main import main
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.utterances import Utterance

torch.set_flush_denormal(True)

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores run tests: threads beside them, also of commands that tests call, only wait.
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


# Folders and files whose tests take seconds each: they train, or start the command in a process of its own.
SLOW = ("benchmarks", "commands", "comparison", "device", "test_faults.py")


def pytest_collection_modifyitems(items):
    """Marks tests by where they lie and by what they read."""
    tests = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""
        if place in SLOW:
            item.add_marker(pytest.mark.slow)
        if "corpus_folder" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.network)


@pytest.fixture
def call(capsys):
    """Function that runs a command line in this process, which spares what a new one takes to import.

    It gives the command's ``returncode``, ``stdout`` and ``stderr``.
    """

    def run(*words):
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code or 0
        printed = capsys.readouterr()
        if isinstance(status, str):  # Python prints it at the end of a process, whose status is 1 then
            return SimpleNamespace(returncode=1, stdout=printed.out, stderr=f"{printed.err}{status}\n")
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err)

    return run


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


@pytest.fixture(scope="session")
def utterances(speech_files):
    """Six utterances of 2 to 2.5 s at 0, 5 and 10 dB, the ratio stated for all but the last."""
    rng = np.random.default_rng(0)
    made = []
    for number, snr_db in enumerate((10, 0, 5, 5, 0, 10)):
        clean = soundfile.read(speech_files[number], dtype="float32")[0][16000 : 48000 + 1600 * number]
        noise = rng.standard_normal(len(clean))
        gain = np.sqrt(np.mean(clean**2) / np.mean(noise**2) * 10 ** (-snr_db / 10))
        noisy = (clean + gain * noise).astype(np.float32)
        made.append(Utterance(f"speech/{number}", noisy, clean, float(snr_db) if number < 5 else None))
    return made
