"""The command `sb-resizegan` itself: help, versions, mistakes, and yaml files found from any folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sb_resizegan
from sb_resizegan.commands.main import COMMANDS, TRAININGS, main
from sb_resizegan.commands.training_help import training_help
from sb_resizegan.utils.hparams import load_hparams
from sb_resizegan.utils.shipped import find_yaml, shipped_yamls
from sb_resizegan.utils.yaml_files import yaml_tree

ROOT = Path(__file__).parents[2]
# What takes seconds to load.
HEAVY = ("torch", "speechbrain", "scipy", "matplotlib", "numpy")


def run(*arguments, python=("-m", "sb_resizegan")):
    """The command, or other code, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, (*python, *arguments))]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_begins_with_three_examples_and_loads_nothing_heavy(name):
    code = (
        "import sys; from sb_resizegan.commands.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('\\nLOADED', *[name for name in sys.argv[-1].split(',') if name in sys.modules])"
    )
    # The names come last, where the help is asked for before.
    process = run(*name.split(), "--help", ",".join(HEAVY), python=("-c", code))
    assert process.returncode == 0, process.stderr
    text, loaded = process.stdout.split("\nLOADED")
    assert loaded.split() == []
    words = f"sb-resizegan {name}".strip()
    beginning = text.split("usage:")[0].replace("-m sb_resizegan", "sb-resizegan")
    assert beginning.count(f"{words} ") >= 3


def test_every_subcommand_has_a_recipe_that_gives_the_same_help():
    for name in COMMANDS:
        recipe = ROOT / "recipes" / f"{name.replace('-', '_')}.py"
        process = run("--help", python=(recipe,))
        assert process.returncode == 0, process.stderr
        assert process.stdout == run(name, "--help").stdout


def test_the_version_is_said(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sb-resizegan {sb_resizegan.__version__}\n"


def test_a_mistyped_command_gets_one_line(capsys):
    assert main(["train_gan"]) == 2
    assert capsys.readouterr().err == "error: no such command: 'train_gan'; did you mean 'train-gan'?\n"
    assert main(["sing"]) == 2
    assert "expected one of train-gan, train-enhance, train-restore, " in capsys.readouterr().err


def test_help_into_a_closed_pipe_is_no_error():
    code = "import os; os.close(1); r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n"
    code += "from sb_resizegan.commands.main import main; main(['train-gan', '--help'])"
    process = run(python=("-c", code))
    assert process.stderr == ""


@pytest.mark.parametrize("command", TRAININGS)
def test_the_help_of_a_training_has_every_key_its_comment_and_speechbrain_s_options(command):
    yaml = TRAININGS[command]
    ours, theirs = training_help(command, yaml).split("SpeechBrain's options:")
    for key in (key for key in yaml_tree(yaml) if not key.startswith("__")):
        assert f"--{key} " in ours or f"{key}," in ours or f"{key}." in ours, key
    assert "windows, for each process" in ours or "segments, for each process" in ours
    assert "--precision" in theirs and "--batch_size" not in theirs and "--max_grad_norm" not in theirs


def test_the_help_shows_the_values_of_the_yaml_that_is_named():
    assert "--upsampling transpose " in training_help("train-gan", "transpose.yaml")
    assert "--upsampling nearest " in training_help("train-gan", "resize.yaml")


@pytest.mark.parametrize("arguments", [["no_such.yaml"], ["no_such.yaml", "--help"]])
def test_a_wrong_yaml_lists_the_shipped_ones(arguments):
    process = run("train-gan", *arguments)
    assert process.returncode == 1
    (line,) = [line for line in process.stderr.splitlines() if "no_such" in line]
    assert line.startswith("error: no such yaml file: no_such.yaml")
    assert "'resize.yaml'" in line and "'enhance.yaml'" in line and "Traceback" not in process.stderr


def test_shipped_yamls_are_found_from_any_folder_and_a_file_at_the_path_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_yaml("resize.yaml") == ROOT / "hparams" / "resize.yaml"
    (tmp_path / "mine.yaml").write_text(
        f"extends: resize.yaml\nbatch_size: 7\noutput_folder: {tmp_path}/out\n"
    )
    assert load_hparams("mine.yaml")[0]["batch_size"] == 7
    shutil.copy(ROOT / "hparams" / "transpose.yaml", tmp_path / "resize.yaml")
    assert find_yaml("resize.yaml").resolve() == tmp_path / "resize.yaml"
    with pytest.raises(FileNotFoundError, match="no such yaml file"):
        find_yaml("../hparams/resize.yaml")
    assert "compare.yaml" in shipped_yamls()
