"""Pairs are checked, resampled once and accounted for; a crash or a full disk costs nothing but time."""

import json
import os
import shutil

import numpy as np
import pytest

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.prepare.pair_matching import NoPairsError
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.resampling import resample
from tests.paired_trees import (
    facts,
    noisy_of,
    read_manifests,
    write,
    write_folders,
    write_pair,
    write_voicebank,
)

RATE = 16000


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
    assert entry["noisy_wav"] == "{data_root}/noisy_testset_wav_16k/p232_001.wav"
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
