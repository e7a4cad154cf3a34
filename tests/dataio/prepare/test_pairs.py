"""Pairs are checked, resampled once and accounted for; a crash or a full disk costs nothing but time."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.prepare.pair_matching import NoPairsError
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.resampling import resample
from sb_resizegan.dataio.utterances import read_pair_manifest
from tests.paired_trees import (
    file_size_limit,
    noisy_of,
    speech_pieces,
    write,
    write_folders,
    write_pair,
    write_voicebank,
)

RATE = 16000


@pytest.fixture(scope="module")
def pieces(speech_files):
    return speech_pieces(speech_files, 6)


@pytest.fixture
def folders(tmp_path, pieces):
    write_folders(tmp_path / "data", pieces, ["a.wav", "b.wav", "c.wav"])
    return tmp_path / "data"


@pytest.fixture
def studio(tmp_path, pieces):
    """VoiceBank-DEMAND at 48 kHz."""
    write_voicebank(tmp_path / "data", pieces, ["p226_001", "p230_001", "p287_002", "p239_003"])
    write_voicebank(tmp_path / "data", pieces[4:], ["p232_001"], "testset")
    return tmp_path / "data"


def read_manifests(folder, data_root):
    paths = [folder / f"{split}.json" for split in ("train", "valid", "test")]
    return {path.stem: read_pair_manifest(path, data_root) for path in paths if path.exists()}


def facts(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_size) for path in paths}


def test_voicebank_is_resampled_once_and_validates_on_two_speakers(studio, tmp_path):
    before = facts(studio)
    report = prepare_pairs(studio, tmp_path / "out")
    assert facts(studio) == before
    assert report["layout"] == "voicebank"
    assert (report["resampled"], report["cut"], report["skipped"]) == (5, 0, {})
    manifests = read_manifests(tmp_path / "out", studio)
    assert {split: list(entries) for split, entries in manifests.items()} == {
        "train": ["p230_001", "p239_003"],
        "valid": ["p226_001", "p287_002"],
        "test": ["p232_001"],
    }
    for split, entries in manifests.items():
        assert report[split]["seconds"] == pytest.approx(
            sum(entry["length"] for entry in entries.values()), abs=1e-3
        )
        for name, entry in entries.items():
            part = "testset" if split == "test" else "trainset_28spk"
            for side in ("clean", "noisy"):
                original, _ = read_mono(studio / f"{side}_{part}_wav" / f"{name}.wav")
                copy, rate = read_mono(entry[side])
                assert rate == RATE
                np.testing.assert_array_equal(copy, resample(original, 48000, RATE))
                assert entry["length"] == pytest.approx(len(copy) / RATE)


def test_right_rate_stays_where_it_is(tmp_path, pieces):
    data = tmp_path / "data"
    write_voicebank(data, pieces, ["p226_001", "p230_001"], ending="_wav_16k", rate=RATE)
    write_voicebank(data, pieces, ["p232_001"], "testset", "_wav_16k", RATE)
    report = prepare_pairs(data, tmp_path / "out")
    assert report["resampled"] == 0
    assert not (tmp_path / "out/resampled").exists()
    entry = json.loads((tmp_path / "out/test.json").read_text())["p232_001"]
    assert entry["noisy"] == "{data_root}/noisy_testset_wav_16k/p232_001.wav"
    assert entry["length"] == len(pieces[0]) / RATE


def test_manifests_with_copies_can_be_moved(studio, tmp_path):
    prepare_pairs(studio, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    for entries in read_manifests(tmp_path / "moved", None).values():
        assert all(os.path.isfile(entry[side]) for entry in entries.values() for side in ("clean", "noisy"))


@pytest.mark.parametrize("valid_fraction", [0.001, 0.4])
def test_voicebank_of_other_speakers_holds_out_whole_speakers(tmp_path, pieces, valid_fraction):
    stems = [f"p{speaker}_{number:03d}" for speaker in (234, 241, 246) for number in (1, 2)]
    write_voicebank(tmp_path / "data", pieces, stems, "trainset_56spk", rate=RATE)
    prepare_pairs(tmp_path / "data", tmp_path / "out", valid_fraction=valid_fraction)
    manifests = read_manifests(tmp_path / "out", tmp_path / "data")
    train, valid = ({name[:4] for name in manifests[split]} for split in ("train", "valid"))
    assert len(train) + len(valid) == 3
    assert train
    assert valid


def test_dns_and_its_ratios(tmp_path, pieces):
    data = tmp_path / "data"
    for number in range(4):
        noisy = data / f"noisy/book_0_snr{5 * number}_tl-25_fileid_{number}.wav"
        write_pair(data / f"clean/clean_fileid_{number}.wav", noisy, pieces[number])
        write(data / f"noise/noise_fileid_{number}.wav", pieces[number])
    report = prepare_pairs(data, tmp_path / "out")
    manifests = read_manifests(tmp_path / "out", data)
    assert report["layout"] == "dns"
    assert set(manifests) == {"train", "valid"}
    entries = manifests["train"] | manifests["valid"]
    assert {name: entry["snr_db"] for name, entry in entries.items()} == {
        "fileid_0": 0.0,
        "fileid_1": 5.0,
        "fileid_2": 10.0,
        "fileid_3": 15.0,
    }


def test_list_is_the_corpus(tmp_path, pieces):
    for number, speech in enumerate(pieces[:2]):
        files = [tmp_path / f"data/test_pairs/{side}/{number}.flac" for side in ("clean", "noisy")]
        write_pair(*files, speech)
    (tmp_path / "data/test_pairs.csv").write_text("id,seconds,snr_db\n0,1,10\n1,1,-2.5\n")
    report = prepare_pairs(tmp_path / "data/test_pairs.csv", tmp_path / "out")
    assert report["data_root"] == str(tmp_path / "data")
    manifests = read_manifests(tmp_path / "out", report["data_root"])
    assert {split: len(entries) for split, entries in manifests.items()} == {"test": 2}
    assert manifests["test"]["1"]["snr_db"] == -2.5
    assert os.path.samefile(manifests["test"]["1"]["noisy"], tmp_path / "data/test_pairs/noisy/1.flac")


def test_splits_of_folders_are_kept_and_one_split_can_be_asked_for(tmp_path, pieces):
    for split in ("train", "valid"):
        write_folders(tmp_path / "data" / split, pieces, ["a.wav", "b.wav"])
    report = prepare_pairs(tmp_path / "data", tmp_path / "out")
    assert (report["train"]["pairs"], report["valid"]["pairs"], "test" in report) == (2, 2, False)
    # Into the same folder: what was there before is no longer true.
    report = prepare_pairs(tmp_path / "data", tmp_path / "out", split="test")
    assert report["test"]["pairs"] == 4
    assert {path.name for path in (tmp_path / "out").glob("*.json")} == {"test.json", "report.json"}
    # Nothing is held out of what was asked for as training.
    report = prepare_pairs(tmp_path / "data/train", tmp_path / "out", split="train")
    assert (report["train"]["pairs"], "valid" in report) == (2, False)


def test_manifests_may_lie_above_the_corpus(folders, tmp_path):
    report = prepare_pairs(folders, tmp_path)
    prepare_pairs(folders, tmp_path / "elsewhere")
    for name in ("train.json", "valid.json"):
        assert (tmp_path / name).read_text() == (tmp_path / "elsewhere" / name).read_text()
    assert report["resampled"] == 0


def test_every_bad_pair_is_named_with_its_reason(folders, tmp_path, pieces):
    speech = pieces[0]

    def add(name, clean=speech, noisy=None, clean_rate=RATE, noisy_rate=RATE, **options):
        write(folders / f"clean/{name}.wav", clean, clean_rate, **options)
        write(
            folders / f"noisy/{name}.wav", noisy_of(speech) if noisy is None else noisy, noisy_rate, **options
        )

    write(folders / "clean/lonely.wav", speech)
    write(folders / "noisy/alone.wav", speech)
    write(folders / "noisy/a.flac", speech)
    (folders / "noisy/notes.txt").write_text("hello")
    add("longer", noisy=np.append(noisy_of(speech), np.zeros(200)))
    add("other rate", noisy_rate=8000)
    add("silent", clean=np.zeros_like(speech))
    add("faint", noisy=1e-4 * speech)
    hole = speech.copy()
    hole[1234] = np.nan
    add("nan", clean=hole, subtype="FLOAT")
    add("inf", noisy=np.where(np.isnan(hole), -np.inf, hole), subtype="FLOAT")
    add("huge", 3e38 * np.sign(speech), 3e38 * np.sign(speech), 8000, 8000, subtype="FLOAT")
    add("brief", speech[:3900], noisy_of(speech[:3900]))
    add("no samples", noisy=speech[:0])
    add("no bytes")
    (folders / "noisy/no bytes.wav").write_bytes(b"")
    add("text")
    (folders / "clean/text.wav").write_text("this is not a wav file")
    write_pair(folders / "clean/torn.flac", folders / "noisy/torn.flac", speech)
    torn = (folders / "noisy/torn.flac").read_bytes()
    (folders / "noisy/torn.flac").write_bytes(torn[: len(torn) // 2])
    write(folders / "noisy/dangling.wav", speech)
    (folders / "clean/dangling.wav").symlink_to(folders / "nothing.wav")

    report = prepare_pairs(folders, tmp_path / "out")
    assert report["skipped"] == {
        "corrupt": ["clean/text.wav", "noisy/torn.flac"],
        "different lengths": ["noisy/longer.wav"],
        "different rates": ["noisy/other rate.wav"],
        "empty": ["noisy/no bytes.wav", "noisy/no samples.wav"],
        "no partner": ["clean/lonely.wav", "noisy/alone.wav"],
        "not audio": ["noisy/notes.txt"],
        "not finite": ["clean/huge.wav", "clean/nan.wav", "noisy/inf.wav"],
        "same name twice": ["noisy/a.wav"],
        "silent": ["clean/silent.wav", "noisy/faint.wav"],
        "too short": ["clean/brief.wav"],
        "unreadable": ["clean/dangling.wav"],
    }
    assert json.loads((tmp_path / "out/report.json").read_text()) == report
    assert report["train"]["pairs"] + report["valid"]["pairs"] == 3


def test_lengths_may_differ_by_little(tmp_path, pieces):
    data, speech = tmp_path / "data", pieces[0]
    for name, change in (("equal", 0), ("few", 80), ("many", 81)):
        write(data / f"clean/{name}.wav", speech)
        write(data / f"noisy/{name}.wav", speech[: len(speech) - change])
    report = prepare_pairs(data, tmp_path / "out", split="test")
    assert (report["cut"], report["skipped"]) == (1, {"different lengths": ["noisy/many.wav"]})
    entries = read_manifests(tmp_path / "out", data)["test"]
    assert entries["few"]["length"] == (len(speech) - 80) / RATE


def test_telephone_speech_and_channels(tmp_path, pieces):
    """8 kHz is resampled up and counted; stereo on one side is averaged when it is read."""
    data = tmp_path / "data"
    write_pair(data / "clean/a.wav", data / "noisy/a.wav", pieces[0], 8000)
    write(data / "clean/b.wav", np.stack([pieces[1], pieces[1]], axis=1))
    write(data / "noisy/b.wav", noisy_of(pieces[1]))
    report = prepare_pairs(data, tmp_path / "out", split="test")
    assert (report["test"]["pairs"], report["below_sample_rate"], report["resampled"]) == (2, 1, 1)


def test_names_of_all_kinds_lead_back_to_their_files(tmp_path, pieces):
    data = tmp_path / "data"
    latin = os.fsdecode(b"latin-\xe9")
    names = ["{curly} ünï漢", "dots.in.name", "deep/er/a", "x" * 200]
    for name, speech in zip([*names, "plain"], pieces, strict=False):
        write_pair(data / f"clean/{name}.wav", data / f"noisy/{name}.wav", speech, 24000)
    for side in ("clean", "noisy"):
        os.rename(data / side / "plain.wav", data / side / f"{latin}.wav")
    prepare_pairs(data, tmp_path / "copies", split="test")
    prepare_pairs(data, tmp_path / "plain", split="test", sample_rate=24000)
    for out, rate in (("copies", RATE), ("plain", 24000)):
        entries = read_manifests(tmp_path / out, data)["test"]
        assert set(entries) == {*names, latin}
        for entry in entries.values():
            assert read_mono(entry["clean"])[1] == rate


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


def test_single_pair_is_for_training(tmp_path, pieces):
    write_folders(tmp_path / "data", pieces, ["a.wav"])
    report = prepare_pairs(tmp_path / "data", tmp_path / "out")
    assert (report["train"]["pairs"], "valid" in report) == (1, False)


def test_no_usable_pair_is_an_error_with_counts(tmp_path, pieces):
    data, out = tmp_path / "data", tmp_path / "out"
    write(data / "clean/a.wav", pieces[0])
    write(data / "clean/b.wav", pieces[0])
    write(data / "noisy/b.wav", np.zeros(20000))
    write(data / "noisy/c.txt", pieces[0], format="WAV")
    with pytest.raises(NoPairsError, match=r"none in .*layout: folders.*1 no partner, 1 not audio, 1 silent"):
        prepare_pairs(data, out)
    assert not list(out.glob("*.json"))
    shutil.rmtree(data)
    (data / "clean").mkdir(parents=True)
    (data / "noisy").mkdir()
    with pytest.raises(NoPairsError, match="left out: no audio files"):
        prepare_pairs(data, out)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("valid_fraction", 0.0),
        ("valid_fraction", 1.0),
        ("min_seconds", float("nan")),
        ("sample_rate", 0),
        ("sample_rate", 16000.5),
        ("sample_rate", 16000.0),
        ("layout", "vctk"),
        ("split", "dev"),
    ],
)
def test_wrong_options_are_named(folders, tmp_path, key, value):
    with pytest.raises(ValueError, match=f"{key}: expected"):
        prepare_pairs(folders, tmp_path / "out", **{key: value})


def test_wrong_folders_are_named(folders, tmp_path):
    with pytest.raises(ValueError, match="save_folder: expected another folder"):
        prepare_pairs(folders, folders)
    with pytest.raises(FileNotFoundError, match=r"data_folder: .*missing"):
        prepare_pairs(tmp_path / "missing", tmp_path / "out")
