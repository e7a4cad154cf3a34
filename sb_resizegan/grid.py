"""A grid of trainings: read from a yaml, checked as a whole, run one by one or side by side, resumed run by run."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import ruamel.yaml

from sb_resizegan.metrics.tables import read_measures
from sb_resizegan.utils.hparams import HparamsError, load_hparams

__all__ = ["Grid", "GridError", "GridRun", "is_finished", "read_grid", "train_grid"]

KEYS = ("output_folder", "base", "overrides", "seeds", "runs", "compared_windows", "best_by", "shown", "groups", "gradients")
# What a run may be continued or compared with although it differs.
FREE_KEYS = {"output_folder", "save_folder", "checkpointer", "num_workers", "max_memory_gb", "ckpt_interval_minutes"}


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
    def name(self):
        """``variant/seed``."""
        return f"{self.variant}/{self.seed}"

    def build(self, seed):
        """The hyperparameters with networks drawn from another seed."""
        return _load_apart(self.base, {**self.overrides, "seed": seed})[0]


class Grid(NamedTuple):
    """A yaml like ``hparams/compare.yaml``."""

    path: Path
    output_folder: Path
    runs: list
    """Of :class:`GridRun`."""

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


def read_grid(path, output_folder=None, overrides=None):
    """Reads a grid and checks every run of it, before time is spent on the first.

    ``base`` names the training yaml, relative to the grid's own; ``overrides`` hold for every run; ``runs`` gives by
    name what differs in a variant, and ``seeds`` of its own where they aren't the grid's.

    Arguments
    ---------
    path : str or Path
        The yaml.
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
        For a missing file, wrong, missing or double keys, an empty grid, names that stand for no run, settings that a
        run's yaml does not have or accept, unequal numbers of generator steps.
    """
    path = Path(path)
    tree = _load(path)
    for key in tree:
        if key not in KEYS:
            raise GridError(f"{path}: unknown key {key!r}; expected some of {list(KEYS)}")
    for key in ("base", "runs"):
        if not tree.get(key):
            raise GridError(f"{path}: {key}: expected {'a yaml' if key == 'base' else 'at least one run'}, but got none")
    folder = Path(output_folder or tree.get("output_folder") or "results/compare")
    base = path.parent / str(tree["base"])
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

    def names(key, value):
        unknown = [name for name in value if name not in variants]
        if unknown:
            raise GridError(f"{path}: {key}: expected names of runs ({variants}), but got {unknown}")
        return list(value)

    windows = tree.get("compared_windows", 4096)
    if not isinstance(windows, int) or windows < 64:
        raise GridError(f"{path}: compared_windows: expected an integer of at least 64, but got {windows!r}")
    groups = _mapping(path, "groups", tree.get("groups"))
    return Grid(
        path,
        folder,
        runs,
        windows,
        tree.get("best_by", "frechet_log_mel"),
        names("shown", tree.get("shown") or variants[:2]),
        {key: names(f"groups, {key}", value) for key, value in groups.items()} or {"all": variants},
        names("gradients", tree.get("gradients") or variants[:1]),
    )


def is_finished(run):
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
        key for key in now if key in (before or {}) and key not in FREE_KEYS and _plain(before[key]) != _plain(now[key])
    ]
    if differing:
        raise GridError(
            f"{run.folder} was trained with other settings ({', '.join(differing)}); delete it or choose another output_folder"
        )
    ended = all((run.folder / name).exists() for name in ("export/hyperparams.yaml", "report.html"))
    return ended and epochs_done(run) == run.hparams["number_of_epochs"]


def epochs_done(run):
    """Epochs that a run has finished so far."""
    path = run.folder / "measures.csv"
    rows = read_measures(path) if path.is_file() else []
    return rows[-1]["epoch"] if rows else 0


def train_grid(runs, recipe, options=(), jobs=1, threads=None, say=print):
    """Trains runs, each in a process of its own; one that fails doesn't keep the others from being run.

    Arguments
    ---------
    runs : list of GridRun
        The runs.
    recipe : str or Path
        The training script.
    options : sequence of str
        More words for its command line.
    jobs : int
        How many at a time.
    threads : int
        For each; by default the processors are shared out where there are several jobs.
    say : callable
        Takes lines of progress.

    Returns
    -------
    dict of str to str
        Why a run failed, by its name; empty if none did.
    """
    if threads is None and jobs > 1:
        threads = max(1, (os.cpu_count() or 1) // jobs)
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    waiting, active, failed = [], [], {}
    for number, run in enumerate(runs, 1):
        if is_finished(run):
            say(f"[{number}/{len(runs)}] {run.name}: finished before")
        else:
            waiting.append((number, run))
    clock = _Clock(jobs)
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                job = _Job(*waiting.pop(0), recipe, options, environment)
                active.append(job)
                done = f"goes on after epoch {job.epochs}" if job.epochs else "begins"
                say(f"[{job.number}/{len(runs)}] {job.run.name}: {done}, {_left(clock, active, waiting)}")
            time.sleep(0.2)
            for job in list(active):
                ended = job.process.poll() is not None  # before the epochs are read: none comes after
                if job.new_epochs(clock):
                    total = job.run.hparams["number_of_epochs"]
                    say(
                        f"[{job.number}/{len(runs)}] {job.run.name}: epoch {job.epochs} of {total}, "
                        f"{_left(clock, active, waiting)}"
                    )
                if ended:
                    active.remove(job)
                    reason = job.failure()
                    if reason:
                        failed[job.run.name] = reason
                        say(f"[{job.number}/{len(runs)}] {job.run.name}: FAILED: {reason} (see {job.log})")
                    else:
                        say(f"[{job.number}/{len(runs)}] {job.run.name}: done")
    finally:
        for job in active:
            job.process.terminate()
        for job in active:
            job.process.wait()
    return failed


class _Clock:
    """How long epochs take."""

    def __init__(self, jobs):
        self.jobs, self.seconds, self.epochs = jobs, 0.0, 0

    def left(self, epochs, runs):
        """Seconds for so many epochs of so many runs, None while no epoch has ended."""
        return self.seconds / self.epochs * epochs / min(self.jobs, max(runs, 1)) if self.epochs else None


class _Job:
    """A training in its process."""

    def __init__(self, number, run, recipe, options, environment):
        self.number, self.run = number, run
        run.folder.mkdir(parents=True, exist_ok=True)
        self.log = run.folder / "console.txt"
        self.epochs, self.since = epochs_done(run), time.monotonic()
        given = {option.split("=")[0].lstrip("-") for option in options if option.startswith("--")}
        # What the command line sets for all has gone into the overrides too; the parser takes no option twice.
        own = [f"--{key}={json.dumps(value)}" for key, value in run.overrides.items() if key not in given]
        words = [sys.executable, str(recipe), str(run.base), *own, *options]
        if "noprogressbar" not in given:
            words.append("--noprogressbar")
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def new_epochs(self, clock):
        """Counts the epochs that have ended since the last call, and their time."""
        now = epochs_done(self.run)
        if now <= self.epochs:
            return 0
        new, self.epochs = now - self.epochs, now
        clock.seconds += time.monotonic() - self.since
        clock.epochs += new
        self.since = time.monotonic()
        return new

    def failure(self):
        """Why the ended process counts as failed, or None."""
        if self.process.returncode == 0 and is_finished(self.run):
            return None
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"exit status {self.process.returncode}; {lines[-1] if lines else 'no output'}"


def _left(clock, active, waiting):
    runs = [job.run for job in active] + [run for _, run in waiting]
    done = sum(job.epochs for job in active)
    seconds = clock.left(sum(run.hparams["number_of_epochs"] for run in runs) - done, len(runs))
    if seconds is None:
        return f"{len(runs)} runs left"
    return f"{len(runs)} runs and about {seconds / 60:.0f} min left"


def _load(path):
    if not path.is_file():
        raise GridError(f"no such yaml file: {path}")
    try:
        tree = ruamel.yaml.YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except ruamel.yaml.YAMLError as error:
        raise GridError(f"{path} is no plain yaml, or names something twice: {error}") from error
    if not isinstance(tree, dict):
        raise GridError(f"{path}: expected yaml of the form 'key: value', but got {type(tree).__name__}")
    return tree


def _mapping(path, key, value):
    if value is not None and not isinstance(value, dict):
        raise GridError(f"{path}: {key}: expected 'key: value' pairs, but got {value!r}")
    return dict(value or {})


def _seeds(path, variant, seeds):
    seeds = seeds if isinstance(seeds, list) else [seeds]
    if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise GridError(f"{path}: runs, {variant}: expected different integers as seeds, but got {seeds}")
    return seeds


def _plan(path, variant, seed, base, overrides, folder):
    try:
        hparams, resolved = _load_apart(base, overrides)
    except HparamsError as error:
        raise GridError(f"{path}: runs, {variant}: {error}") from error
    return GridRun(variant, seed, folder, base, {**overrides, "output_folder": str(folder)}, hparams, resolved)


def _load_apart(base, overrides):
    """Loads a training yaml without leaving a trace: the checkpointer makes its folder as soon as it is constructed."""
    with tempfile.TemporaryDirectory() as elsewhere:
        return load_hparams(base, {**overrides, "output_folder": elsewhere})


def _check_budget(path, runs):
    steps = {run.name: run.hparams["number_of_epochs"] * run.hparams["iterations_per_epoch"] for run in runs}
    if len(set(steps.values())) > 1:
        raise GridError(f"{path}: runs: expected equal numbers of generator steps, but got {steps}")


def _plain(value):
    """A yaml value with its tag, to be compared."""
    tag = getattr(value, "tag", None)
    return getattr(tag, "value", None), value
