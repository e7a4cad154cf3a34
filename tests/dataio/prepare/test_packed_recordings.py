"""Recordings in parquet files and in Lhotse's manifests become files with the samples of the originals."""

import io
import json

import numpy as np
import pyarrow
import pytest
import soundfile
from lhotse import CutSet, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import Recording
from pyarrow import parquet

from sb_resizegan.dataio.manifests import read_manifest
from sb_resizegan.dataio.prepare.pair_layouts import find_pair_files
from sb_resizegan.dataio.prepare.pair_matching import NoPairsError
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.prepare.sources import find_recordings
from sb_resizegan.dataio.prepare.speech import prepare_speech
from sb_resizegan.dataio.utterances import read_utterances
from sb_resizegan.utils.extras import MissingExtraError

RATE = 16000
AUDIO = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SB_RESIZEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(seed, time=8000):
    return (0.1 * np.random.default_rng(seed).standard_normal(time)).astype(np.float32)


def encoded(signal, form="WAV", subtype="FLOAT"):
    stream = io.BytesIO()
    soundfile.write(stream, signal, RATE, format=form, subtype=subtype)
    return stream.getvalue()


def write_table(path, **columns):
    """As ``datasets`` writes it, with what it says of the columns in the schema."""
    kinds = {
        name: AUDIO if isinstance(cells[0], dict) else pyarrow.string() for name, cells in columns.items()
    }
    said = {
        name: {"_type": "Audio"} if kind is AUDIO else {"dtype": "string", "_type": "Value"}
        for name, kind in kinds.items()
    }
    schema = pyarrow.schema(kinds.items(), {"huggingface": json.dumps({"info": {"features": said}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [pyarrow.array(cells, kinds[name]) for name, cells in columns.items()]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), path)
    return path


def signals_of(files):
    return [soundfile.read(file.path, dtype="float32")[0] for file in files]


def test_a_column_of_audio_becomes_files(tmp_path):
    cells = [
        {"bytes": encoded(noise(0)), "path": "a.wav"},
        {"bytes": encoded(noise(1), "FLAC", "PCM_24"), "path": None},
    ]
    path = write_table(tmp_path / "train.parquet", audio=cells, text=["ASK HER", "SIX"])
    files = find_recordings(path)
    assert [file.path.name for file in files] == ["000000_a.wav", "000001.flac"]
    for number, signal in enumerate(signals_of(files)):
        np.testing.assert_allclose(signal, noise(number), atol=1e-6)
    before = files[0].path.stat().st_mtime_ns
    again = find_recordings(path)
    assert again == files and again[0].path.stat().st_mtime_ns == before
    write_table(path, audio=cells[:1])
    assert len(find_recordings(path)) == 1  # another file, other recordings


def test_a_folder_of_parquet_files_is_a_source(tmp_path):
    for number in range(2):
        cells = [{"bytes": encoded(noise(number)), "path": "a.wav"}]
        write_table(
            tmp_path / f"set/data/train-{number:05d}-of-00002.parquet", audio=cells, id=[f"x{number}"]
        )
    found = signals_of(find_recordings(tmp_path / "set"))
    for number, signal in enumerate(found):
        np.testing.assert_array_equal(signal, noise(number))
    assert len(found) == 2


def test_a_table_beside_sound_files_is_none_of_them(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(0), RATE)
    (tmp_path / "table.parquet").write_bytes(b"anything")
    assert [file.name for file in find_recordings(tmp_path)] == ["a.wav", "table.parquet"]


def test_rows_that_name_files_are_these_and_rows_without_are_left_out(tmp_path, caplog):
    soundfile.write(tmp_path / "there.wav", noise(3), RATE, subtype="FLOAT")
    cells = [{"bytes": None, "path": name} for name in ("there.wav", "gone.wav", None)]
    files = find_recordings(write_table(tmp_path / "t.parquet", audio=cells))
    assert [file.path.resolve() for file in files] == [tmp_path / "there.wav"]
    assert "left out 2 of 3 rows" in caplog.text
    with pytest.raises(ValueError, match=r"u\.parquet: expected rows with files"):
        find_recordings(write_table(tmp_path / "u.parquet", audio=cells[1:]))


def test_pairs_are_two_columns(tmp_path):
    for split, numbers in (("train", range(4)), ("test", range(10, 12))):
        sides = {
            side: [{"bytes": encoded(gain * noise(number)), "path": f"{number}.wav"} for number in numbers]
            for side, gain in (("noisy", 1.0), ("clean_wav", 0.5))
        }
        path = tmp_path / f"set/data/{split}-00000-of-00001.parquet"
        write_table(path, id=[f"p232_{number}" for number in numbers], **sides)
    report = prepare_pairs(tmp_path / "set", tmp_path / "out", valid_fraction=0.4)
    assert report["layout"] == "parquet" and report["test"]["pairs"] == 2
    assert report["train"]["pairs"] + report["valid"]["pairs"] == 4
    tested = read_utterances(tmp_path / "out/test.json", report["data_root"])
    assert [utterance.name for utterance in tested] == ["000000_p232_10", "000001_p232_11"]
    for utterance, number in zip(tested, (10, 11), strict=True):
        np.testing.assert_array_equal(utterance.noisy, noise(number))
        np.testing.assert_array_equal(utterance.clean, 0.5 * noise(number))
    one = find_pair_files(tmp_path / "set/data/test-00000-of-00001.parquet")
    assert [(pair.name, pair.split) for pair in one.pairs] == [
        ("000000_p232_10", "test"),
        ("000001_p232_11", "test"),
    ]


def damaged(tmp_path, name):
    path = write_table(tmp_path / f"{name}.parquet", audio=[{"bytes": encoded(noise(0)), "path": "a"}])
    if name == "cut off":
        path.write_bytes(path.read_bytes()[:2000])
    elif name == "no table":
        path.write_bytes(b"")
    elif name == "words alone":
        write_table(path, text=["a"])
    elif name == "two columns":
        cells = [{"bytes": encoded(noise(0)), "path": "a"}]
        write_table(path, left=cells, right=cells)
    elif name == "spoilt":  # its beginning is its data, its end says where what lies
        path.write_bytes(b"PAR1" + bytes(2000) + path.read_bytes()[2004:])
    return path


@pytest.mark.parametrize("name", ["cut off", "no table", "words alone", "two columns", "spoilt"])
def test_other_tables_are_named_in_a_line(tmp_path, name):
    for use in (find_recordings, find_pair_files):
        if name == "spoilt" and use is find_pair_files:
            continue  # it has no pairs, whatever its data
        with pytest.raises((ValueError, NoPairsError), match=rf"{name}\.parquet: ") as caught:
            use(damaged(tmp_path, name))
        assert "\n" not in str(caught.value)


@pytest.fixture
def recordings(tmp_path):
    """Three files of Lhotse's kind; the second has two channels."""
    signals = [noise(0), np.stack([noise(1), noise(2)], axis=1), noise(3)]
    made = []
    for number, signal in enumerate(signals):
        path = tmp_path / f"speech/{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, signal, RATE, subtype="FLOAT")
        made.append(Recording.from_file(path, recording_id=f"r/{number}"))
    return RecordingSet.from_recordings(made)


def test_whole_recordings_are_the_files_themselves(tmp_path, recordings, cache):
    recordings.to_file(tmp_path / "recordings.jsonl.gz")
    CutSet.from_manifests(recordings=recordings).to_file(tmp_path / "cuts.jsonl.gz")
    for name in ("recordings.jsonl.gz", "cuts.jsonl.gz"):
        files = find_recordings(tmp_path / name)
        assert [file.path for file in files] == [tmp_path / f"speech/{number}.wav" for number in range(3)]
    assert not cache.exists()


def test_parts_and_mixtures_are_as_lhotse_reads_them(tmp_path, recordings):
    first, _, third = (recording.to_cut() for recording in recordings)
    cuts = [
        first.truncate(offset=0.1, duration=0.2, preserve_id=False),
        third,
        third.perturb_speed(1.1),
        first.mix(third, snr=10),
    ]
    CutSet.from_cuts(cut.with_id(f"cut {number}") for number, cut in enumerate(cuts)).to_file(
        tmp_path / "cuts.jsonl"
    )
    found = {file.path.stem: file.path for file in find_recordings(tmp_path / "cuts.jsonl")}
    assert sorted(found) == ["000000_cut_0", "000002_cut_2", "000003_cut_3", "2"]
    part, _ = soundfile.read(found["000000_cut_0"], dtype="float32")
    np.testing.assert_array_equal(part, noise(0)[1600:4800])
    for number in (2, 3):
        written, rate = soundfile.read(found[f"00000{number}_cut_{number}"], dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(written, cuts[number].load_audio()[0], atol=1e-6)


def test_cuts_that_cannot_be_read_are_named_and_left_out(tmp_path, recordings, caplog):
    cuts = [recording.to_cut().truncate(duration=0.25) for recording in recordings]
    CutSet.from_cuts(cuts).to_file(tmp_path / "cuts.jsonl")
    (tmp_path / "speech/0.wav").unlink()
    assert len(find_recordings(tmp_path / "cuts.jsonl")) == 2
    assert "left out 1 cuts that cannot be read" in caplog.text and cuts[0].id in caplog.text
    for number in (1, 2):
        (tmp_path / f"speech/{number}.wav").unlink()
    with pytest.raises(ValueError, match=r"cuts\.jsonl: expected cuts that can be read, but got none"):
        find_recordings(tmp_path / "cuts.jsonl")


def other_manifest(tmp_path, name):
    path = tmp_path / f"{name}.jsonl"
    if name == "supervisions":
        segment = SupervisionSegment("a", "r", 0.0, 1.0)
        SupervisionSet.from_segments([segment]).to_file(path)
    elif name == "no manifest":
        path.write_text('{"wav": "a.wav"}\n')
    elif name == "no json":
        path.write_text("p1 a.wav\n")
    else:
        path.write_text("")
    return path


@pytest.mark.parametrize("name", ["supervisions", "no manifest", "no json", "empty"])
def test_other_manifests_are_named_in_a_line(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}\.jsonl: expected cuts or recordings") as caught:
        find_recordings(other_manifest(tmp_path, name))
    assert "\n" not in str(caught.value)


def write_list(tmp_path, name):
    """Three recordings in a folder, and a list of them of some kind."""
    signals = [noise(number) for number in range(3)]
    path, paths = tmp_path / name, [tmp_path / f"speech/{number}.wav" for number in range(3)]
    for file, signal in zip(paths, signals, strict=True):
        file.parent.mkdir(exist_ok=True)
        soundfile.write(file, signal, RATE, subtype="FLOAT")
    if name.endswith(".csv"):
        path.write_text("ID,duration,wav\n" + "".join(f"{p.stem},0.5,speech/{p.name}\n" for p in paths))
    elif name.endswith(".scp"):
        path.write_text("".join(f"{p.stem} {p}\n" for p in paths))
    elif name.endswith(".jsonl"):
        recordings = [Recording.from_file(file, recording_id=file.stem) for file in paths]
        RecordingSet.from_recordings(recordings).to_file(path)
    else:
        write_table(path, audio=[{"bytes": encoded(signal), "path": "a.wav"} for signal in signals])
    return path, signals


@pytest.mark.parametrize("name", ["speech.csv", "wav.scp", "recordings.jsonl", "train.parquet"])
def test_a_training_of_windows_takes_any_list(tmp_path, name):
    path, signals = write_list(tmp_path, name)
    prepare_speech(path, tmp_path / "out")
    entries = {}
    for part in ("train.json", "valid.json"):
        entries |= read_manifest(tmp_path / "out" / part, path.parent)
    found = [soundfile.read(entries[key]["wav"], dtype="float32")[0] for key in sorted(entries)]
    assert len(found) == len(signals)
    for ours, theirs in zip(found, signals, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["cuts.jsonl", "train.parquet"])
def test_what_is_missing_is_named_with_the_extra_that_brings_it(tmp_path, name, monkeypatch):
    (tmp_path / name).touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sb_resizegan\[data\]'"):
        find_recordings(tmp_path / name)
