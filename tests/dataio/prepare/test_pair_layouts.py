"""Every published layout is found by itself, wherever it is unpacked, and splits as its users expect."""

import pytest

from sb_resizegan.dataio.prepare.pair_layouts import LAYOUTS, find_pair_files
from sb_resizegan.dataio.prepare.pair_matching import NoPairsError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def touch_voicebank(folder, part, stems, ending="_wav", inner=""):
    touch(
        folder, *(f"{side}_{part}{ending}/{inner}{stem}.wav" for side in ("clean", "noisy") for stem in stems)
    )


def names(found):
    """Names by split of the pairs that are complete."""
    splits = {}
    for pair in found.pairs:
        assert pair.clean.is_file()
        assert pair.noisy.is_file()
        splits.setdefault(pair.split, []).append(pair.name)
    return splits


@pytest.mark.parametrize("above", ["", "VoiceBank/", "corpora/DS_10283_2791/"])
@pytest.mark.parametrize("ending", ["_wav", "_wav_16k", "_wav_16kHz", "_16k", ""])
def test_voicebank_wherever_it_was_unpacked(tmp_path, above, ending):
    touch_voicebank(tmp_path / above, "trainset_28spk", ["p226_001", "p230_002"], ending)
    # Some tools unpack a zip into a folder of its name.
    touch_voicebank(tmp_path / above, "testset", ["p232_001"], ending, f"clean_testset{ending}/")
    found = find_pair_files(tmp_path)
    assert found.layout == "voicebank"
    assert names(found) == {"train": ["p226_001", "p230_002"], "test": ["p232_001"]}
    assert {pair.speaker for pair in found.pairs} == {"p226", "p230", "p232"}


def test_voicebank_ratios_come_from_its_logs(tmp_path):
    touch_voicebank(tmp_path, "trainset_28spk", ["p226_001", "p226_002"])
    touch_voicebank(tmp_path, "testset", ["p232_001"])
    (tmp_path / "logfiles").mkdir()
    (tmp_path / "logfiles/log_trainset_28spk.txt").write_text("file noise snr\np226_001 babble 10\n\n")
    (tmp_path / "logfiles/log_testset.txt").write_bytes(b"p232_001 bus 2.5\r\n")
    found = find_pair_files(tmp_path)
    assert {pair.name: pair.snr_db for pair in found.pairs} == {
        "p226_001": 10.0,
        "p226_002": None,
        "p232_001": 2.5,
    }


def test_voicebank_with_28_and_56_speakers(tmp_path):
    touch_voicebank(tmp_path, "trainset_28spk", ["p226_001"])
    touch_voicebank(tmp_path, "trainset_56spk", ["p234_001", "p226_001"])
    touch_voicebank(tmp_path, "testset", ["p232_001"])
    both = find_pair_files(tmp_path)
    assert names(both) == {"train": ["28/p226_001", "56/p226_001", "p234_001"], "test": ["p232_001"]}
    assert names(find_pair_files(tmp_path, "voicebank_28spk")) == {
        "train": ["p226_001"],
        "test": ["p232_001"],
    }
    assert names(find_pair_files(tmp_path, "voicebank_56spk"))["train"] == ["p226_001", "p234_001"]


@pytest.mark.parametrize(
    ("sample_rate", "expected"), [(16000, "_wav_16k"), (8000, "_wav_16k"), (48000, "_wav")]
)
def test_voicebank_copy_that_suits_the_rate(tmp_path, sample_rate, expected):
    for ending in ("_wav", "_wav_16k"):
        touch_voicebank(tmp_path, "testset", ["p232_001"], ending)
    (pair,) = find_pair_files(tmp_path, sample_rate=sample_rate).pairs
    assert pair.clean.parent.name == f"clean_testset{expected}"
    assert pair.noisy.parent.name == f"noisy_testset{expected}"


def test_voicebank_copy_of_one_side_only_is_not_mixed_in(tmp_path):
    touch_voicebank(tmp_path, "testset", ["p232_001"])
    touch(tmp_path, "clean_testset_wav_16k/p232_001.wav")
    (pair,) = find_pair_files(tmp_path).pairs
    assert pair.clean.parent.name == "clean_testset_wav"


def test_voicebank_without_one_side_has_no_partners(tmp_path):
    touch(tmp_path, "noisy_testset_wav/p232_001.wav")
    (pair,) = find_pair_files(tmp_path).pairs
    assert (pair.clean, pair.noisy.name) == (None, "p232_001.wav")


def test_dns_challenge(tmp_path):
    """The training set and the test set, as the challenge's scripts and archives lay them out."""
    for number in (3, 12):
        touch(
            tmp_path / "datasets/training",
            f"clean/clean_fileid_{number}.wav",
            f"noise/noise_fileid_{number}.wav",
            f"noisy/book_00_chp_0009_reader_06709_snr{number - 5}_tl-21_fileid_{number}.wav",
        )
    touch(
        tmp_path / "datasets/test_set/synthetic/no_reverb",
        "clean/clean_fileid_3.wav",
        "noisy/clnsp1_train_69005_1_snr15_tl-21_fileid_3.wav",
    )
    found = find_pair_files(tmp_path)
    assert found.layout == "dns"
    assert names(found) == {"train": ["fileid_12", "fileid_3"], "test": ["fileid_3"]}
    assert [pair.snr_db for pair in found.pairs] == [15.0, 7.0, -2.0]
    assert find_pair_files(tmp_path / "datasets/training").pairs == [
        pair for pair in found.pairs if pair.split == "train"
    ]


def test_folders_match_by_path_whatever_the_endings(tmp_path):
    touch(tmp_path, "Clean/p1/a.wav", "Clean/p2/a.wav", "noisy/p1/a.flac", "noisy/p2/a.WAV", "noisy/b.wav")
    found = find_pair_files(tmp_path)
    assert found.layout == "folders"
    assert [(pair.name, pair.clean is not None) for pair in found.pairs] == [
        ("b", False),
        ("p1/a", True),
        ("p2/a", True),
    ]


def test_folders_of_splits(tmp_path):
    for split in ("train", "valid", "test"):
        touch(
            tmp_path / "corpus" / split,
            "clean/a.wav",
            "noisy/a.wav",
            f"clean/{split}.wav",
            f"noisy/{split}.wav",
        )
    found = find_pair_files(tmp_path)
    assert names(found) == {split: ["a", split] for split in ("test", "train", "valid")}
    # Into one manifest: names that several share tell where they come from.
    together = find_pair_files(tmp_path, split="test")
    expected = [f"corpus/{split}/a" for split in ("test", "train", "valid")] + ["test", "train", "valid"]
    assert names(together) == {"test": expected}


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("dev", "valid"),
        ("cv", "valid"),
        ("tt", "test"),
        ("test_set_2", "test"),
        ("tr", "train"),
        ("fast", "train"),
    ],
)
def test_words_for_splits(tmp_path, folder, split):
    touch(tmp_path / folder, "clean/a.wav", "noisy/a.wav")
    assert names(find_pair_files(tmp_path)) == {split: ["a"]}


def test_one_clean_file_may_serve_many_noisy_ones(tmp_path):
    touch(tmp_path, "speech/a.wav", "noisy/a_0dB.wav", "noisy/a_5dB.wav")
    (tmp_path / "clean").mkdir()
    for name in ("a_0dB.wav", "a_5dB.wav"):
        (tmp_path / "clean" / name).symlink_to(tmp_path / "speech/a.wav")
    (tmp_path / "noisy/loop").symlink_to(tmp_path / "noisy")
    assert names(find_pair_files(tmp_path)) == {"train": ["a_0dB", "a_5dB"]}


def test_list_with_ids(tmp_path):
    touch(
        tmp_path, *(f"valid_pairs/{side}/{name}.flac" for side in ("clean", "noisy") for name in ("a", "b.1"))
    )
    lines = ["id,seconds,snr_db", "a,5.8,0", "b.1,3.0,", "gone,1.0,5"]
    (tmp_path / "valid_pairs.csv").write_text("\n".join(lines))
    (tmp_path / "speech.csv").write_text("path,seconds\nx.ogg,2.0\n")
    found = find_pair_files(tmp_path)
    assert found.layout == "list"
    assert names(found) == {"valid": ["a", "b.1"]}
    assert [pair.snr_db for pair in found.pairs] == [0.0, None]
    assert list(found.left_out) == ["missing"]
    assert find_pair_files(tmp_path / "valid_pairs.csv") == found
    # Without its list, it is a pair of folders.
    assert names(find_pair_files(tmp_path, "folders")) == {"valid": ["a", "b.1"]}


def test_list_with_paths(tmp_path):
    touch(tmp_path, "elsewhere/c.wav", "lists/x/n1.wav", "lists/n2.ogg")
    lines = ["Noisy, clean,other", f"x/n1.wav,{tmp_path}/elsewhere/c.wav,1", "n2.ogg,../elsewhere/c.wav"]
    # As a spreadsheet program writes it.
    (tmp_path / "lists/my test.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    found = find_pair_files(tmp_path / "lists/my test.csv")
    assert names(found) == {"test": ["n2", "x/n1"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"clean,noisy,snr_db\nc.wav,n.wav,loud\n", r"pairs\.csv, line 2: .*snr_db.*'loud'"),
        (b"clean,noisy,snr_db\nc.wav,n.wav,nan\n", r"pairs\.csv, line 2: .*snr_db.*'nan'"),
        (b"clean,noisy\nc.wav,n.wav\nc.wav\n", r"pairs\.csv, line 3: expected a value for noisy"),
        (b"clean,noisy\nc.wav,\xff\xfe.wav\n", r"pairs\.csv: expected comma-separated values in UTF-8"),
    ],
)
def test_wrong_line_of_a_list_is_named(tmp_path, text, message):
    touch(tmp_path, "c.wav", "n.wav")
    (tmp_path / "pairs.csv").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        find_pair_files(tmp_path)


def test_list_of_something_else_is_an_error(tmp_path):
    (tmp_path / "speech.csv").write_text("path,seconds\na.wav,1\n")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(NoPairsError, match=r"speech\.csv: expected .*columns are: path, seconds"):
        find_pair_files(tmp_path / "speech.csv")
    with pytest.raises(NoPairsError, match=r"empty\.csv: expected .*columns are: none"):
        find_pair_files(tmp_path / "empty.csv")
    with pytest.raises(ValueError, match=r"expected a folder for dns, but .*speech\.csv is a file"):
        find_pair_files(tmp_path / "speech.csv", "dns")


def test_nothing_found_says_what_was_looked_for_and_what_is_there(tmp_path):
    touch(tmp_path, "clean/a.wav", "nosiy/a.wav", "readme.txt")
    with pytest.raises(NoPairsError) as caught:
        find_pair_files(tmp_path)
    message = str(caught.value)
    assert all(f"{layout} (" in message for layout in LAYOUTS)
    assert "Found there: clean/, nosiy/; 1 files" in message
    with pytest.raises(NoPairsError, match=r"one of: dns \(DNS"):
        find_pair_files(tmp_path, "dns")


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"layout: expected null or one of voicebank, .*'vctk'"):
        find_pair_files(tmp_path, "vctk")
    with pytest.raises(ValueError, match=r"split: expected null or one of train, valid, test, but got 'dev'"):
        find_pair_files(tmp_path, split="dev")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_pair_files(tmp_path / "nowhere")


def test_the_outcome_of_a_preparation_is_not_searched(tmp_path):
    touch(tmp_path, "clean/a.wav", "noisy/a.wav", "save/clean/b.wav", "save/noisy/b.wav")
    assert names(find_pair_files(tmp_path, ignored_folder=tmp_path / "save")) == {"train": ["a"]}
