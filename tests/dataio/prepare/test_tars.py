"""Tars of WebDataset hold what the files in them hold; what is wrong with them is named."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.prepare.tars import tar_members, tar_urls, unpacked
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.unusable import UnusableAudioError

webdataset = pytest.importorskip("webdataset")


def pack(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def as_bytes(signal, form="WAV"):
    stream = io.BytesIO()
    soundfile.write(stream, signal, 16000, format=form)
    return stream.getvalue()


@pytest.fixture
def tars(small_corpus, tmp_path):
    """Twenty recordings in three tars, two of each speaker."""
    paths = sorted(small_corpus.glob("*.wav"))
    for number in range(3):
        members = []
        for index, path in list(enumerate(paths))[number::3]:
            members += [(path.name, path.read_bytes()), (f"{path.stem}.txt", b"what was said")]
            members.append((f"{path.stem}.json", json.dumps({"speaker_id": index // 6}).encode()))
        pack(tmp_path / f"speech-{number:02}.tar", members)
    return tmp_path / "speech-{00..02}.tar"


@pytest.mark.parametrize("scheme", ["", "pipe:cat "])
def test_recordings_of_tars_are_those_of_the_files(tars, small_corpus, tmp_path, scheme):
    found = Recordings(f"{scheme}{tars}", cache_folder=tmp_path / "cache")
    files = Recordings(small_corpus, cache_folder=tmp_path / "cache")
    assert sorted(found.names) == files.names
    for number, name in enumerate(found.names):
        np.testing.assert_array_equal(found.read(number), files.read(files.names.index(name)))
    assert found.skipped == {} and len(list((tmp_path / "cache" / "recordings").glob("*.i16"))) == 4
    for number, name in enumerate(found.names):
        speaker = files.names.index(name) // 6
        others = {found.names[found.neighbour(number, place)] for place in np.arange(8) / 8}
        assert {files.names.index(other) // 6 for other in others} == {speaker}


def test_a_changed_tar_is_decoded_anew_and_the_others_are_not(tars, tmp_path, count_decoded):
    before = Recordings(str(tars), cache_folder=tmp_path / "cache")
    assert len(count_decoded) == len(before) == 20
    changed = tmp_path / "speech-01.tar"
    name, content = before.names[0], as_bytes(0.1 * np.sin(np.arange(16000)))
    pack(changed, [("new.wav", content)])
    after = Recordings(str(tars), cache_folder=tmp_path / "cache")
    assert len(count_decoded) == 21 and "new.wav" in after.names and name in after.names


def test_pairs_are_unpacked_once(tmp_path):
    random = np.random.default_rng(0)
    pairs = {f"p{n}": 0.1 * random.standard_normal((2, 16000 + n)) for n in range(5)}
    members = [
        (f"{key}.{side}.flac", as_bytes(signal, "FLAC"))
        for key, signals in pairs.items()
        for side, signal in zip(("clean", "noisy"), signals, strict=True)
    ]
    pack(tmp_path / "pairs.tar", members)
    folder = unpacked(tmp_path / "pairs.tar", tmp_path / "cache")
    for key, (clean, noisy) in pairs.items():
        for side, signal in (("clean", clean), ("noisy", noisy)):
            assert np.abs(read_mono(folder / side / f"{key}.flac")[0] - signal).max() < 1e-4
    report = prepare_pairs(folder, tmp_path / "manifests")
    assert report["train"]["pairs"] + report["valid"]["pairs"] == 5
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}
    assert unpacked(tmp_path / "pairs.tar", tmp_path / "cache") == folder
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}


def test_what_is_wrong_with_a_tar_is_named(tars, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a tar, but there is no file .*speech-03\.tar"):
        tar_urls(str(tars).replace("02}", "03}"))
    whole = (tmp_path / "speech-00.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableAudioError, match=r"cut\.tar: corrupt"):
        list(tar_members(str(tmp_path / "cut.tar")))
    for key in ("../out", "/tmp/out"):
        pack(tmp_path / "evil.tar", [(f"{key}.wav", as_bytes(np.zeros(100)))])
        with pytest.raises(UnusableAudioError, match="leads out of the tar"):
            unpacked(tmp_path / "evil.tar", tmp_path / "cache")
    assert not (tmp_path.parent / "out.wav").exists() and not Path("/tmp/out.wav").exists()
