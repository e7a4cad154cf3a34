"""A grid of trainings, read from a yaml and checked as a whole; which of them have come to their end."""

import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ruamel.yaml
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.utils.run_opts import RunOptions

from sb_resizegan.report.measures_csv import read_measures
from sb_resizegan.training.settings_file import load_training
from sb_resizegan.utils.shipped import find_yaml
from sb_resizegan.utils.yaml_files import HparamsError, yaml_tree

__all__ = ["Grid", "GridError", "GridRun", "epochs_done", "is_finished", "read_grid"]

KEYS = (
    "output_folder",
    "base",
    "overrides",
    "seeds",
    "runs",
    "compared_windows",
    "best_by",
    "shown",
    "groups",
    "gradients",
)
# Measures that don't depend on the settings of a run, lower is better.
BEST_BY = ("prominence_worst_db", "out_of_band_db", "spectral_distance_db", "frechet_log_mel", "c2st_auc")
# What a run may be continued or compared with although it differs.
FREE_KEYS = {
    "output_folder",
    "save_folder",
    "checkpointer",
    "num_workers",
    "log_every",
    "max_memory_gb",
    "ckpt_interval_minutes",
}


class GridError(ValueError):
    """A grid that can't be run."""


class GridRun(NamedTuple):
    """One training of a grid."""

    variant: str
    """Name of what is trained."""

    seed: int
    """Its seed."""

    folder: Path
    """Its output folder."""

    base: Path
    """The yaml that it starts from."""

    overrides: dict
    """What differs from that, the output folder included."""

    hparams: dict
    """The hyperparameters, constructed."""

    resolved: str
    """Their text."""

    @property
    def name(self) -> str:
        """``variant/seed``."""
        return f"{self.variant}/{self.seed}"

    def fresh(self, key: str, seed: int) -> Any:
        """An object of the yaml, such as ``critic``, constructed anew with weights of another seed."""
        yaml = ruamel.yaml.YAML()
        text = io.StringIO()
        yaml.dump({key: yaml.load(self.resolved)[key]}, text)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return load_hyperpyyaml(text.getvalue())[key]


class Grid(NamedTuple):
    """A yaml like ``hparams/compare.yaml``."""

    path: Path
    output_folder: Path
    runs: list
    """Of `GridRun`."""

    compared_windows: int
    """Generated windows for the final figures."""

    best_by: str
    """The measure by which the best variant is chosen, lower is better."""

    shown: list
    """Variants in the spectrograms and spectra."""

    groups: dict
    """Variants whose curves share a picture, by the picture's name."""

    gradients: list
    """Variants whose critics' gradients are drawn."""


def read_grid(
    path: str | Path, output_folder: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Grid:
    """Reads a grid and checks every run of it, before time is spent on the first.

    ``base`` names the training yaml, relative to the grid's own, or a shipped one; ``overrides`` hold for
    every run; ``runs`` gives by name what differs in a variant, and ``seeds`` of its own where they aren't
    the grid's.

    Arguments
    ---------
    path : str or Path
        The yaml, or the name of a shipped one.
    output_folder : str or Path
        Where the runs go, instead of the yaml's ``output_folder``.
    overrides : dict
        Goes before all overrides of the yaml.

    Returns
    -------
    Grid
        The grid, with hyperparameters that have been loaded.

    Raises
    ------
    GridError
        For a missing file, wrong, missing or double keys, an empty grid, names that stand for no run,
        settings that a run's yaml does not have or accept, unequal numbers of generator steps.
    """
    try:
        path = find_yaml(path)
    except FileNotFoundError as error:
        raise GridError(error) from error
    tree = _load(path)
    for key in tree:
        if key not in KEYS:
            raise GridError(f"{path}: unknown key {key!r}; expected some of {list(KEYS)}")
    for key in ("base", "runs"):
        if not tree.get(key):
            raise GridError(
                f"{path}: {key}: expected {'a yaml' if key == 'base' else 'at least one run'}, but got none"
            )
    folder = Path(output_folder or tree.get("output_folder") or "results/compare")
    base = _base(path, str(tree["base"]))
    shared = _mapping(path, "overrides", tree.get("overrides"))
    runs = []
    for variant, differing in _mapping(path, "runs", tree["runs"]).items():
        if not re.fullmatch(r"\w[\w.+-]*", str(variant)):
            raise GridError(f"{path}: runs: expected names that can be folders, but got {variant!r}")
        differing = _mapping(path, f"runs, {variant}", differing)
        seeds = _seeds(path, variant, differing.pop("seeds", tree.get("seeds")))
        for seed in seeds:
            own = {**shared, **differing, **(overrides or {}), "seed": seed}
            runs.append(_plan(path, str(variant), seed, base, own, folder / str(variant) / str(seed)))
    _check_budget(path, runs)
    variants = list(dict.fromkeys(run.variant for run in runs))

    def names(key: str, value: Sequence[str]) -> list[str]:
        unknown = [name for name in value if name not in variants]
        if unknown:
            raise GridError(f"{path}: {key}: expected names of runs ({variants}), but got {unknown}")
        return list(value)

    windows = tree.get("compared_windows", 4096)
    if not isinstance(windows, int) or windows < 64:
        raise GridError(f"{path}: compared_windows: expected an integer of at least 64, but got {windows!r}")
    best_by = tree.get("best_by", "frechet_log_mel")
    if best_by not in BEST_BY:
        raise GridError(f"{path}: best_by: expected one of {list(BEST_BY)}, but got {best_by!r}")
    groups = _mapping(path, "groups", tree.get("groups"))
    return Grid(
        path,
        folder,
        runs,
        windows,
        best_by,
        names("shown", tree.get("shown") or variants[:2]),
        {key: names(f"groups, {key}", value) for key, value in groups.items()} or {"all": variants},
        names("gradients", tree.get("gradients") or variants[:1]),
    )


def is_finished(run: GridRun) -> bool:
    """Whether a run has come to its end.

    Raises
    ------
    GridError
        If its folder holds a training with other settings.
    """
    stored = run.folder / "hyperparams.yaml"
    if not stored.is_file():
        return False
    yaml = ruamel.yaml.YAML()
    before, now = yaml.load(stored.read_text(encoding="utf-8")), yaml.load(run.resolved)
    differing = [
        key
        for key in now
        if key in (before or {}) and key not in FREE_KEYS and _plain(before[key]) != _plain(now[key])
    ]
    if differing:
        raise GridError(
            f"{run.folder} was trained with other settings ({', '.join(differing)}); "
            "delete it or choose another output_folder"
        )
    ended = all((run.folder / name).exists() for name in ("export/hyperparams.yaml", "report.html"))
    return ended and epochs_done(run) == run.hparams["number_of_epochs"]


def epochs_done(run: GridRun) -> int:
    """Epochs that a run has finished so far."""
    path = run.folder / "measures.csv"
    rows = read_measures(path) if path.is_file() else []
    return rows[-1]["epoch"] if rows else 0


def _base(path: Path, name: str) -> Path:
    try:
        return find_yaml(name, path.parent)
    except FileNotFoundError as error:
        raise GridError(f"{path}: base: {error}") from error


def _load(path: Path) -> dict[str, Any]:
    try:
        tree = ruamel.yaml.YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except ruamel.yaml.YAMLError as error:
        raise GridError(f"{path} is no plain yaml, or names something twice: {error}") from error
    if not isinstance(tree, dict):
        raise GridError(f"{path}: expected yaml of the form 'key: value', but got {type(tree).__name__}")
    return tree


def _mapping(path: Path, key: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise GridError(f"{path}: {key}: expected 'key: value' pairs, but got {value!r}")
    return dict(value or {})


def _seeds(path: Path, variant: str, seeds: Any) -> list[int]:
    seeds = seeds if isinstance(seeds, list) else [seeds]
    if (
        not seeds
        or not all(type(seed) is int and seed >= 0 for seed in seeds)
        or len(set(seeds)) < len(seeds)
    ):
        raise GridError(f"{path}: runs, {variant}: expected different integers as seeds, but got {seeds}")
    return seeds


def _plan(
    path: Path, variant: str, seed: int, base: Path, overrides: Mapping[str, Any], folder: Path
) -> GridRun:
    run_options = set(RunOptions().as_dict()) - set(yaml_tree(base))
    # Loading makes the checkpointer's folder; a plan shall leave nothing behind.
    try:
        with tempfile.TemporaryDirectory() as elsewhere:
            own = {key: value for key, value in overrides.items() if key not in run_options}
            hparams, resolved = load_training(base, "windows", {**own, "output_folder": elsewhere})
    except HparamsError as error:
        raise GridError(f"{path}: runs, {variant}: {error}") from error
    return GridRun(
        variant, seed, folder, base, {**overrides, "output_folder": str(folder)}, hparams, resolved
    )


def _check_budget(path: Path, runs: Sequence[GridRun]) -> None:
    steps = {run.name: run.hparams["number_of_epochs"] * run.hparams["iterations_per_epoch"] for run in runs}
    if len(set(steps.values())) > 1:
        raise GridError(f"{path}: runs: expected equal numbers of generator steps, but got {steps}")


def _plain(value: Any) -> tuple:
    """A yaml value with its tag, to be compared."""
    tag = getattr(value, "tag", None)
    return getattr(tag, "value", None), value
