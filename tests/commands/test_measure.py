"""The command `measure`."""

import csv
import functools
import re
import shutil

import numpy as np
import pytest
import soundfile
import torch

from sb_resizegan.models.window_generator import WindowGenerator
from sb_resizegan.nnet.average import exponential_average
from sb_resizegan.training.checkpoint_export import export_generator
from sb_resizegan.training.checkpoints import AtomicCheckpointer


@pytest.fixture
def run(call):
    """Function that runs the command with some arguments."""
    return functools.partial(call, "measure")


@pytest.fixture(scope="module")
def humming(small_corpus, tmp_path_factory):
    """The prompts with a tone of a tenth of their RMS at 4 kHz, some at another rate, and files of no use."""
    folder = tmp_path_factory.mktemp("humming")
    (folder / "nested").mkdir()
    for number, path in enumerate(sorted(small_corpus.glob("*.wav"))):
        speech, rate = soundfile.read(path)
        hum = 0.1 * np.sqrt(2) * speech.std() * np.cos(np.pi / 2 * np.arange(len(speech)))
        if number == 0:
            speech, hum, rate = np.repeat(speech, 3), np.repeat(hum, 3), 48000
        soundfile.write(folder / "nested" / path.name, speech + hum, rate)
    soundfile.write(folder / "short.wav", np.full(100, 0.1), 16000)
    soundfile.write(folder / "silent.flac", np.zeros(16000), 16000)
    (folder / "broken.wav").write_bytes(b"RIFF but not for long")
    (folder / "notes.txt").write_text("no audio")
    return folder


def table(output):
    """Numbers by measure: what stands before and behind at least two blanks."""
    rows = {}
    for line in output.splitlines():
        name, *numbers = re.split(r" {2,}", line)
        if numbers and all(re.fullmatch(r"-?\d+\.\d+", number) for number in numbers):
            rows[name] = [float(number) for number in numbers]
    return rows


def test_a_hum_and_copies_are_found_beside_other_recordings(small_corpus, humming, tmp_path, run):
    out = tmp_path / "out" / "measures.csv"
    for number, path in enumerate(sorted(small_corpus.glob("*.wav"))):
        half = tmp_path / ("reference", "train")[number % 2]
        half.mkdir(exist_ok=True)
        shutil.copy(path, half)
    reference, train = tmp_path / "reference", tmp_path / "train"
    done = run(humming, "--reference", reference, "--train", train, "--num_windows", 512, "--csv", out)
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    hum, clean = rows["stride tone at 4 kHz, dB"]
    assert hum > 15 > 5 > clean
    assert rows["worst stride tone, dB"][0] == pytest.approx(hum)
    assert abs(rows["stride tone at 1 kHz, dB"][0] - rows["stride tone at 1 kHz, dB"][1]) < 3
    assert 0.3 < rows["copies of training data"][0] < 0.7
    assert "1 files resampled from 48000 Hz" in done.stdout
    for name, reason in (("short.wav", "too short"), ("silent.flac", "silent"), ("broken.wav", "corrupt")):
        assert any(name in line and reason in line for line in done.stdout.splitlines()), name
    with open(out, newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["prominence_4000hz_db"]) == pytest.approx(hum, abs=0.01)
    assert row["set"] == str(humming)


def test_a_single_file_without_reference_and_other_factors(humming, run):
    file = sorted((humming / "nested").glob("*.wav"))[1]
    done = run(file, "--factors", 2, 4, "--cutoff_hz", 3500)
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    assert set(rows) >= {"stride tone at 2 kHz, dB", "stride tone at 4 kHz, dB", "out-of-band energy, dB"}
    assert "stride tone at 250 Hz, dB" not in rows
    assert -20.5 < rows["out-of-band energy, dB"][0] < -3
    assert "vary by several dB" in done.stdout


def test_a_generator_brings_its_own_settings(small_corpus, tmp_path, run):
    torch.manual_seed(0)
    average = exponential_average(WindowGenerator(upsampling="transpose"))
    AtomicCheckpointer(tmp_path / "save", {"generator_average": average}).save_checkpoint()
    (tmp_path / "hyperparams.yaml").write_text(
        "sample_rate: 16000\nlowpass_hz: 1500\n"
        "generator: !new:sb_resizegan.models.window_generator.WindowGenerator\n    upsampling: transpose\n"
    )
    done = run(export_generator(tmp_path), "--reference", small_corpus, "--num_windows", 256)
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    assert rows["worst stride tone, dB"][0] > 30
    # The reference is low-passed as the generator's training data were.
    assert rows["out-of-band energy, dB"][1] < -50 < rows["out-of-band energy, dB"][0]
    assert run(tmp_path).stderr.startswith(f"error: {tmp_path} is the output folder of a training")


def test_a_seed_gives_the_same_figures_twice(humming, run):
    first, second = (run(humming, "--num_windows", 64, "--seed", 3).stdout for _ in range(2))
    assert first == second
    assert len(table(first)) == 6


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{missing}"], "missing: no such file or folder"),
        (["{useless}"], "none of 2 files holds a window of 2048 samples that isn't silent"),
        (["{humming}", "--train", "{humming}"], "--train: needs --reference"),
        (["{humming}", "--cutoff_hz", "9000"], "cutoff_hz: expected a frequency between 0 and 8000"),
    ],
)
def test_mistakes_get_one_line(arguments, message, humming, tmp_path, run):
    useless = tmp_path / "useless"
    useless.mkdir()
    for name in ("short.wav", "silent.flac"):
        shutil.copy(humming / name, useless)
    places = {"missing": tmp_path / "missing", "useless": useless, "humming": humming}
    done = run(*(argument.format(**places) for argument in arguments))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and message in done.stderr
    assert "Traceback" not in done.stderr
