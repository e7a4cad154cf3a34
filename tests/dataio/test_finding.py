"""One walker and one list of endings: training, enhancing, scoring and measuring find the same files."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import AUDIO_SUFFIXES, read_mono
from sb_resizegan.dataio.cut_windows import cut_windows
from sb_resizegan.dataio.finding import files_below, left_out_lines, why_left_out
from sb_resizegan.dataio.prepare.pair_layouts import find_pair_files
from sb_resizegan.dataio.prepare.sources import find_recordings
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.evaluation.folder_scores import find_pairs
from sb_resizegan.inference.file_trees import find_jobs

RATE = 16000
NAMES = (
    *("a.wav", "deep/er/b.AU", "c.oga", "d.aifc", "e.w64", "linked/f.flac", "alias.wav"),
    *("$x$ #1=2 'q' \"r\".wav", "new\nline.wav", "n" * 251 + ".wav", os.fsdecode(b"\xff\xfe.wav")),
)


def fill(folder):
    """Recordings, and whatever else may lie beside them."""
    tone = 0.1 * np.sin(np.arange(RATE))
    (folder / "deep" / "er").mkdir(parents=True)
    elsewhere = folder.parent / f"{folder.name} elsewhere"
    elsewhere.mkdir()
    forms = {".au": "AU", ".oga": "OGG", ".aifc": "AIFF", ".w64": "W64", ".flac": "FLAC", ".wav": "WAV"}
    for number, name in enumerate(NAMES):
        path = elsewhere / "f.flac" if name.startswith("linked/") else folder / name
        if name != "alias.wav":
            sound = np.roll(tone, number)
            soundfile.write(os.fsencode(path), sound, RATE, format=forms[Path(name).suffix.lower()])
    (folder / "linked").symlink_to(elsewhere)
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "alias.wav").symlink_to(folder / "a.wav")
    (folder / "dead.wav").symlink_to(folder / "nowhere.wav")
    os.mkfifo(folder / "pipe.wav")
    for name in ("song.m4a", "notes.txt", "._a.wav", ".hidden.wav"):
        (folder / name).write_bytes(b"x")
    (folder / ".cache").mkdir()
    soundfile.write(folder / ".cache" / "g.wav", tone, RATE)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("tree") / "noisy")


def test_files_come_once_with_links_followed_and_hidden_ones_left(folder):
    found = {name: why_left_out(folder / name) for name in files_below(folder)}
    assert {name for name, reason in found.items() if reason is None} == set(NAMES)
    others = {name: reason for name, reason in found.items() if reason is not None}
    assert others == {
        "dead.wav": "unreadable",
        "pipe.wav": "unreadable",
        "song.m4a": "unreadable format",
        "notes.txt": "not audio",
    }
    assert left_out_lines(others.items()) == [
        "not audio: 1 (.txt)",
        "unreadable: 2 (dead.wav, pipe.wav)",
        "unreadable format: 1 (song.m4a)",
    ]
    once = list(files_below(folder, once=True))
    assert ("alias.wav" in once) != ("a.wav" in once) and len(once) == len(found) - 1


def test_training_enhancing_scoring_and_measuring_find_the_same(folder, tmp_path):
    jobs = find_jobs([folder], tmp_path / "out", left_out=(left_out := []))
    assert {job.source.relative_to(folder) for job in jobs} == set(map(Path, NAMES))
    assert {name.rsplit("/", 1)[1] for name, _ in left_out} == {
        *("dead.wav", "pipe.wav", "song.m4a", "notes.txt")
    }
    pairs, problems = find_pairs(folder, folder)
    assert {str(pair.reference.relative_to(folder)) for pair in pairs} == set(NAMES)
    assert all(any(name in line for line in problems) for name in ("dead.wav", "pipe.wav", "song.m4a"))
    windows = cut_windows(folder, 1000)
    assert windows.files == len(NAMES)
    assert set(windows.skipped) == {str(folder / name) for name in ("dead.wav", "pipe.wav", "song.m4a")}
    once = set(NAMES) - {"alias.wav"}
    assert once <= {file.name for file in find_recordings(folder)} | {"a.wav"}
    report = prepare_speech(folder, tmp_path / "manifests")
    assert report["train"]["files"] + report["valid"]["files"] == len(once)
    assert report["skipped"] == {
        "not audio": ["notes.txt"],
        "unreadable": ["dead.wav", "pipe.wav"],
        "unreadable format": ["song.m4a"],
    }


def test_pairs_are_found_under_any_name(tmp_path):
    (tmp_path / "corpus").mkdir()
    fill(tmp_path / "corpus" / "noisy")
    fill(tmp_path / "corpus" / "clean")
    found = find_pair_files(tmp_path / "corpus")
    assert {pair.name for pair in found.pairs} == {os.path.splitext(name)[0] for name in NAMES} | {
        *("dead", "pipe")
    }
    assert {path.name for path in found.left_out["unreadable format"]} == {"song.m4a"}


def test_every_ending_of_the_list_can_be_read(tmp_path):
    forms = {
        **{".au": "AU", ".snd": "AU", ".caf": "CAF", ".flac": "FLAC", ".mp3": "MP3", ".nist": "NIST"},
        **{".sph": "NIST", ".oga": "OGG", ".ogg": "OGG", ".opus": "OGG", ".rf64": "RF64", ".w64": "W64"},
        **{".wav": "WAV", ".aif": "AIFF", ".aifc": "AIFF", ".aiff": "AIFF"},
    }
    assert set(forms) == AUDIO_SUFFIXES
    for ending, form in forms.items():
        subtype = "OPUS" if ending == ".opus" else None
        soundfile.write(tmp_path / f"a{ending}", np.zeros(RATE), RATE, subtype, format=form)
        assert len(read_mono(tmp_path / f"a{ending}")[0]) == RATE
