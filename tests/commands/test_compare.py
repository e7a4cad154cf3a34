"""The comparison by its real command line: tiny runs, but every step of it."""

import csv
import re
import shutil
from pathlib import Path

import pytest
from matplotlib import image

from sb_resizegan.commands import compare
from sb_resizegan.comparison.grid import read_grid

ROOT = Path(__file__).parents[2]
GRID = f"""
base: {ROOT}/hparams/resize.yaml
seeds: [1]
compared_windows: 128
shown: [transpose]
gradients: [transpose, anti-aliased]
overrides:
    generator_channels: [16, 8, 8, 4]
    critic_channels: [4, 8, 8, 16]
    batch_size: 8
    number_of_epochs: 2
    iterations_per_epoch: 2
    measured_windows: 80
    residual_blocks: 0
    noise: False
    rectified_init: False
runs:
    transpose: {{upsampling: transpose}}
    anti-aliased: {{upsampling: sinc, downsampling: blur}}
"""


@pytest.fixture(scope="module", autouse=True)
def importable():
    """The trainings are processes of their own, which must find the package too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture(scope="module")
def finished(small_corpus, tmp_path_factory):
    """A grid that has been trained: its yaml and its output folder."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "grid.yaml").write_text(GRID)
    words = [str(folder / "grid.yaml"), f"--output_folder={folder / 'out'}", f"--data_folder={small_corpus}"]
    assert compare.main([*words, "--jobs=2", "--device", "cpu"]) == 0
    return words, folder / "out"


def read(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_tables_hold_every_variant_beside_real_speech(finished):
    _, folder = finished
    rows = {row["variant"]: row for row in read(folder / "comparison.csv")}
    assert list(rows) == ["real speech", "transpose", "anti-aliased"]
    figures = {
        name: {k: float(v) for k, v in row.items() if v and k != "variant"} for name, row in rows.items()
    }
    # Four steps have taught them nothing yet: their upsampling shows as it does in fresh networks.
    assert figures["transpose"]["prominence_worst_db"] > 30
    assert figures["anti-aliased"]["prominence_worst_db"] < 5
    assert figures["real speech"]["out_of_band_db"] < -60 < figures["transpose"]["out_of_band_db"]
    assert 10 * figures["real speech"]["frechet_log_mel"] < figures["anti-aliased"]["frechet_log_mel"]
    assert [(row["variant"], row["seed"]) for row in read(folder / "measures.csv")] == [
        ("real speech", "1"),
        ("transpose", "1"),
        ("anti-aliased", "1"),
    ]
    gradients = {row["variant"]: float(row["out_of_band_db"]) for row in read(folder / "gradients.csv")}
    assert len(gradients) == 6
    assert gradients["transpose, untrained"] > -3 and gradients["anti-aliased, untrained"] < -15
    text = (folder / "comparison.md").read_text()
    assert f"| {figures['transpose']['prominence_worst_db']:.2f} |" in text
    assert "each after 4 generator steps" in text and "Not finished" not in text


def test_pictures_and_the_report(finished):
    _, folder = finished
    pictures = sorted(path.stem for path in (folder / "figures").iterdir())
    assert [name for name in pictures if not name.startswith("gradients_")] == [
        "curves_all",
        "spectra",
        "spectrograms",
    ]
    assert len(pictures) == 6
    assert all(image.imread(folder / "figures" / f"{name}.png").std() > 0.05 for name in pictures)
    page = (folder / "report.html").read_text()
    assert page.count("<audio") == 4 and page.count("<img") == 6 + 2
    assert "Best by Fréchet log-mel distance" in page


def test_a_second_call_trains_nothing_and_gives_the_same_figures(finished, capsys):
    words, folder = finished
    names = ("measures.csv", "gradients.csv", "comparison.md")
    before = [(folder / name).read_text() for name in names]
    logs = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/console.txt")}
    assert len(logs) == 2
    assert compare.main(words) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    assert {path: path.stat().st_mtime_ns for path in logs} == logs
    assert [(folder / name).read_text() for name in names] == before


def test_one_run_is_resumed_another_fails_by_name_and_the_rest_is_gathered(finished, tmp_path, capsys):
    words, folder = finished
    shutil.copytree(folder / "transpose", tmp_path / "out" / "transpose")
    # As if killed between the last epoch and the export.
    (tmp_path / "out" / "transpose" / "1" / "report.html").unlink()
    (tmp_path / "grid.yaml").write_text(
        GRID.replace("anti-aliased", "bad").replace("sinc", "sinc, critic_steps: 0, energy_weight: 0")
    )
    call = [str(tmp_path / "grid.yaml"), f"--output_folder={tmp_path / 'out'}", words[2]]
    assert compare.main(call) == 1
    printed = capsys.readouterr().out
    assert "[1/2] transpose/1: goes on after epoch 2" in printed and "transpose/1: done" in printed
    assert (
        "FAILED   bad/1: exit status 1; error: critic_steps: expected an integer of at least 1, but got 0"
        in printed
    )
    assert [row["variant"] for row in read(tmp_path / "out" / "comparison.csv")] == [
        "real speech",
        "transpose",
    ]
    assert "Not finished: bad/1." in (tmp_path / "out" / "comparison.md").read_text()


def test_only_and_gather(finished, tmp_path, capsys):
    words, _ = finished
    assert compare.main([words[0], f"--output_folder={tmp_path}", words[2], "--gather"]) == 1
    assert f"no run is finished in {tmp_path}" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--number_of_epochs", "3"], r"transpose/1 was trained with other settings \(.*number_of_epochs"),
        (["--only", "nearest"], r"--only: expected some of \['transpose/1', 'anti-aliased/1'\].*'nearest'"),
        (["--seed=3"], "--seed: the seeds of the runs are stated in"),
        (["--upsamplings", "sinc"], "upsamplings.*did you mean 'upsampling'"),
    ],
)
def test_mistakes_end_it_with_one_line(finished, options, message, capsys):
    words, _ = finished
    assert compare.main([*words, *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and re.search(message, line)


def test_the_article_s_grid():
    grid = read_grid(ROOT / "hparams" / "compare.yaml")
    settings = {
        (
            run.hparams["upsampling"],
            run.hparams["downsampling"],
            run.hparams["phase_shuffle"] > 0,
        ): run.variant
        for run in grid.runs
    }
    modes = ("transpose", "nearest", "linear", "sinc", "subpixel")
    wanted = {(mode, "strided", True) for mode in modes} | {("transpose", "strided", False)}
    assert set(settings) >= wanted | {("nearest", "blur", True), ("sinc", "blur", True)}
    seeds = [run.variant for run in grid.runs]
    assert min(seeds.count("transpose"), seeds.count("nearest")) >= 2
    assert {run.hparams["lowpass_hz"] for run in grid.runs} == {1500.0}


@pytest.mark.parametrize("name", ["compare_long.yaml", "compare_hour.yaml"])
def test_the_grids_of_the_newer_recipe(name):
    """They ask the article's question of generators that learn, and differ in their length alone."""
    grid = read_grid(ROOT / "hparams" / name)
    assert {"transpose", "nearest"} < {run.variant for run in grid.runs}
    for run in grid.runs:
        assert run.hparams["energy_weight"] > 0
        assert run.hparams["critic_steps"] == 1
        # The learning rate stays, so that a run can go on.
        assert run.hparams["learning_rate"] in (0.0004,)
