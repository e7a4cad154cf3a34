"""Files and folders that are replaced: whole or not at all, with their permissions, and nobody else's."""

import itertools
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from sb_resizegan.utils import folders
from sb_resizegan.utils.files import remove_partial, replacing
from sb_resizegan.utils.folders import replacing_folder
from tests.forked import kill_at_work


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, umask, mask):
    umask(mask)
    with replacing(tmp_path / "a" / "file.txt") as temporary:
        temporary.write_text("x")
    with replacing_folder(tmp_path / "folder", {"file"}) as temporary:
        (temporary / "file").write_text("x")
    assert mode(tmp_path / "a" / "file.txt") == mode(tmp_path / "folder" / "file") == 0o666 & ~mask
    assert mode(tmp_path / "a") == mode(tmp_path / "folder") == 0o777 & ~mask


def test_what_is_replaced_keeps_its_mode(tmp_path, umask):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert mode(tmp_path / "file") == 0o640 and (tmp_path / "file").read_text() == "new"
    for _ in range(2):
        with replacing_folder(tmp_path / "folder", {"file"}) as temporary:
            (temporary / "file").write_text("x")
        (tmp_path / "folder").chmod(0o750)
    assert mode(tmp_path / "folder") == 0o750


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    for make in (replacing(tmp_path / "folder" / "file"), replacing_folder(tmp_path / "folder", {"file"})):
        with pytest.raises(OSError, match="no"), make as temporary:
            raise OSError("no")
        assert not temporary.exists()
    assert [p.read_text() for p in tmp_path.rglob("*") if p.is_file()] == ["old"]


def test_names_as_long_as_names_may_be(tmp_path):
    path = tmp_path / ("ä" * 125 + ".flac")  # 255 bytes
    for text in ("one", "two"):
        with replacing(path) as temporary:
            assert temporary.suffix == ".flac"
            temporary.write_text(text)
    assert path.read_text() == "two" and len(list(tmp_path.iterdir())) == 1


WRITER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from sb_resizegan.utils.files import replacing
    with replacing(Path(sys.argv[1]), ".partial") as temporary:
        temporary.write_text("half")
        print(temporary.name, flush=True)
        time.sleep(60)
""")


def start_writer(path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    return process, path.with_name(process.stdout.readline().strip())


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    path = tmp_path / "sound.wav"
    process, theirs = start_writer(path)
    try:
        remove_partial(path, ".partial")
        assert theirs.read_text() == "half"
        with replacing(path, ".partial") as ours:
            assert ours != theirs
            ours.write_text("whole")
        assert path.read_text() == "whole" and theirs.read_text() == "half"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # The next who writes the same file clears it away, and so does who asks for it.
    with replacing(path, ".partial") as ours:
        assert ours == theirs and ours.read_text() == ""
        ours.write_text("again")
    assert [p.name for p in tmp_path.iterdir()] == ["sound.wav"]
    path.with_name(".sound.wav.00000007.partial").write_text("half")
    path.with_name(".sound.wav.notes.partial").write_text("mine")
    remove_partial(path, ".partial")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".sound.wav.notes.partial", "sound.wav"]


def test_files_of_others_outlive_a_folder(tmp_path):
    folder = tmp_path / "model"
    for text in ("old", "new"):
        with replacing_folder(folder, {"weights", "card"}) as temporary:
            (temporary / "weights").write_text(text)
        (folder / f"{text} notes").write_text("mine")
        (folder / "plots").mkdir(exist_ok=True)
        (folder / "plots" / f"{text}.png").write_text("mine")
    assert (folder / "weights").read_text() == "new"
    assert {p.name for p in folder.rglob("*")} == {
        "weights",
        "old notes",
        "new notes",
        "plots",
        "old.png",
        "new.png",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_replaced_through_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with replacing_folder(tmp_path / "link", {"weights"}) as temporary:
        (temporary / "weights").write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "weights").read_text() == "new"


def replace_for_ever(under_way, folder, way):
    if way == "two renamings":
        folders._exchange = lambda first, second: False  # in this process alone
    for number in itertools.count(1):
        with replacing_folder(folder, {"a", "b"}) as temporary:
            for name in "ab":
                (temporary / name).write_text(str(number) * 20_000)
        if number == 1:
            (folder / "notes").write_text("mine")
            under_way()


@pytest.mark.parametrize("way", ["exchange", "two renamings"])
def test_killed_at_any_moment_leaves_a_whole_folder(tmp_path, way):
    """Kills a process that does nothing but replace a folder; the next start makes good what is left."""
    folder = tmp_path / "model"
    for trial in range(6):
        kill_at_work(replace_for_ever, folder, way, seconds=0.03 + 0.017 * trial)
        if way == "exchange":
            assert (folder / "a").read_text() == (folder / "b").read_text()
    with replacing_folder(folder, {"a", "b"}) as temporary:
        for name in "ab":
            (temporary / name).write_text("last")
    assert sorted(p.name for p in folder.iterdir()) == ["a", "b", "notes"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_kill_between_two_renamings_is_made_good(tmp_path):
    """The only moment without a folder, where the file system cannot exchange two."""
    aside = tmp_path / ".model.00000000.aside"
    aside.mkdir()
    (aside / "weights").write_text("old")
    with pytest.raises(OSError, match="no"), replacing_folder(tmp_path / "model", {"weights"}):
        assert (tmp_path / "model" / "weights").read_text() == "old"
        raise OSError("no")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
