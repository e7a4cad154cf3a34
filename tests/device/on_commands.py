"""Both trainings by their command, from data to report, on the device."""

import csv

import numpy as np
import pytest
import soundfile

from sb_resizegan.commands import train_enhance, train_gan
from sb_resizegan.inference import GenerativeEnhancement, SpeechWindowGenerator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve files of buzzing bursts."""
    folder = tmp_path_factory.mktemp("speech")
    random = np.random.default_rng(0)
    time = np.arange(20000) / 16000
    for number in range(12):
        pitch = 90 + 10 * number
        buzz = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20))
        signal = 0.05 * buzz * ((time + 0.1 * number) % 0.8 < 0.6) + 1e-3 * random.standard_normal(len(time))
        soundfile.write(folder / f"{number}.wav", signal, 16000)
    return folder


def figures(folder):
    with (folder / "measures.csv").open() as stream:
        return list(csv.DictReader(stream))


def words(**options):
    return [f"--{key}={value}" for key, value in options.items()]


def test_windows(folder, device, tmp_path):
    options = {"number_of_epochs": 1, "iterations_per_epoch": 2, "batch_size": 4, "measured_windows": 16}
    options |= {"sample_windows": 4, "critic_channels": "[4,8,8,16]"}
    run = tmp_path / "run"
    paths = {"data_folder": folder, "output_folder": run, "device": str(device)}
    train_gan.main(["hparams/resize.yaml", *words(**options, **paths), "--noprogressbar"])
    assert len(figures(run)) == 1
    assert SpeechWindowGenerator.from_hparams(run / "export").generate(2, seed=0).shape == (2, 2048)


def test_enhancement(folder, device, tmp_path):
    options = {"channels": 8, "time_units": 8, "band_units": 8, "blocks": 1, "critic_channels": "[4,8,8,8]"}
    options |= {"batch_size": 2, "number_of_epochs": 1, "iterations_per_epoch": 1, "segment_seconds": 1.0}
    options["num_workers"] = 0
    run = tmp_path / "run"
    paths = {"clean": folder, "output_folder": run, "device": str(device), "valid_utterances": 2}
    train_enhance.main(["hparams/enhance.yaml", *words(**options, **paths), "--noprogressbar"])
    assert 1 <= float(figures(run)[0]["pesq_wb"]) <= 4.65
    assert GenerativeEnhancement.from_hparams(run / "export").sample_rate == 16000
