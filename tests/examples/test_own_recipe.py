"""The recipe of one's own trains, in SpeechBrain's way, and gives a PESQ for each epoch."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]


def test_it_trains(speech_files, tmp_path):
    rows, random = ["ID,duration,noisy_wav,clean_wav"], np.random.default_rng(0)
    for number in range(4):
        clean = soundfile.read(speech_files[number], dtype="float32")[0][: 24000 + 800 * number]
        paths = {side: tmp_path / f"{side}{number}.wav" for side in ("noisy", "clean")}
        soundfile.write(paths["clean"], clean, 16000)
        soundfile.write(paths["noisy"], clean + 0.01 * random.standard_normal(len(clean)), 16000)
        rows.append(f"u{number},{len(clean) / 16000},{paths['noisy']},{paths['clean']}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    recipe = ROOT / "examples" / "own_recipe.py"
    done = subprocess.run(
        [sys.executable, str(recipe), "--csv", "list.csv", "--epochs", "5"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    losses = [float(number) for number in re.findall(r"epoch \d: loss (\S+), PESQ [1-4]\.\d+", done.stdout)]
    assert len(losses) == 5 and losses[-1] < losses[0]
    assert len(recipe.read_text().splitlines()) <= 65
