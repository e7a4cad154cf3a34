"""What the campaign works on: small voices, small trainings, a small enhancer. Nothing is fetched."""

import shutil
from pathlib import Path

import numpy as np
import soundfile
import torch

from sb_resizegan.inference import shipped_models

__all__ = ["COMMANDS", "command_of", "model_folder", "pairs_folder", "run_command", "speech_folder", "tree"]

RATE = 16000
SMALL = ("--batch_size=4", "--number_of_epochs=2", "--iterations_per_epoch=2", "--num_workers=0")
SMALL_GAN = (
    *("resize.yaml", *SMALL, "--generator_channels=[16,8,8,4]", "--critic_channels=[4,8,8,16]"),
    *("--critic_steps=1", "--measured_windows=64", "--sample_windows=8"),
)
SMALL_ENHANCE = (
    *("enhance.yaml", *SMALL, "--channels=8", "--time_units=8", "--band_units=8", "--blocks=1"),
    *("--critic_channels=[4,8,8,8]", "--segment_seconds=1.0"),
)
# Every step leaves a checkpoint: wherever a kill comes, there is something to go on from.
OFTEN = ("--ckpt_interval_minutes=0", "--ckpt_interval_steps=1")


def voice(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Bursts of harmonics: enough like speech for the search for activity."""
    time = np.arange(int(RATE * seconds)) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6))) / RATE
    sound = sum(np.sin(k * pitch) / k for k in range(1, 12))
    gate = np.repeat(rng.random(int(seconds * 4) + 1) > 0.3, RATE // 4)[: len(time)]
    return (0.1 * sound * gate + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


def speech_folder(folder: Path, count: int = 4, seconds: float = 2.0) -> Path:
    """A folder of voices."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        sound = voice(np.random.default_rng(number), seconds)
        soundfile.write(folder / f"{number:03}.wav", sound, RATE)
    return folder


def pairs_folder(folder: Path, count: int = 4) -> Path:
    """Pairs of clean and noisy voices."""
    for side in ("clean", "noisy"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        clean = voice(rng, 2.0)
        noisy = clean + 0.02 * rng.standard_normal(len(clean)).astype(np.float32)
        soundfile.write(folder / "clean" / f"{number}.wav", clean, RATE)
        soundfile.write(folder / "noisy" / f"{number}.wav", noisy, RATE)
    return folder


def model_folder(folder: Path, name: str = "enhance-small") -> Path:
    """A copy of a shipped model."""
    models = shipped_models()
    return Path(shutil.copytree(models.get(name, models["enhance-base"]), folder))


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too, with their bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def run_command(words: list[str]) -> int:
    """The command, in this process."""
    from sb_resizegan.commands.main import main

    torch.set_num_threads(1)
    return main([str(word) for word in words]) or 0


def command_of(kind: str, folder: Path, material: Path) -> list[str]:
    """The command of a kind, which writes into a folder."""
    return COMMANDS[kind](folder, material)


COMMANDS = {
    "enhance": lambda folder, material: [
        *("enhance", material / "speech", "-o", folder, "--model", material / "model", "--device", "cpu")
    ],
    "train-gan": lambda folder, material: [
        *("train-gan", *SMALL_GAN, *OFTEN, "--device=cpu"),
        *(f"--data_folder={material / 'speech'}", f"--output_folder={folder}"),
    ],
    "train-enhance": lambda folder, material: [
        *("train-enhance", *SMALL_ENHANCE, *OFTEN, "--device=cpu"),
        *(f"--data_folder={material / 'pairs'}", f"--output_folder={folder}"),
    ],
    "export": lambda folder, material: ["export", material / "run", "-o", folder],
}
