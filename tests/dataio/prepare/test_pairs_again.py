"""Preparing pairs again: after changes, damage, a full disk, a kill, and two at once."""

import errno
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.resampling import resample
from tests.paired_trees import (
    facts,
    file_size_limit,
    read_manifests,
    write,
    write_folders,
    write_voicebank,
)

RATE = 16000


def test_second_start_reads_and_writes_nothing(studio, tmp_path):
    # Also with the manifests inside of the folder that is searched.
    out = studio / "out"
    first = prepare_pairs(studio, out)
    before = facts(out)
    assert prepare_pairs(studio, out) == first
    assert facts(out) == before


def test_changes_are_noticed(studio, tmp_path, pieces):
    out = tmp_path / "out"
    reports = [prepare_pairs(studio, out)]
    write_voicebank(studio, pieces, ["p240_001"])
    reports.append(prepare_pairs(studio, out))
    old_copies = facts(out / "resampled")
    write_voicebank(studio, pieces[1:], ["p240_001"])
    reports.append(prepare_pairs(studio, out))
    (studio / "log_testset.txt").write_text("p232_001 bus 2.5\n")
    reports.append(prepare_pairs(studio, out))
    reports.append(prepare_pairs(studio, out, min_seconds=1.28))
    assert len({report["stamp"] for report in reports}) == 5
    assert read_manifests(out, studio)["test"]["p232_001"]["snr_db"] == 2.5
    # p226_001 has 1.25 s, and nobody needs its copies any more; nor the former ones of p240_001.
    assert reports[4]["skipped"] == {"too short": ["clean_trainset_28spk_wav/p226_001.wav"]}
    new_copies = facts(out / "resampled")
    assert len(new_copies) == 2 * 5
    assert len(new_copies.items() & old_copies.items()) == 2 * 4


def test_file_of_the_same_size_is_resampled_anew(studio, tmp_path, pieces):
    prepare_pairs(studio, tmp_path / "out")
    changed = studio / "clean_testset_wav/p232_001.wav"
    write(changed, -read_mono(changed)[0], 48000)
    prepare_pairs(studio, tmp_path / "out")
    copy, _ = read_mono(read_manifests(tmp_path / "out", studio)["test"]["p232_001"]["clean"])
    np.testing.assert_array_equal(copy, resample(read_mono(changed)[0], 48000, RATE))


def content(path):
    """A file's bytes, but for the time that libsndfile writes into wav files of floating-point numbers."""
    found = path.read_bytes()
    place = found.find(b"PEAK", 0, 200)
    return found if place < 0 else found[: place + 12] + found[place + 16 :]


@pytest.mark.parametrize("damage", ["train.json", "report.json", "garbage", "garbled manifest", "copy"])
def test_damage_is_made_good(studio, tmp_path, damage):
    out = tmp_path / "out"
    prepare_pairs(studio, out)
    before = {path: content(path) for path in out.rglob("*") if path.is_file()}
    if damage == "garbage":
        (out / "report.json").write_text('{"stamp": ')
    elif damage == "garbled manifest":
        (out / "train.json").write_text("[1, 2")
    elif damage == "copy":
        next((out / "resampled").iterdir()).unlink()
    else:
        (out / damage).unlink()
    prepare_pairs(studio, out)
    assert {path: content(path) for path in out.rglob("*") if path.is_file()} == before


def test_full_disk_loses_nothing(tmp_path, pieces):
    """The system refuses the larger copies; later, only what is missing is made."""
    data, out = tmp_path / "data", tmp_path / "out"
    write_folders(data, pieces, ["a.wav", "b.wav", "c.wav"], 48000)
    write_folders(data, [np.concatenate(pieces)], ["long.wav"], 48000)
    with (
        file_size_limit(100_000),
        pytest.raises(OSError, match=r"nothing half-written counts.*start again") as caught,
    ):
        prepare_pairs(data, out)
    assert caught.value.errno == errno.EFBIG
    assert not list(out.glob("*.json"))
    copies = facts(out / "resampled")
    lengths = {"a": 20000, "b": 20700, "c": 21400}
    assert copies
    assert all(soundfile.info(path).frames == lengths[path.name.split("-")[0]] for path in copies)
    report = prepare_pairs(data, out)
    assert report["train"]["pairs"] + report["valid"]["pairs"] == 4
    assert copies.items() <= facts(out / "resampled").items()


def test_full_disk_for_the_manifests(folders, tmp_path):
    out = tmp_path / "out"
    expected = prepare_pairs(folders, tmp_path / "elsewhere")
    with file_size_limit(50), pytest.raises(OSError, match="nothing half-written counts"):
        prepare_pairs(folders, out)
    assert {path.name for path in out.iterdir()} == {".pairs.lock"}
    assert prepare_pairs(folders, out) == expected


def test_killed_in_the_middle(tmp_path, pieces):
    """A process without a chance to clean up, then a second start."""
    data, out = tmp_path / "data", tmp_path / "out"
    write_folders(data, [np.concatenate(pieces)], ["0.wav"], 48000)
    for side in ("clean", "noisy"):
        for number in range(1, 25):
            (data / side / f"{number}.wav").symlink_to(data / side / "0.wav")
    module = "sb_resizegan.dataio.prepare.pairs"
    code = f"import sys; from {module} import prepare_pairs; prepare_pairs(*sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, data, out], stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("resampled/[0-9]*.wav")):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    copies = facts(out)
    finished = {path: fact for path, fact in copies.items() if path.suffix == ".wav" and path.name[0] != "."}
    assert 0 < len(finished) < 50
    assert not (out / "report.json").exists()
    # As a process leaves it that is killed while it writes.
    half = next(iter(finished)).read_bytes()[:1000]
    (out / "resampled/.1-0123.abcd.wav").write_bytes(half)
    report = prepare_pairs(data, out)
    assert report["resampled"] == 25
    after = facts(out / "resampled")
    assert finished.items() <= after.items()
    assert len(after) == 50
    assert len({path.stat().st_size for path in after}) == 1


def test_two_at_once_do_the_work_once(studio, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: prepare_pairs(studio, tmp_path / "out"), range(2))
    assert first == second
    assert len(list((tmp_path / "out/resampled").iterdir())) == 10
