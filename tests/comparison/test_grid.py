"""Grids of trainings: what is wrong with one is said before time is spent."""

from pathlib import Path

import pytest

from sb_resizegan.comparison.grid import GridError, read_grid

BASE = Path(__file__).parents[2] / "hparams" / "resize.yaml"


def write(folder, text):
    path = folder / "grid.yaml"
    path.write_text(f"base: {BASE}\nseeds: [1]\n{text}")
    return path


def test_runs_state_what_differs(tmp_path):
    path = write(
        tmp_path,
        "overrides: {batch_size: 32}\n"
        "runs:\n    a: {upsampling: linear, seeds: [4, 5]}\n    b: {batch_size: 16}\n",
    )
    grid = read_grid(path, tmp_path / "out", {"critic_steps": 2})
    assert [run.name for run in grid.runs] == ["a/4", "a/5", "b/1"]
    assert [run.hparams["batch_size"] for run in grid.runs] == [32, 32, 16]
    assert [run.hparams["upsampling"] for run in grid.runs] == ["linear", "linear", "nearest"]
    assert {run.hparams["critic_steps"] for run in grid.runs} == {2}
    assert [run.hparams["seed"] for run in grid.runs] == [4, 5, 1]
    assert grid.runs[1].folder == tmp_path / "out" / "a" / "5"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "runs: expected at least one run, but got none"),
        ("runs: {}", "runs: expected at least one run, but got none"),
        ("runs: [a, b]", "runs: expected 'key: value' pairs"),
        ("runs: {a: {}}\nrun: 3", "unknown key 'run'"),
        ("runs:\n    a: {}\n    a: {}\n", "names something twice"),
        ("runs: {../a: {}}", "names that can be folders, but got '../a'"),
        ("runs: {a: {seeds: []}}", "runs, a: expected different integers as seeds"),
        ("runs: {a: {seeds: [1, 1]}}", "runs, a: expected different integers as seeds"),
        ("runs: {a: {upsamplings: sinc}}", "runs, a: .*did you mean 'upsampling'"),
        ("runs: {a: {upsampling: cubic}}", "runs, a: .*nearest.*'cubic'"),
        ("runs: {a: {}, b: {number_of_epochs: 3}}", "equal numbers of generator steps"),
        ("runs: {a: {}}\nshown: [b]", r"shown: expected names of runs \(\['a'\]\), but got \['b'\]"),
        ("runs: {a: {}}\ngroups: {all: [a, c]}", r"groups, all: expected names of runs"),
        ("runs: {a: {}}\ncompared_windows: 3", "compared_windows: expected an integer of at least 64"),
        ("runs: {a: {}}\nbest_by: loss", "best_by: expected one of .*frechet_log_mel.*'loss'"),
        ("runs: {a: {}}}", "no plain yaml"),
    ],
)
def test_mistakes(tmp_path, text, message):
    with pytest.raises(GridError, match=message) as error:
        read_grid(write(tmp_path, text))
    assert str(error.value).startswith(str(tmp_path))


def test_missing_files(tmp_path):
    with pytest.raises(GridError, match=f"no such yaml file: {tmp_path / 'none.yaml'}"):
        read_grid(tmp_path / "none.yaml")
    (tmp_path / "grid.yaml").write_text("base: other.yaml\nseeds: [1]\nruns: {a: {}}\n")
    with pytest.raises(GridError, match=f"base: no such yaml file: {tmp_path / 'other.yaml'}"):
        read_grid(tmp_path / "grid.yaml")
