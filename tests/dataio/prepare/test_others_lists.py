"""Lists as SpeechBrain and Kaldi write them."""

import json

import pytest

from sb_resizegan.dataio.prepare.pair_layouts import find_pair_files
from sb_resizegan.dataio.prepare.pair_lists import is_pair_list, read_pair_list
from sb_resizegan.dataio.prepare.sources import find_recordings


@pytest.fixture
def folder(tmp_path):
    for name in ("clean/p1.wav", "noisy/p1.wav", "clean/p2.wav", "noisy/p2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def voicebank_json(folder):
    entry = lambda name: {  # noqa: E731
        "noisy_wav": f"{{data_root}}/noisy/{name}.wav",
        "clean_wav": f"{{data_root}}/clean/{name}.wav",
        "length": 1.5,
        "words": "ASK HER",
    }
    path = folder / "train.json"
    path.write_text(json.dumps({name: entry(name) for name in ("p1", "p2")}))
    return path


def voicebank_csv(folder):
    rows = [
        f"{name},1.5,{folder}/noisy/{name}.wav,wav,{folder}/clean/{name}.wav,wav" for name in ("p1", "p2")
    ]
    path = folder / "train.csv"
    path.write_text("\n".join(["ID,duration,noisy_wav,noisy_wav_format,clean_wav,clean_wav_format", *rows]))
    return path


@pytest.mark.parametrize("written", [voicebank_json, voicebank_csv])
def test_speechbrains_voicebank_is_a_list_of_pairs(folder, written):
    path = written(folder)
    assert is_pair_list(path)
    pairs = [(pair.name, pair.clean.resolve(), pair.noisy.resolve()) for pair in read_pair_list(path)]
    sides = {side: (folder / side).resolve() for side in ("clean", "noisy")}
    assert pairs == [(n, sides["clean"] / f"{n}.wav", sides["noisy"] / f"{n}.wav") for n in ("p1", "p2")]
    assert [pair.name for pair in find_pair_files(path).pairs] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected json"),
        ("[1]", "an object of objects"),
        ('{"a": {"noisy_wav": "x"}}', "clean_wav and noisy_wav"),
    ],
)
def test_a_json_file_of_something_else_is_named(tmp_path, text, words):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        list(read_pair_list(path))


def test_sources_are_speechbrains_csv_and_kaldis_scp(folder):
    (folder / "speech.csv").write_text("ID,duration,wav\np1,1.5,clean/p1.wav\np2,1.5,clean/p2.wav\n")
    (folder / "wav.scp").write_text(f"p1 clean/p1.wav\n\np2 {folder}/clean/p2.wav\n")
    found = [[file.path for file in find_recordings(folder / name)] for name in ("speech.csv", "wav.scp")]
    assert found[0] == found[1] == [folder / "clean/p1.wav", folder / "clean/p2.wav"]


@pytest.mark.parametrize("line", ["p1", "p1 sox a.sph -t wav - |"])
def test_a_kaldi_command_is_not_run(tmp_path, line):
    (tmp_path / "wav.scp").write_text(line)
    with pytest.raises(ValueError, match="line 1: expected an id and the path"):
        find_recordings(tmp_path / "wav.scp")
