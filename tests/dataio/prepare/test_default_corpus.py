"""The default corpus: what is in it, and what happens when its sources fail."""

import hashlib
import io
import multiprocessing
import os
import signal
import tarfile
import time

import numpy as np
import pytest
import soundfile
from G722 import G722

from sb_resizegan.dataio.prepare import default_corpus
from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError, prepare_default_corpus

NOWHERE = "http://127.0.0.1:9/nothing"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A machine without any tool, and so without apt-get."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    return tools


@pytest.fixture(scope="module")
def archive_folder(tmp_path_factory, speech_files):
    """Folder with a tarball laid out as upstream's is: 300 pieces of speech, tones, silence, a licence."""
    folder = tmp_path_factory.mktemp("archive")
    speech, _ = soundfile.read(speech_files[0], dtype="int16")
    names = [f"prompt-{number}" for number in range(290)] + [f"digits/{number}" for number in range(10)]
    with tarfile.open(folder / "asterisk-core-sounds-en-g722-1.6.1.tar.gz", "w:gz") as archive:
        for number, name in enumerate([*names, "beep", "silence/1"]):
            piece = speech[number * 1600 : number * 1600 + 3200]
            _add(archive, f"./{name}.g722", bytes(G722(16000, 64000).encode(piece)))
        _add(archive, "./LICENSE-asterisk-core-en-1.6.1", b"a licence")
    return folder


def _add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def trusted(archive_folder, monkeypatch):
    """Lets the test's tarball pass for upstream's; returns its address."""
    content = (archive_folder / "asterisk-core-sounds-en-g722-1.6.1.tar.gz").read_bytes()
    voice = default_corpus.LANGUAGES["en"]._replace(sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(default_corpus.LANGUAGES, "en", voice)
    return archive_folder.as_uri()


def test_corpus_is_speech_at_16_khz(corpus_folder):
    infos = {path: soundfile.info(path) for path in corpus_folder.rglob("*.wav")}
    assert {(info.samplerate, info.channels, info.subtype) for info in infos.values()} == {
        (16000, 1, "PCM_16")
    }
    assert 20 < sum(info.duration for info in infos.values()) / 60 < 30
    assert not (corpus_folder / "silence").exists()
    assert not (corpus_folder / "beep.wav").exists()


def test_attribution_is_kept_beside_the_corpus(corpus_folder):
    attribution = (corpus_folder.parent / "ATTRIBUTION.txt").read_text()
    assert "Allison Smith" in attribution
    assert "CC-BY-SA-3.0" in attribution
    assert "Allison Smith" in (corpus_folder.parent / "copyright").read_text()


def test_cached_corpus_needs_no_network(offline, corpus_folder):
    before = corpus_folder.parent.stat().st_mtime_ns
    cache = corpus_folder.parent.parent
    assert prepare_default_corpus("en", cache_folder=cache, archive_url=NOWHERE) == corpus_folder
    assert corpus_folder.parent.stat().st_mtime_ns == before


def test_no_cache_and_no_network_says_what_was_tried(offline, tmp_path):
    with pytest.raises(CorpusUnavailableError) as raised:
        prepare_default_corpus("en", cache_folder=tmp_path / "cache", archive_url=NOWHERE)
    message = str(raised.value)
    for expected in (
        "no apt-get",
        NOWHERE,
        "--data_folder",
        str(tmp_path / "cache" / "asterisk-core-sounds-en"),
    ):
        assert expected in message
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_failing_apt_get_is_quoted(offline, tmp_path):
    for tool in ("apt-get", "dpkg-deb"):
        (offline / tool).write_text("#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n")
        (offline / tool).chmod(0o755)
    with pytest.raises(CorpusUnavailableError, match="E: no such package"):
        prepare_default_corpus("en", cache_folder=tmp_path / "cache", archive_url=NOWHERE)


def test_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CorpusUnavailableError, match=r"cannot be written to the cache folder .*file"):
        prepare_default_corpus("en", cache_folder=tmp_path / "file" / "cache", archive_url=NOWHERE)


def test_tarball_serves_where_there_is_no_apt_get(offline, trusted, tmp_path, speech_files):
    folder = prepare_default_corpus("en", cache_folder=tmp_path, archive_url=trusted)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.wav")}
    assert len(names) == 300
    assert "digits/9.wav" in names
    assert "beep.wav" not in names
    assert (folder.parent / "LICENSE-asterisk-core-en-1.6.1").read_bytes() == b"a licence"
    original, _ = soundfile.read(speech_files[0], dtype="float64")
    decoded, _ = soundfile.read(folder / "prompt-20.wav", dtype="float64")
    # The codec's two filter banks delay by 22 samples.
    original, decoded = original[32000 : 32000 + len(decoded) - 22], decoded[22:]
    assert np.corrcoef(original, decoded)[0, 1] > 0.98


def test_changed_tarball_is_refused(offline, archive_folder, tmp_path):
    with pytest.raises(CorpusUnavailableError, match="expected SHA-256 59891033e7"):
        prepare_default_corpus("en", cache_folder=tmp_path / "cache", archive_url=archive_folder.as_uri())
    assert not (tmp_path / "cache" / "asterisk-core-sounds-en").exists()


def test_killed_download_leaves_no_half_corpus(offline, trusted, tmp_path):
    (offline / "apt-get").write_text("#!/bin/sh\n: > started.deb\nexec /bin/sleep 60\n")
    (offline / "dpkg-deb").write_text("#!/bin/sh\nexit 1\n")
    for tool in offline.iterdir():
        tool.chmod(0o755)
    cache = tmp_path / "cache"
    process = multiprocessing.get_context("fork").Process(target=_prepare_in_own_group, args=(cache, trusted))
    process.start()
    deadline = time.monotonic() + 30
    while not list(cache.glob(".*part-*/started.deb")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert list(cache.glob(".*part-*"))
    assert not (cache / "asterisk-core-sounds-en").exists()

    for tool in offline.iterdir():
        tool.unlink()
    folder = prepare_default_corpus("en", cache_folder=cache, archive_url=trusted)
    assert len(list(folder.rglob("*.wav"))) == 300
    assert not list(cache.glob(".*part-*"))


def _prepare_in_own_group(cache, archive_url):
    os.setpgid(0, 0)
    prepare_default_corpus("en", cache_folder=cache, archive_url=archive_url)


def test_processes_at_once_share_one_download(offline, trusted, tmp_path):
    context = multiprocessing.get_context("fork")
    with context.Pool(3) as pool:
        folders = pool.starmap(prepare_default_corpus, [("en", tmp_path / "cache", trusted)] * 3)
    assert set(folders) == {tmp_path / "cache" / "asterisk-core-sounds-en" / "wav"}
    assert len(list(folders[0].rglob("*.wav"))) == 300
    assert len(list((tmp_path / "cache").iterdir())) == 2
