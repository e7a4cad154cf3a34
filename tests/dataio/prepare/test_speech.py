"""Preparation survives whatever lies in a folder, says so, and does nothing twice."""

import json
import os

import numpy as np
import pytest
import soundfile
from speechbrain.dataio.dataio import load_data_json

from sb_resizegan.dataio.audio import read_mono
from sb_resizegan.dataio.prepare.speech import NoSpeechError, prepare_speech

GOOD = {
    "mono.wav": (16000, 1),
    "nested/deep/Stereo.WAV": (44100, 2),
    "telephone.flac": (8000, 1),
    "studio 48.ogg": (48000, 1),
    "dots.in.name.v2.wav": (16000, 1),
    "a_b.wav": (16000, 1),
    "a/b.wav": (16000, 1),
    "a/b.flac": (16000, 1),
    "{curly} ünï漢.wav": (16000, 1),
    "compressed.mp3": (16000, 1),
}


@pytest.fixture(scope="module")
def speech(speech_files):
    return read_mono(speech_files[0])[0][:48000]


def write(path, waveform, rate=16000, channels=1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([waveform] * channels, axis=1), rate, **options)


@pytest.fixture
def good_folder(tmp_path, speech):
    for name, (rate, channels) in GOOD.items():
        write(tmp_path / "data" / name, speech, rate, channels)
    return tmp_path / "data"


def add_bad_files(folder, speech):
    """One of each kind; returns what the report must say."""
    write(folder / "bad/whole.flac", speech)
    whole = (folder / "bad/whole.flac").read_bytes()
    (folder / "bad/whole.flac").unlink()
    (folder / "bad/cut.flac").write_bytes(whole[: len(whole) // 2])
    (folder / "bad/text.wav").write_text("not a wav file at all")
    (folder / "bad/noise.ogg").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "bad/empty.wav").touch()
    write(folder / "bad/no samples.wav", speech[:0])
    write(folder / "bad/short.wav", speech[:2000])
    write(folder / "bad/silent.wav", np.zeros(32000))
    write(folder / "bad/offset.wav", np.full(32000, 0.3))
    write(folder / "bad/faint.wav", 1e-4 * np.sin(np.arange(32000)))
    hole = speech.copy()
    hole[1234] = np.nan
    write(folder / "bad/nan.wav", hole, subtype="FLOAT")
    write(folder / "bad/inf.wav", np.where(np.isnan(hole), np.inf, hole), subtype="FLOAT")
    (folder / "notes.txt").write_text("hello")
    (folder / "dangling.wav").symlink_to(folder / "nothing here.wav")
    os.mkfifo(folder / "pipe.wav")
    return {
        "corrupt": ["bad/cut.flac", "bad/noise.ogg", "bad/text.wav"],
        "empty": ["bad/empty.wav", "bad/no samples.wav"],
        "not audio": ["notes.txt"],
        "not finite": ["bad/inf.wav", "bad/nan.wav"],
        "silent": ["bad/faint.wav", "bad/offset.wav", "bad/silent.wav"],
        "too short": ["bad/short.wav"],
        "unreadable": ["dangling.wav", "pipe.wav"],
    }


def read_manifests(folder):
    return [json.loads((folder / name).read_text()) for name in ("train.json", "valid.json")]


def test_every_kind_of_audio_gets_in_and_its_path_leads_back(good_folder, tmp_path, speech):
    report = prepare_speech(good_folder, tmp_path / "out")
    entries = {}
    for name in ("train.json", "valid.json"):
        entries |= load_data_json(tmp_path / "out" / name, {"data_root": str(good_folder)})
    assert set(entries) == set(GOOD)
    assert report["skipped"] == {}
    assert report["below_sample_rate"] == 1
    for name, entry in entries.items():
        assert os.path.samefile(entry["wav"], good_folder / name)
        assert entry["sample_rate"] == GOOD[name][0]
        assert entry["length"] == pytest.approx(len(speech) / GOOD[name][0], abs=0.15)


def test_bad_files_are_counted_and_named(good_folder, tmp_path, speech):
    expected = add_bad_files(good_folder, speech)
    (good_folder / "folder.wav").mkdir()
    write(good_folder / "folder.wav" / "inside.wav", speech)
    prepare_speech(good_folder, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["skipped"] == expected
    train, valid = read_manifests(tmp_path / "out")
    assert set(train) | set(valid) == {*GOOD, "folder.wav/inside.wav"}


def test_name_that_is_not_unicode(tmp_path, speech):
    write(tmp_path / "data" / "plain.wav", speech)
    name = os.fsdecode(b"latin-\xe9.wav")
    os.rename(tmp_path / "data" / "plain.wav", tmp_path / "data" / name)
    write(tmp_path / "data" / "other.wav", speech)
    prepare_speech(tmp_path / "data", tmp_path / "out")
    train, valid = read_manifests(tmp_path / "out")
    path = (train | valid)[name]["wav"].format(data_root=tmp_path / "data")
    assert len(read_mono(path)[0]) == len(speech)


def test_links_are_followed_once(tmp_path, speech):
    for name in ("elsewhere/a.wav", "data/b.wav", "data/c.wav"):
        write(tmp_path / name, speech)
    (tmp_path / "data/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/same.wav").symlink_to(tmp_path / "data/b.wav")
    prepare_speech(tmp_path / "data", tmp_path / "out")
    train, valid = read_manifests(tmp_path / "out")
    assert set(train) | set(valid) == {"b.wav", "c.wav", "linked/a.wav"}


def facts(folder):
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


def test_second_call_touches_nothing(good_folder, tmp_path):
    # Also with the manifests inside of the folder that is searched.
    out = good_folder / "out"
    first = prepare_speech(good_folder, out)
    before = facts(out)
    assert prepare_speech(good_folder, out) == first
    assert facts(out) == before


def test_changes_are_noticed(good_folder, tmp_path, speech):
    out = tmp_path / "out"
    stamps = [prepare_speech(good_folder, out)["stamp"]]
    write(good_folder / "new.wav", speech)
    stamps.append(prepare_speech(good_folder, out)["stamp"])
    write(good_folder / "new.wav", speech[:40000])
    stamps.append(prepare_speech(good_folder, out)["stamp"])
    (good_folder / "new.wav").unlink()
    stamps.append(prepare_speech(good_folder, out, seed=7)["stamp"])
    assert len(set(stamps)) == 4
    train, valid = read_manifests(out)
    assert "new.wav" not in train | valid


@pytest.mark.parametrize("damage", ["train.json", "report.json", "garbage"])
def test_damaged_manifests_are_made_again(good_folder, tmp_path, damage):
    out = tmp_path / "out"
    prepare_speech(good_folder, out)
    before = {path.name: path.read_text() for path in out.iterdir()}
    if damage == "garbage":
        (out / "report.json").write_text('{"stamp": ')
    else:
        (out / damage).unlink()
    prepare_speech(good_folder, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == before


def test_new_files_do_not_move_old_ones(corpus_folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    paths = sorted(corpus_folder.rglob("*.wav"))
    for number, path in enumerate(paths[:150]):
        (data / f"{number}.wav").symlink_to(path)
    prepare_speech(data, tmp_path / "first", valid_fraction=0.2)
    for number, path in enumerate(paths[150:300], start=150):
        (data / f"{number}.wav").symlink_to(path)
    prepare_speech(data, tmp_path / "second", valid_fraction=0.2)
    (train, valid), (more_train, more_valid) = (read_manifests(tmp_path / run) for run in ("first", "second"))
    assert set(train) < set(more_train)
    assert set(valid) < set(more_valid)
    assert 0.1 < len(more_valid) / (len(more_valid) + len(more_train)) < 0.3


@pytest.mark.parametrize("valid_fraction", [0.001, 0.999])
def test_neither_side_is_empty(good_folder, tmp_path, valid_fraction):
    prepare_speech(good_folder, tmp_path / "out", valid_fraction=valid_fraction)
    train, valid = read_manifests(tmp_path / "out")
    assert sorted([len(train), len(valid)]) == [1, len(GOOD) - 1]
    assert not set(train) & set(valid)


def test_no_usable_speech_is_an_error_with_counts(tmp_path, speech):
    (tmp_path / "data" / "bad").mkdir(parents=True)
    add_bad_files(tmp_path / "data", speech)
    with pytest.raises(NoSpeechError, match=r"found 0 in .*data.*3 corrupt, 2 empty, .* 1 too short"):
        prepare_speech(tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out" / "train.json").exists()


def test_empty_and_missing_folders_are_named(tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NoSpeechError, match="no files at all"):
        prepare_speech(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"data_folder: .*missing"):
        prepare_speech(tmp_path / "missing", tmp_path / "out")
    with pytest.raises(ValueError, match="save_folder"):
        prepare_speech(tmp_path / "nothing", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("key", "value"), [("valid_fraction", 0.0), ("valid_fraction", 1.0), ("min_seconds", float("nan"))]
)
def test_wrong_options_are_named(tmp_path, key, value):
    with pytest.raises(ValueError, match=key):
        prepare_speech(tmp_path, tmp_path / "out", **{key: value})
