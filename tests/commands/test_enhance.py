"""The command `enhance`, with most of what can be wrong with files."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.commands import enhance as command
from sb_resizegan.dataio.audio import audio_header
from sb_resizegan.dataio.sinks import sound_sink
from sb_resizegan.inference.enhanced_records import RECORDS_NAME
from sb_resizegan.utils.locks import try_lock
from sb_resizegan.utils.partial import partial_path
from tests.inference.small import EXPORTED, small_generator

ROOT = Path(__file__).resolve().parents[2]


def enhance(*arguments, launcher=(), **options):
    words = [
        sys.executable,
        *launcher,
        "-m",
        "sb_resizegan",
        "enhance",
        *map(str, arguments),
        "--device",
        "cpu",
    ]
    options = {"capture_output": True, "text": True, "timeout": 300, **options}
    return subprocess.run(words, cwd=ROOT, **options)


@pytest.fixture(scope="module")
def main():
    """The command in this process, for what needs no process of its own."""
    return lambda *arguments: command.main([*map(str, arguments), "--device", "cpu"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "untrained"
    folder.mkdir()
    (folder / "hyperparams.yaml").write_text(EXPORTED)
    torch.save(small_generator().state_dict(), folder / "generator.ckpt")
    return folder


@pytest.fixture(scope="module")
def speech(speech_files):
    return soundfile.read(speech_files[0], dtype="float32")[0][:48000]


GOOD = ("8k.wav", "deep/er/tiny.wav", "one.flac", "stereo.wav")


def fill(folder, speech):
    """A tree with good files and bad ones; returns the bytes of all."""
    (folder / "deep" / "er").mkdir(parents=True)
    soundfile.write(folder / "one.flac", speech, 16000)
    soundfile.write(folder / "8k.wav", speech[::2], 8000)
    soundfile.write(folder / "stereo.wav", np.stack([speech, 0 * speech], axis=1), 44100, "PCM_24")
    soundfile.write(folder / "deep" / "er" / "tiny.wav", speech[9999:10000], 16000)
    soundfile.write(folder / "zero.wav", speech[:0], 16000)
    soundfile.write(folder / "nan.wav", np.full(100, np.nan), 16000, "FLOAT")
    (folder / "empty.wav").touch()
    (folder / "broken.wav").write_bytes(b"RIFF and nothing else")
    (folder / "deep" / "cut.flac").write_bytes((folder / "one.flac").read_bytes()[:9000])
    (folder / "notes.txt").write_text("no sound")
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder):
    """All files but the record of what was made of what."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != RECORDS_NAME)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_a_tree_is_enhanced_and_what_is_broken_listed(main, model, speech, tmp_path, capsys):
    before = fill(tmp_path / "in", speech)
    # Within the input folder: the second run must not search it.
    out = tmp_path / "in" / "out"
    done = enhance(tmp_path / "in", "-o", out, "--model", model)
    assert done.returncode == 1, done.stderr
    assert names(out) == list(GOOD)
    assert "Not enhanced: 5\n" in done.stderr
    for words in (
        "broken.wav: corrupt",
        "empty.wav: empty: 0 bytes",
        "zero.wav: empty: 0 samples",
        "nan.wav: not finite",
        "cut.flac: corrupt",
    ):
        assert words in done.stderr
    for name in GOOD:
        old, new = soundfile.info(tmp_path / "in" / name), soundfile.info(out / name)
        for what in ("samplerate", "channels", "frames", "format", "subtype"):
            assert getattr(new, what) == getattr(old, what)
    stereo = soundfile.read(out / "stereo.wav")[0]
    assert stereo[:, 0].any() and not stereo[:, 1].any()
    assert {path: path.read_bytes() for path in before} == before

    times = {name: (out / name).stat().st_mtime_ns for name in GOOD}
    (out / "one.flac").unlink()
    for path in before:
        if path.name in ("broken.wav", "empty.wav", "zero.wav", "nan.wav", "cut.flac"):
            path.unlink()
    assert main(tmp_path / "in", "-o", out, "--model", model) == 0
    assert "Not enhanced" not in capsys.readouterr().err
    assert names(out) == list(GOOD)
    again = {name: (out / name).stat().st_mtime_ns for name in GOOD}
    assert [name for name in GOOD if again[name] != times[name]] == ["one.flac"]


def test_a_killed_run_goes_on(main, model, speech, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(40):
        soundfile.write(
            tmp_path / "in" / f"{number:02}.wav", np.tile(np.roll(speech, 500 * number), 3), 16000
        )
    out = tmp_path / "out"
    words = [tmp_path / "in", "-o", out, "--model", model, "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sb_resizegan", "enhance", *words], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not list(out.glob("*.wav")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    whole = sorted(out.glob("*.wav"))
    assert 0 < len(whole) < 40
    assert all(soundfile.info(path).frames == 3 * len(speech) for path in whole)
    # What a process leaves that is killed while it writes.
    (out / ".39.wav.00000000.partial").write_bytes(b"half")
    times = {path: path.stat().st_mtime_ns for path in whole}
    assert main(tmp_path / "in", "-o", out, "--model", model) == 0
    assert names(out) == [f"{number:02}.wav" for number in range(40)]
    assert all(path.stat().st_mtime_ns == times[path] for path in whole)


def test_processes_of_torchrun_share_the_files(model, speech, tmp_path):
    fill(tmp_path / "in", speech)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--model", model)
    done = enhance(*arguments, launcher=launcher)
    assert done.returncode == 1
    assert names(tmp_path / "out") == list(GOOD)
    assert done.stderr.count("Not enhanced: 5\n") == 1 and done.stderr.count("empty.wav: empty") == 1


def test_processes_of_torchrun_take_files_as_they_go(main, model, speech, tmp_path):
    """One process is at a file that is thirty times as long as all others: the other one does these."""
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "long.wav", np.tile(speech, 100), 16000)
    for number in range(10):
        soundfile.write(tmp_path / "in" / f"{number}.wav", speech[:16000], 16000)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    done = enhance(tmp_path / "in", "-o", tmp_path / "out", "--model", model, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert len(names(tmp_path / "out")) == 11
    times = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.wav")}
    # Fixed shares would leave four or five of these behind the long one.
    assert sum(times[str(number)] < times["long"] for number in range(10)) >= 7
    wrong = enhance(tmp_path / "nowhere", "-o", tmp_path / "out", "--model", model, launcher=launcher)
    assert wrong.returncode != 0 and "nowhere: no such file or folder" in wrong.stderr


def test_processes_without_torchrun_share_the_files(main, model, speech, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for number in range(4):
        soundfile.write(tmp_path / "in" / f"{number}.wav", speech[: 4000 * (number + 1)], 16000)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    # What the other one is at work on is no failure of this one's.
    with try_lock(partial_path(out / "3.wav", ".lock", 0)):
        assert main(tmp_path / "in", "-o", out, "--model", model) == 0
    assert "Left to another process: 1" in capsys.readouterr().err
    assert names(out) == ["0.wav", "1.wav", "2.wav"]
    begun = sorted(names(out), key=lambda name: (out / name).stat().st_mtime_ns)
    assert begun == ["1.wav", "0.wav", "2.wav"]  # from the middle of the list, which begins with the longest
    monkeypatch.setenv("RANK", "0")
    assert main(tmp_path / "in", "-o", out, "--model", model) == 0
    assert names(out) == [f"{number}.wav" for number in range(4)]


def test_options_reach_the_model(main, model, speech, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech, 16000, "FLOAT")

    def run(folder, *options):
        assert main(tmp_path / "a.wav", "-o", tmp_path / folder, "--model", model, *options) == 0
        return [soundfile.read(path)[0] for path in sorted((tmp_path / folder).glob("*.wav"))]

    plain, seeded = run("plain"), run("seeded", "--seed", 1)
    draws = run("draws", "--num_samples", 2, "--chunk_seconds", 1)
    assert names(tmp_path / "draws") == ["a_1.wav", "a_2.wav"]
    assert np.abs(seeded[0] - plain[0]).max() > 1e-4 and np.abs(draws[1] - plain[0]).max() > 1e-4
    # In chunks as in one pass.
    assert np.abs(draws[0] - plain[0]).max() < 1e-3 * np.abs(plain[0]).max()
    assert np.array_equal(run("plain", "--seed", 1)[0], plain[0])  # it is there
    assert np.array_equal(run("plain", "--seed", 1, "--overwrite")[0], seeded[0])


def test_several_draws_are_reduced_to_one_file(main, model, speech, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", speech[:16000], 16000, "FLOAT")

    def run(folder, *options):
        words = tmp_path / "a.wav", "-o", tmp_path / folder, "--model", model, "--num_samples", 3, *options
        assert main(*words) == 0
        return [soundfile.read(path)[0] for path in sorted((tmp_path / folder).glob("*.wav"))]

    draws = run("draws")
    ((mean,), (best,)) = run("mean", "--reduce", "mean"), run("best", "--reduce", "best")
    assert names(tmp_path / "mean") == names(tmp_path / "best") == ["a.wav"]
    assert np.abs(mean - np.mean(draws, axis=0)).max() < 1e-6
    assert any(np.array_equal(best, draw) for draw in draws)
    run("mean", "--reduce", "best")
    assert "it was made of other draws" in capsys.readouterr().err


def test_a_full_disk_is_listed_and_leaves_nothing_half(main, model, speech, tmp_path, capsys):
    """The long file does not fit, the short one does."""
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "long.wav", speech, 16000)
    soundfile.write(tmp_path / "in" / "short.wav", speech[:8000], 16000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, limits[1]))
    try:
        assert main(tmp_path / "in", "-o", tmp_path / "out", "--model", model) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in capsys.readouterr().err
    assert names(tmp_path / "out") == ["short.wav"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.wav", "-o", "out", "--model", "enhance-bose"], "no such model: 'enhance-bose'"),
        (["a.wav", "-o", "out", "--model", "no/such/model"], "--model: no such model folder"),
        (["a.wav", "-o", "out", "--model", "in"], "--model: in: expected an exported model"),
        (["nowhere.wav", "-o", "out"], "nowhere.wav: no such file or folder"),
        (["a.wav", "in/a.wav", "-o", "out"], "would both become out/a.wav"),
        (["in", "-o", "in"], "in/a.wav would become in/a.wav, which is an input"),
        (["in", "-o", "a.wav"], "--output: a.wav is no folder"),
        (["in", "-o", "out", "--num_samples", "0"], "--num_samples: expected at least 1, but got 0"),
        (["in", "-o", "out", "--reduce", "mean"], "--reduce: expected --num_samples beside it, but got mean"),
        (["in", "-o", "out", "--chunk_seconds", "nan"], "--chunk_seconds: expected at least 0.1"),
    ],
)
def test_wrong_calls_say_what_is_wrong(main, arguments, words, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "in/a.wav"):
        soundfile.write(tmp_path / name, np.zeros(100), 16000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit:
        main(*arguments)
    assert exit.value.code == 2 and words in capsys.readouterr().err
    assert names(tmp_path) == ["a.wav", "in/a.wav"]


def test_a_folder_without_sound_is_no_success(main, model, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert main(tmp_path / "in", "-o", tmp_path / "out", "--model", model) == 1
    assert "no sound file in" in capsys.readouterr().err


def test_a_file_that_another_process_enhances_is_left_to_it(main, model, speech, tmp_path, capsys):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, speech[:8000], 16000)
    arguments = (tmp_path / "a.wav", tmp_path / "b.wav", "-o", tmp_path / "out", "--model", model)
    (tmp_path / "out").mkdir()
    with try_lock(partial_path(tmp_path / "out" / "a.wav", ".lock", 0)):
        assert main(*arguments) == 1
    said = capsys.readouterr().err
    assert "Left to another process: 1" in said and "a.wav" in said and "Not enhanced" not in said
    assert names(tmp_path / "out") == ["b.wav"]
    assert main(*arguments) == 0
    assert names(tmp_path / "out") == ["a.wav", "b.wav"]


def test_two_at_once_lose_nothing(model, speech, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(12):
        soundfile.write(tmp_path / "in" / f"{number:02}.wav", np.roll(speech, 999 * number), 16000)
    words = [sys.executable, "-m", "sb_resizegan", "enhance", tmp_path / "in", "-o", tmp_path / "out"]
    words += ["--model", model, "--device", "cpu"]
    both = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0 or "Left to another process" in said
        assert "Not enhanced" not in said
    assert names(tmp_path / "out") == [f"{number:02}.wav" for number in range(12)]
    assert all(soundfile.info(path).frames == len(speech) for path in (tmp_path / "out").glob("*.wav"))


def test_what_is_there_is_counted_and_doubted_where_it_is_due(main, model, speech, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("same.wav", "newer.wav"):
        soundfile.write(tmp_path / "in" / name, speech[:8000], 16000)
    arguments = (tmp_path / "in", "-o", tmp_path / "out", "--model")
    assert main(*arguments, model) == 0
    assert "there already" not in capsys.readouterr().err
    os.utime(tmp_path / "in" / "newer.wav", ns=(time.time_ns() + 10**9,) * 2)
    assert main(*arguments, model) == 0
    said = capsys.readouterr().err
    assert "2 files were there already" in said and "newer.wav: the input is newer" in said
    assert "same.wav" not in said
    other = tmp_path / "other"
    shutil.copytree(model, other)
    torch.save(small_generator(seed=5).state_dict(), other / "generator.ckpt")
    assert main(*arguments, other) == 0
    assert "same.wav: another model made it" in capsys.readouterr().err
    assert main(*arguments, other, "--overwrite") == 0
    os.utime(tmp_path / "in" / "newer.wav", ns=(time.time_ns() - 10**9,) * 2)
    assert main(*arguments, other) == 0
    assert "another model" not in capsys.readouterr().err


def test_title_artist_date_and_comment_are_kept(main, model, speech, tmp_path):
    tags = {"title": "Straße", "artist": "Somebody", "date": "2026", "comment": "by the sea"}
    forms = {"a.wav": ("WAV", "PCM_16"), "b.flac": ("FLAC", "PCM_16"), "c.ogg": ("OGG", "VORBIS")}
    forms["d.mp3"] = ("MP3", "MPEG_LAYER_III")
    (tmp_path / "in").mkdir()
    for name, (form, subtype) in forms.items():
        with sound_sink(tmp_path / "in" / name, 16000, 1, form, subtype, tags) as audio:
            audio.write(speech[:8000])
    assert main(tmp_path / "in", "-o", tmp_path / "out", "--model", model) == 0
    for name in forms:
        assert dict(audio_header(tmp_path / "out" / name).tags) == tags


def test_names_of_any_bytes_are_kept(main, model, speech, tmp_path):
    (tmp_path / "in").mkdir()
    odd = [b"\xff $1#=\"'\n,.wav", b"n" * 251 + b".wav", "ä" * 125 + ".wav"]
    for name in map(os.fsdecode, odd):
        soundfile.write(os.fsencode(tmp_path / "in" / name), speech[:8000], 16000)
    assert main(tmp_path / "in", "-o", tmp_path / "out", "--model", model) == 0
    assert names(tmp_path / "out") == sorted(map(os.fsdecode, odd))


@pytest.mark.parametrize("place", ["file/out", "/proc/out"])
def test_a_folder_that_cannot_be_made_is_named_in_a_line(main, model, speech, tmp_path, capsys, place):
    (tmp_path / "file").touch()
    soundfile.write(tmp_path / "a.wav", speech[:8000], 16000)
    assert main(tmp_path / "a.wav", "-o", tmp_path / place, "--model", model) == 1
    said = capsys.readouterr().err
    assert "Not enhanced: 1" in said and ("Not a directory" in said or "No such file or directory" in said)
