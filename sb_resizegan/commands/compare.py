"""Train a grid of window generators under one budget, and gather figures, a table and a report.

    sb-resizegan compare compare.yaml --jobs 2                      # two at a time
    sb-resizegan compare compare.yaml --only nearest sinc/1986      # some of them
    sb-resizegan compare compare.yaml --data_folder MY_SPEECH --number_of_epochs 100
    sb-resizegan compare compare.yaml --gather                      # train nothing

The same command again goes on where it stopped: finished runs are skipped, interrupted ones resumed. A run
that fails is named, the others go on, and the exit status is 1. What isn't an option below is handed to every
run's train-gan: a key of its yaml or a run option such as --device cuda.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Any

from sb_resizegan.commands.parser import CommandParser, check_least, complain, say


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Reads the command line; returns the options, and the words for the runs."""
    parser = CommandParser("compare", __doc__)
    parser.add_argument("grid", metavar="YAML", help="yaml of the grid: a path, or the name of a shipped one")
    parser.add_argument("--output_folder", help="instead of the yaml's")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (%(default)s)")
    parser.add_argument(
        "--threads", type=int, help="of each training (default: all, shared out among the jobs)"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="train and gather these: VARIANT or VARIANT/SEED"
    )
    parser.add_argument("--gather", action="store_true", help="train nothing")
    chosen, rest = parser.parse_known_args(arguments)
    check_least(parser, chosen, {"jobs": 1, "threads": 1})
    return chosen, rest


def choose(grid: Any, names: Sequence[str] | None) -> list:
    """The runs of a grid that are named, or all."""
    from sb_resizegan.comparison.grid import GridError

    unknown = [name for name in names or () if not any(name in (run.variant, run.name) for run in grid.runs)]
    if unknown:
        raise GridError(
            f"--only: expected some of {[run.name for run in grid.runs]} or their variants, but got {unknown}"
        )
    return [run for run in grid.runs if not names or run.variant in names or run.name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    chosen, options = parse(arguments)

    from sb_resizegan.comparison.gathering import gather
    from sb_resizegan.comparison.grid import GridError, is_finished, read_grid
    from sb_resizegan.comparison.runner import train_grid
    from sb_resizegan.utils.command_line import split_command_line

    # Ended by a signal, it ends its trainings too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        overrides = split_command_line([chosen.grid, *options]).overrides
        if "seed" in overrides:
            raise GridError(f"--seed: the seeds of the runs are stated in {chosen.grid}")
        grid = read_grid(chosen.grid, chosen.output_folder, overrides)
        runs = choose(grid, chosen.only)
        finished = [run for run in runs if is_finished(run)]
        failed = {}
        if not chosen.gather:
            failed = train_grid(runs, options, chosen.jobs, chosen.threads, say)
            finished = [run for run in runs if run.name not in failed]
        report = gather(grid, finished, say) if finished else None
    except (OSError, ValueError) as error:  # of the yaml, the command line, or a run's damaged files
        return complain(error)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here")
        return 130
    if report is None:
        print(f"no run is finished in {grid.output_folder}; nothing was gathered")
    else:
        print((grid.output_folder / "comparison.md").read_text(encoding="utf-8"))
        print(f"report   {report}")
        for path in sorted(grid.output_folder.glob("*.csv")):
            print(f"table    {path}")
    for name, reason in failed.items():
        print(f"FAILED   {name}: {reason}")
    return 1 if failed or report is None else 0
